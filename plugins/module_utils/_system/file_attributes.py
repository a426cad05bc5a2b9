# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Owner, permissions and extended attributes of a file: reading, recording and setting them. Private to the collection.

A POSIX ACL is an extended attribute too, and with one, the group bits of the mode are its mask (acl(5)): the mode
without the ACL would give the owning group the rights that the ACL gives to some user.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import os
import stat
import struct
import sys
from typing import Callable, NamedTuple, TypedDict

ACL = "system.posix_acl_access"
# Used by the kernel: signatures of a content, with which it would reject any other content.
_OF_THE_CONTENT = ("security.ima", "security.evm")
_MADE_BY_US = "user.fleetmfa"
_HAS_EXTENDED = hasattr(os, "listxattr")  # not on a controller that runs macOS

# ioctl_iflags(2): FS_IOC_GETFLAGS, and the two flags that prevent a file from being replaced. On platforms with a
# different number (MIPS, POWER) the call fails, and the attempt to replace the file reports the problem.
_GET_FLAGS = 2 << 30 | struct.calcsize("l") << 16 | ord("f") << 8 | 1
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20


class AttributesRecord(TypedDict):
    """The attributes as JSON stores them."""

    mode: int
    uid: int
    gid: int
    extended: dict[str, str]  # base64


class Attributes(NamedTuple):
    mode: int
    uid: int
    gid: int
    extended: dict[str, bytes]

    def as_json(self) -> AttributesRecord:
        extended = {name: base64.b64encode(value).decode() for name, value in self.extended.items()}
        return {"mode": self.mode, "uid": self.uid, "gid": self.gid, "extended": extended}

    @classmethod
    def from_json(cls, record: AttributesRecord) -> Attributes:
        extended = {name: base64.b64decode(value) for name, value in record["extended"].items()}
        return cls(record["mode"], record["uid"], record["gid"], extended)


def mark_as_made_by_us(folder: str | os.PathLike[str]) -> None:
    """So that the folder can be removed with its last file. On a file system without such marks it stays."""
    with contextlib.suppress(OSError, AttributeError):
        os.setxattr(folder, _MADE_BY_US, b"made")


def is_made_by_us(folder: str | os.PathLike[str]) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return os.getxattr(folder, _MADE_BY_US) == b"made"
    return False


def own_attributes(mode: int) -> Attributes:
    """The attributes of a file that belongs to the current user, without any ACL."""
    return Attributes(mode, os.geteuid(), os.getegid(), {})


def read_attributes(descriptor: int) -> Attributes:
    status = os.fstat(descriptor)
    return Attributes(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, _extended(descriptor))


def give_attributes(descriptor: int, wanted: Attributes) -> None:
    """Give exactly these attributes to a file that nobody else can open yet. If that fails, an OSError names the
    attribute.

    An ACL that the folder gives to new files (setfacl -d) is removed. What security modules set on a new file stays
    unless another value is wanted.
    """
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        os.fchown(descriptor, wanted.uid, wanted.gid)
    present = _extended(descriptor)
    for name in present:
        if name not in wanted.extended and not name.startswith("security."):
            _change(name, os.removexattr, descriptor, name)
    for name, value in wanted.extended.items():
        if present.get(name) != value:
            _change(name, os.setxattr, descriptor, name, value)
    os.fchmod(descriptor, wanted.mode)


def give_what_can_be_given(descriptor: int, wanted: Attributes) -> str:
    """Like give_attributes(), for a file that must exist in any case. Returns what is missing, "" if nothing.

    The group then gets no rights: without the ACL, its bits in the mode would grant more than before.
    """
    try:
        give_attributes(descriptor, wanted)
    except OSError as error:
        os.fchmod(descriptor, wanted.mode & ~stat.S_IRWXG)
        return error.strerror or str(error)
    return ""


def is_immutable(descriptor: int) -> bool:
    """Whether chattr(1) has made the file impossible to replace, even for root."""
    if sys.platform != "linux":
        return False
    try:
        answer = fcntl.ioctl(descriptor, _GET_FLAGS, bytes(struct.calcsize("l")))
    except OSError:
        return False
    return bool(struct.unpack_from("I", answer)[0] & (_IMMUTABLE | _APPEND_ONLY))


def _extended(descriptor: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if not _HAS_EXTENDED:
        return found
    try:
        names = os.listxattr(descriptor)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return found
        raise
    for name in sorted(set(names) - set(_OF_THE_CONTENT)):
        try:
            found[name] = os.getxattr(descriptor, name)
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.ENOTSUP):  # removed in the meantime, or listed but missing
                raise
    return found


def _change(name: str, call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except OSError as error:
        raise OSError(error.errno, f"its attribute {name} cannot be preserved: {error.strerror}") from error
