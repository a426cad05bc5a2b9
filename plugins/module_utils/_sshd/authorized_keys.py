# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The authorized_keys files of a user, sshd(8), AUTHORIZED_KEYS FILE FORMAT. Private to the collection.

These files belong to users, so they are read as far as they are regular files of a sensible size, and nothing of them
is ever told but the name of the file and what is wrong with a line.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import stat
from typing import Iterator

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.public_keys import OPTION, OPTIONS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.as_user import as_user

_LARGEST = 1 << 20
_KEY_TYPE = re.compile(r"(ssh-|ecdsa-|sk-)\S+$")


def authorized_keys_files(patterns: list[str], user: str, uid: int, home: str) -> list[str]:
    """The files that AuthorizedKeysFile names for a user."""
    names = [expanded(pattern, user, uid, home) for pattern in patterns if pattern != "none"]
    return [os.path.join(home, name) for name in names]


def expanded(pattern: str, user: str, uid: int, home: str) -> str:
    """With the values of the tokens that sshd knows about the user."""
    tokens = {"%%": "%", "%h": home, "%u": user, "%U": str(uid)}
    return re.sub("%[%huU]", lambda found: tokens[found.group()], pattern)


def key_lines(text: str) -> list[str]:
    """The lines that are neither empty nor a comment."""
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def terminals_allowed(path: str) -> list[bool]:
    """For each key in the file, whether its options let a session have a terminal; [] if there is nothing to read."""
    try:
        return [_allows_terminal(line) for line in key_lines(_read(path))]
    except OSError:
        return []


class UnusableFile(Exception):
    """sshd takes no key from the file; the message says why."""


class NoSuchFile(UnusableFile):
    """There is none."""


def read_as_sshd(path: str, user: pwd.struct_passwd, strict: bool, private_groups: bool) -> str:
    """The text of a file that sshd would take keys from, read with the rights of the user as sshd does.

    `strict` is StrictModes, `private_groups` whether this sshd lets the user's own group write (Debian's does). An OSError
    is one that says nothing about what sshd would meet at the next login.
    """
    try:
        told = as_user(user, _problem_and_text, path, user.pw_uid, user.pw_dir, strict, private_groups)
        problem, _nul, text = told.decode("utf-8", "replace").partition("\0")
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchFile("there is no such file") from None
    except PermissionError:
        raise UnusableFile("the user cannot read it, and sshd reads it as the user") from None
    except IsADirectoryError:
        raise UnusableFile("it is no regular file") from None
    if problem:
        raise UnusableFile(problem)
    return text


def _problem_and_text(path: str, uid: int, home: str, strict: bool, private_groups: bool) -> bytes:
    """Runs with the rights of the user."""
    text = _read(path)
    problem = open_to_others(path, uid, home, private_groups) if strict else ""
    return f"{problem}\0{text}".encode("utf-8", "surrogateescape")


def _read(path: str) -> str:
    """Not held up by a FIFO, and not by a user who makes the file endless."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, "no regular file", path)
        return os.read(descriptor, _LARGEST).decode("utf-8", "replace").replace("\0", "")
    finally:
        os.close(descriptor)


def open_to_others(path: str, uid: int, home: str, private_groups: bool) -> str:
    """safe_path() of OpenSSH: the file and each folder above it, as far as the home if it lies there."""
    path, home = os.path.realpath(path), os.path.realpath(home)
    for checked in _upwards(path, home):
        status = os.stat(checked)
        if status.st_uid not in (0, uid):
            return f"{checked} belongs to somebody else (StrictModes)"
        if status.st_mode & 0o002 or (status.st_mode & 0o020 and not (private_groups and _is_private_group(status))):
            return f"others can write to {checked} (StrictModes)"
    return ""


def _upwards(path: str, home: str) -> Iterator[str]:
    while True:
        yield path
        if path in (home, "/"):
            return
        path = os.path.dirname(path)


def _is_private_group(status: os.stat_result) -> bool:
    """secure_permissions() of Debian and Ubuntu: a group that has the file's owner in it, and nobody else."""
    try:
        owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    primary = {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == group.gr_gid}
    return {*group.gr_mem, *primary} == {owner}  # a group of nobody is for programs


def _allows_terminal(line: str) -> bool:
    first = OPTIONS.match(line)
    if first is None or _KEY_TYPE.match(first.group()):
        return True
    allowed = True
    for option in OPTION.findall(first.group().lower()):
        if option in ("restrict", "no-pty"):
            allowed = False
        elif option == "pty":
            allowed = True
    return allowed
