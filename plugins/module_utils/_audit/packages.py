# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the package manager says about the packages that take part in a login. Private to the collection.

Two calls, however many packages there are: their versions, and which of their files are not as they were installed.
"""

from __future__ import annotations

import functools
import re
from typing import Iterator, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import find_program, run

# What each is called, in dpkg and in rpm.
_NAMES: dict[str, tuple[str, ...]] = {
    "openssh": ("openssh-server",),
    "pam": ("libpam0g", "libpam0t64", "pam"),
    "pam_modules": ("libpam-modules", "libpam-runtime"),
    "pam_google_authenticator": ("libpam-google-authenticator", "google-authenticator", "google-authenticator-libpam"),
}
# rpm(8) and dpkg(1), "verify": nine characters, the kind of file (c for configuration), and its path; or the word missing.
_CHANGED = re.compile(r"(?P<what>missing|[.?\w]{8,9})\s+(?:(?P<kind>[a-z])\s+)?(?P<path>/\S.*?)(?: \(.*\))?\s*")
# Images of containers are made without translations and documentation.
_WITHOUT_EFFECT = "/usr/share/"
_CONTENT = 2  # the place of the digit 5: the content differs


class ChangedFile(NamedTuple):
    """A file that is not as its package has installed it."""

    path: str
    problem: str


class Packages:
    """`problem` says why the package manager cannot be asked."""

    def __init__(self) -> None:
        self.problem = ""

    def version_of(self, what: str) -> str:
        return next((self._installed[name] for name in _NAMES[what] if name in self._installed), "")

    @functools.cached_property
    def _installed(self) -> dict[str, str]:
        wanted = [name for names in _NAMES.values() for name in names]
        if find_program("dpkg-query"):
            command = ("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n", *wanted)
            return {name: version for name, version, *state in self._rows(command) if state[:1] == ["ii"]}
        if find_program("rpm"):
            return {name: version for name, version, *_more in self._rows(("rpm", "-q", "--qf", _RPM, *wanted))}
        self.problem = "this host has neither dpkg nor rpm"
        return {}

    def _rows(self, command: Sequence[str]) -> Iterator[list[str]]:
        """Exit status 1 only means that some of the packages are not installed."""
        try:
            lines = run(*command).output.splitlines()
        except FleetMfaError as error:
            self.problem = str(error)
            return
        yield from (line.split() for line in lines if len(line.split()) >= 2 and "not installed" not in line)

    def changed_files(self) -> list[ChangedFile]:
        """Without configuration files, which others may change: what a program or a module is, nobody should."""
        if not self._installed:
            return []
        verify = ("dpkg", "-V") if find_program("dpkg-query") else ("rpm", "-V")
        try:
            lines = run(*verify, *sorted(self._installed)).output.splitlines()
        except FleetMfaError as error:
            self.problem = str(error)
            return []
        return list(filter(None, map(_changed, lines)))


_RPM = "%{NAME} %{VERSION}-%{RELEASE}\n"


def _changed(line: str) -> ChangedFile | None:
    found = _CHANGED.fullmatch(line)
    if found is None or found["kind"] or found["path"].startswith(_WITHOUT_EFFECT):
        return None
    if found["what"] == "missing":
        return ChangedFile(found["path"], "is missing; its package has installed it")
    if found["what"][_CONTENT : _CONTENT + 1] != "5":
        return None
    return ChangedFile(found["path"], "is not the file that its package has installed")
