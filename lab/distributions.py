# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The available distributions of a host. To add one, add a row here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Distribution:
    name: str  # the prefix of a host's name
    suite: str  # the name on the mirror
    base: str  # the registry image that the host's image is based on
    packages: tuple[str, ...]
    label: str = "Debian"  # in the mirror's Release file; used to find the mirror among the machine's apt sources
    security_label: str = "Debian-Security"
    keyring: str = "/usr/share/keyrings/debian-archive-keyring.gpg"
    keyring_package: str = "debian-archive-keyring"


HOST_PACKAGES = (
    "dbus",
    "git",
    "iproute2",
    "libpam-google-authenticator",
    "libpam-oath",
    "locales",
    "openssh-server",
    "openssh-sftp-server",
    "python3",
    "rsync",
    "sudo",
    "systemd",
    "systemd-sysv",
)

DISTRIBUTIONS = {
    row.name: row
    for row in (
        Distribution("debian11", "bullseye", "debian:11", HOST_PACKAGES),  # OpenSSH 8.4
        Distribution("debian12", "bookworm", "debian:12", HOST_PACKAGES),  # OpenSSH 9.2
        Distribution("debian13", "trixie", "debian:13", HOST_PACKAGES),  # OpenSSH 10.0
    )
}
