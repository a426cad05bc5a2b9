# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Logins on a host whose guard remembers tokens: what they have in common, and what is on record. Used by the tests of the guard."""

from __future__ import annotations

from pathlib import Path

INFO = "SSH_AUTH_INFO_0="
KEY = f"{INFO}publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
OTHER_KEY = f"{INFO}publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnother"
CERTIFICATE = f"{INFO}publickey ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"
ADDRESS, ELSEWHERE = "192.0.2.7", "192.0.2.70"
CODES = ["12345678", "23456789"]
WRONG = "000000"
SECONDS = 43200
SHORT = 100  # no longer than the machine has been up
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ANOTHER_BOOT = "00000000-0000-0000-0000-000000000000"


def from_sshd(host, **settings):
    host.service, host.address, host.first_factor = "sshd", ADDRESS, (KEY,)
    host.write_service(remember_seconds=SECONDS, **settings)
    host.write_key(codes=CODES)
    return host


def now():
    """Seconds since boot."""
    return int(float(Path("/proc/uptime").read_text().split()[0]))


def is_asked(host, *environment, name=None):
    """Also checks that who is not asked is let in, and that who is asked is not let in without an answer."""
    login = host.login(environment, name=name)
    if login.has_prompt():
        login.hang_up()
        return True
    assert login.succeeds()
    return False


def words(host):
    """What is remembered, four words each: what the login had in common, boot, time since boot, date."""
    for line in host.state.read_text().splitlines():
        if line.startswith("remembered "):
            found = line.split()[1:]
            return [found[at : at + 4] for at in range(0, len(found), 4)]
    return []


def put(host, *entries):
    lines = [line for line in host.state.read_text().splitlines() if not line.startswith("remembered")]
    text = " ".join(" ".join(map(str, entry)) for entry in entries)
    host.state.write_text("\n".join([f"remembered {text}", *lines]) + "\n")


def log_in(host):
    assert is_asked(host)
    assert host.answer(host.token())
