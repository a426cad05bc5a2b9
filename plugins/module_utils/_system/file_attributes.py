# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Owner, permissions and extended attributes of a file: read, kept on record, given to another. Private to the collection.

A POSIX ACL is an extended attribute, too, and where there is one the group bits of the mode are its mask (acl(5)): the
mode without its ACL would give the owning group what the ACL gives to some user.
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
# The kernel's own: they vouch for a content, and would make it refuse another.
_OF_THE_CONTENT = ("security.ima", "security.evm")
_MADE_BY_US = "user.fleetmfa"
_HAS_EXTENDED = hasattr(os, "listxattr")  # not on a controller that runs macOS

# ioctl_iflags(2): FS_IOC_GETFLAGS, and the two flags under which a file cannot be replaced. Where the number is another
# one (MIPS, POWER) the answer is an error, and replacing the file says what is wrong.
_GET_FLAGS = 2 << 30 | struct.calcsize("l") << 16 | ord("f") << 8 | 1
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20


class AttributesRecord(TypedDict):
    """As JSON has them."""

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
    """So that it can go with the last file in it. A file system that keeps no such mark keeps the folder, too."""
    with contextlib.suppress(OSError, AttributeError):
        os.setxattr(folder, _MADE_BY_US, b"made")


def is_made_by_us(folder: str | os.PathLike[str]) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return os.getxattr(folder, _MADE_BY_US) == b"made"
    return False


def own_attributes(mode: int) -> Attributes:
    """Those of a file that belongs to whom this process runs as, and to nobody else by any ACL."""
    return Attributes(mode, os.geteuid(), os.getegid(), {})


def read_attributes(descriptor: int) -> Attributes:
    status = os.fstat(descriptor)
    return Attributes(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, _extended(descriptor))


def give_attributes(descriptor: int, wanted: Attributes) -> None:
    """Give a file, which nobody else can open yet, exactly these. OSError, with the attribute's name, if that fails.

    An ACL that the folder gives to its new files (setfacl -d) goes. What security modules put on a new file stays unless
    another value is wanted.
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
    """As give_attributes(), for when the file has to be there in any case: "" or what is missing.

    The group gets no rights then: without the ACL, its bits in the mode would be more than it had.
    """
    try:
        give_attributes(descriptor, wanted)
    except OSError as error:
        os.fchmod(descriptor, wanted.mode & ~stat.S_IRWXG)
        return error.strerror or str(error)
    return ""


def is_immutable(descriptor: int) -> bool:
    """Whether chattr(1) has made the file one that cannot be replaced, not even by root."""
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
            if error.errno not in (errno.ENODATA, errno.ENOTSUP):  # gone meanwhile; listed, but not there
                raise
    return found


def _change(name: str, call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except OSError as error:
        raise OSError(error.errno, f"its attribute {name} cannot be preserved: {error.strerror}") from error
