# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The lines of this collection in the PAM services of a host, as they are found now. Private to the collection."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Iterator, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import ACCOUNT_BLOCK, BLOCK, split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

# What dpkg, rpm and ucf leave of a file that they replace, or put beside one that they keep.
_LEFT = (".dpkg-old", ".dpkg-bak", ".rpmsave", ".ucf-old")
_PROGRAM = re.compile(rb"(?<![\w/])(/[\w/.+-]*/(?:totp-guard|key-used|log-decision))(?![\w/.-])")
# The line that counts wrong tokens: how many lock the user, and for how many seconds (roles/mfa/templates/etc/pam.d/token.j2).
_COUNTS = re.compile(rb"/totp-guard failed (\d+) (\d+)")
_REMEMBERS = re.compile(rb"/totp-guard remembered (\S+)(?: (\S+))?")
# Lines of factors with an SSH key: only then does a wrong token count (docs/wrong_tokens.md).
_AFTER_KEY = re.compile(rb"^auth\s+sufficient\s+pam_succeed_if\.so\s|^auth\s.*/key-used\s*$", re.MULTILINE)


class Lock(NamedTuple):
    """After how many wrong tokens in a row a user is locked, 0 for never, and for how many seconds, 0 for until unlocked."""

    after: int
    seconds: int


class MarkedFile(NamedTuple):
    """A file with a block of ours; `problem` if its markers do not match."""

    path: str
    token_lines: bytes | None
    account_lines: bytes | None
    problem: str = ""

    @property
    def lock_works(self) -> bool:
        """Whether wrong tokens could lock a user here: not where the token is asked for before the password."""
        return bool(_AFTER_KEY.search(self.token_lines or b""))

    @property
    def lock(self) -> Lock | None:
        """None if nothing counts wrong tokens, so that not even the key is suspended. The line may be there twice, with the
        same numbers."""
        found = _COUNTS.search(self.token_lines or b"")
        return Lock(int(found[1]), int(found[2])) if found else None

    @property
    def remembers(self) -> list[tuple[str, str]]:
        """For how many seconds users are not asked again, and the groups of these users, "" for everybody who is enforced."""
        found = _REMEMBERS.findall(self.token_lines or b"")
        return [(seconds.decode("utf-8", "replace"), groups.decode("utf-8", "replace")) for seconds, groups in found]


class ManagedPam:
    """`files` are those with our blocks, or parts of them."""

    def __init__(self, confdir: str = DEFAULT_CONFDIR):
        self._confdir = confdir
        self.files = [one for one in map(self._read, self._names()) if one is not None]

    @classmethod
    def nothing(cls) -> ManagedPam:
        """Of a host whose services cannot be read."""
        return cls("/nonexistent")

    def _names(self) -> list[str]:
        return sorted(os.listdir(self._confdir)) if os.path.isdir(self._confdir) else []

    def _read(self, name: str) -> MarkedFile | None:
        path = str(Path(self._confdir, name))
        if name.endswith(_LEFT) or name.startswith(".") or os.path.islink(path) or not os.path.isfile(path):
            return None
        content = read_file(path) or b""
        if b"fleetmfa.ssh" not in content:
            return None
        try:
            token, account = split(content, path, BLOCK).inside, split(content, path, ACCOUNT_BLOCK).inside
        except FleetMfaError as error:
            return MarkedFile(path, None, None, str(error))
        return None if token is None and account is None else MarkedFile(path, token, account)

    @property
    def token_files(self) -> list[str]:
        return [one.path for one in self.files if one.token_lines is not None]

    @property
    def programs(self) -> set[str]:
        """The programs of ours that the lines run."""
        text = b"\n".join(lines for one in self.files for lines in (one.token_lines, one.account_lines) if lines)
        return {found.decode("utf-8", "replace") for found in _PROGRAM.findall(text)}

    @property
    def has_guard(self) -> bool:
        return any(b"/totp-guard attempt" in (one.token_lines or b"") for one in self.files)

    @property
    def has_account_check(self) -> bool:
        return any(one.account_lines is not None for one in self.files)

    def replaced(self) -> Iterator[tuple[str, str]]:
        """Files that a package has replaced: the copy that it left has our lines, and the file itself has not."""
        marked = {one.path for one in self.files}
        for name in self._names():
            kept = str(Path(self._confdir, name))
            path = next((kept[: -len(ending)] for ending in _LEFT if kept.endswith(ending)), None)
            if (
                path
                and path not in marked
                and os.path.isfile(kept)
                and b"# BEGIN fleetmfa.ssh" in (read_file(kept) or b"")
            ):
                yield path, kept
