#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
#
# Runs once inside an image, after its packages are installed. sshd and PAM stay as the distribution has them.
set -eu

# Keys baked into an image would be the same on every host; each host makes one of its own at start.
rm -f /etc/ssh/ssh_host_*

# Empty: systemd gives each host an ID of its own.
: > /etc/machine-id

# A base image may forbid packages to start their services.
rm -f /usr/sbin/policy-rc.d

# Beside C.UTF-8, one locale that is not English.
localedef --no-archive -i de_DE -f UTF-8 de_DE.UTF-8

useradd --create-home --shell /bin/bash ansible
echo 'ansible ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ansible
chmod 0440 /etc/sudoers.d/ansible

apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old
