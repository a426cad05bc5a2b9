#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
#
# First process of a host, then systemd.
# cgroup v1: the host's own tree (private namespace) is mounted read-only and systemd would not boot.
mount -o remount,rw /sys/fs/cgroup 2> /dev/null

# One key: all three would cost a core-second a host.
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key

exec /sbin/init
