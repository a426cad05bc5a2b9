# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Which system this is: distribution, kernel, name, and the versions of what asks for tokens. Private to the collection."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.packages import Packages
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


class SystemFacts(TypedDict):
    """`distribution` and `version` are ID and VERSION_ID of os-release(5), "" if it has none."""

    distribution: str
    version: str
    kernel: str
    hostname: str


class Versions(TypedDict):
    """`openssh` as sshd says it; the others as packages have them. "" if not installed, or not known."""

    openssh: str
    pam: str
    pam_google_authenticator: str
    python: str


def system_facts() -> SystemFacts:
    release = _os_release()
    names = os.uname()
    return {
        "distribution": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "kernel": names.release,
        "hostname": names.nodename,
    }


def versions(packages: Packages, binary: str | None) -> Versions:
    return {
        "openssh": _openssh(binary),
        "pam": packages.version_of("pam"),
        "pam_google_authenticator": packages.version_of("pam_google_authenticator"),
        "python": platform.python_version(),
    }


def _openssh(binary: str | None) -> str:
    try:
        return ".".join(map(str, Sshd(binary).version))
    except FleetMfaError:
        return ""


def _os_release() -> dict[str, str]:
    for path in _OS_RELEASE:
        try:
            text = Path(path).read_text("utf-8", "replace")
        except OSError:
            continue
        lines = re.findall(r"^(\w+)=([\"']?)(.*)\2\s*$", text, re.MULTILINE)
        return {name: value for name, _quote, value in lines}
    return {}
