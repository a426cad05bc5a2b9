# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The lines of the system's log about logins: from the journal or, without one, from the files of syslog. Private.

Both are read once, from the newest line back, and no more than a bound of each.
"""

from __future__ import annotations

import calendar
import datetime
import glob
import gzip
import os
import re
import time
from typing import Iterator, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import find_program, run

JOURNAL, FILES, NONE = "journal", "file", "none"
LOG_FILES = ("/var/log/auth.log*", "/var/log/secure*")
_MOST_LINES = 200_000
_MOST_BYTES = 64 * 1024 * 1024  # of each file, and of what is unpacked of it
# sshd says who it is with three names, from 9.8 and 10.0 on; the module with two, up to 1.09 and from 1.10 on.
_SSHD_IDENTS = ("sshd", "sshd-session", "sshd-auth")
_MODULE_IDENTS = ("pam_google_authenticator", "pam_google_auth")
GUARD = "totp-guard"
# Anybody may write to the journal under any of these names. What is looked for is written by root in every version.
_BY_ROOT = "_UID=0"
_LINE = re.compile(
    r"(?P<when>\d+\.\d+|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) \S+ "
    r"(?P<ident>[^\s\[(:]+(?:\([^)\s]+\))?)(?:\[(?P<process>\d+)\])?: (?P<message>.*)"
)


class LogLine(NamedTuple):
    """`when` in seconds since the epoch."""

    when: float
    ident: str
    process: str
    message: str


def idents(pam_services: Sequence[str]) -> list[str]:
    """Who writes about logins: sshd, the guard, and the token module in each of these PAM services."""
    modules = [f"{service}({module})" for service in pam_services for module in _MODULE_IDENTS]
    return [*_SSHD_IDENTS, GUARD, *modules]


class LogLines:
    """`lines` of the last `days` days; `source` is journal, file or none; `cut` if there were more."""

    def __init__(
        self,
        days: int,
        wanted: Sequence[str],
        journal: Sequence[str] | None = (),
        files: Sequence[str] = LOG_FILES,
        now: float | None = None,
    ):
        """`journal`: arguments for journalctl that say which journal, None for no journal."""
        self._now = time.time() if now is None else now
        self._since = self._now - days * 86400
        self._wanted = set(wanted)
        self.cut, self.problem = False, ""
        self.source, self.lines = JOURNAL, [] if journal is None else self._journal(journal)
        if not self.lines:
            self.lines = self._files(files)
            self.source = FILES if self._read_files else NONE
        if self.source == NONE and journal is not None and not self.problem and self._has_journal(journal):
            self.source = JOURNAL

    def _journal(self, which: Sequence[str]) -> list[LogLine]:
        if not find_program("journalctl"):
            return []
        names = [word for ident in sorted(self._wanted) for word in ("-t", ident)]
        bounds = ("--since", f"@{int(self._since)}", "--lines", str(_MOST_LINES), _BY_ROOT)
        try:
            done = run("journalctl", *which, "--quiet", "--no-pager", "--output", "short-unix", *bounds, *names)
        except FleetMfaError as error:
            self.problem = str(error)
            return []
        lines = done.output.splitlines()
        self.cut = len(lines) >= _MOST_LINES
        return list(self._parsed(lines))

    @staticmethod
    def _has_journal(which: Sequence[str]) -> bool:
        """Whether it has anything at all, so that no line about logins means that there was none."""
        try:
            done = run("journalctl", *which, "--quiet", "--no-pager", "--lines", "1", "--output", "cat")
        except FleetMfaError:
            return False
        return done.code == 0 and bool(done.output.strip())

    def _files(self, patterns: Sequence[str]) -> list[LogLine]:
        paths = [path for pattern in patterns for path in glob.glob(pattern) if os.path.isfile(path)]
        self._read_files = bool(paths)
        found: list[LogLine] = []
        for path in sorted(paths, key=os.path.getmtime, reverse=True):
            if os.path.getmtime(path) < self._since:
                break
            text, whole = self._text(path)
            lines = list(self._parsed(text.splitlines()))
            found = [*lines, *found]
            self.cut = self.cut or not whole or len(found) > _MOST_LINES
            if len(found) > _MOST_LINES:
                break
        return found[-_MOST_LINES:]

    def _text(self, path: str) -> tuple[str, bool]:
        """The end of a file; of a packed one, which cannot be read from its end, the beginning."""
        try:
            if path.endswith(".gz"):
                with gzip.open(path) as packed:
                    content = packed.read(_MOST_BYTES + 1)
                return content[:_MOST_BYTES].decode("utf-8", "replace"), len(content) <= _MOST_BYTES
            with open(path, "rb") as file:  # noqa: PTH123
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _MOST_BYTES))
                return file.read(_MOST_BYTES).decode("utf-8", "replace"), size <= _MOST_BYTES
        except (OSError, EOFError) as error:
            self.problem = f"{path} cannot be read: {error}"
            return "", True

    def _parsed(self, lines: Sequence[str]) -> Iterator[LogLine]:
        for text in lines:
            found = _LINE.match(text)
            if found is None or found["ident"] not in self._wanted:
                continue
            when = self._seconds(found["when"])
            if when is not None and when >= self._since:
                yield LogLine(when, found["ident"], found["process"] or "", found["message"])

    def _seconds(self, text: str) -> float | None:
        """The journal's is the time itself. A time without a year is the latest that is not in the future."""
        try:
            if text[0].isdigit() and "T" not in text:
                return float(text)
            if text[0].isdigit():
                return datetime.datetime.fromisoformat(_plain_iso(text)).timestamp()
            month = list(calendar.month_abbr).index(text[:3])
            year = time.localtime(self._now).tm_year
            clock = time.strptime(text[7:], "%H:%M:%S")
            fields = (month, int(text[4:6]), clock.tm_hour, clock.tm_min, clock.tm_sec, 0, 0, -1)
            when = time.mktime((year, *fields))
            return when if when <= self._now + 86400 else time.mktime((year - 1, *fields))
        except (ValueError, OverflowError):
            return None


def _plain_iso(text: str) -> str:
    """Python before 3.11 takes neither Z nor fractions of other lengths."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?", text)
    if not found:
        raise ValueError(text)
    zone = "+00:00" if found[2] in (None, "Z") else found[2]
    return found[1] + (zone if ":" in zone else f"{zone[:3]}:{zone[3:]}")
