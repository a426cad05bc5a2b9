#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
#
# Runs inside a host at every "up": prepare.sh PUBLIC_KEY USER...
# Waits for the boot, makes the accounts and prints the public host key. A second run changes nothing.
set -eu
public_key=$1
shift

for user in "$@"; do
    id "$user" > /dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"
    home=$(getent passwd "$user" | cut -d: -f6)
    keys=$home/.ssh/authorized_keys
    if ! grep -qxF "$public_key" "$keys" 2> /dev/null; then
        install -d -m 0700 -o "$user" -g "$user" "$home/.ssh"
        echo "$public_key" >> "$keys"
        chown "$user:$user" "$keys"
        chmod 0600 "$keys"
    fi
done

# Early in the boot there is no bus yet to wait on, and the answer is empty.
until state=$(systemctl is-system-running --wait 2> /dev/null) || [ "$state" = degraded ]; do
    sleep 0.1
done

cat /etc/ssh/ssh_host_ed25519_key.pub
