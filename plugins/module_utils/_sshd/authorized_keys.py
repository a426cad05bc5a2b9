# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The options before the keys in an authorized_keys file, sshd(8), AUTHORIZED_KEYS FILE FORMAT. Private.

These files belong to users, so they are read only if they are regular files of a sensible size, and only the name of a
file is ever reported.
"""

from __future__ import annotations

import os
import re
import stat

_LARGEST = 1 << 20
_KEY_TYPE = re.compile(r"(ssh-|ecdsa-|sk-)\S+$")
# Options end at the first blank outside quotation marks; \" inside them is a quotation mark.
_OPTIONS = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+')
_OPTION = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,"])+')


def authorized_keys_files(patterns: list[str], user: str, uid: int, home: str) -> list[str]:
    """The files that AuthorizedKeysFile names for a user."""
    tokens = {"%%": "%", "%h": home, "%u": user, "%U": str(uid)}
    names = [re.sub("%[%huU]", lambda found: tokens[found.group()], pattern) for pattern in patterns]
    return [os.path.join(home, name) for name in names if name != "none"]


def terminals_allowed(path: str) -> list[bool]:
    """For each key in the file, whether its options allow a terminal; [] if the file cannot be read."""
    lines = map(str.strip, _read(path).splitlines())
    return [_allows_terminal(line) for line in lines if line and not line.startswith("#")]


def _read(path: str) -> str:
    """Does not block on a FIFO, and limits the size that is read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, _LARGEST).decode("utf-8", "replace") if regular else ""
    finally:
        os.close(descriptor)


def _allows_terminal(line: str) -> bool:
    first = _OPTIONS.match(line)
    if first is None or _KEY_TYPE.match(first.group()):
        return True
    allowed = True
    for option in _OPTION.findall(first.group().lower()):
        if option in ("restrict", "no-pty"):
            allowed = False
        elif option == "pty":
            allowed = True
    return allowed
