# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Not a test: creates and reads POSIX ACLs, and determines who may write to a file by mode and ACL together."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

ACL, DEFAULT_ACL = "system.posix_acl_access", "system.posix_acl_default"
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
_NOBODY_IN_PARTICULAR = 0xFFFFFFFF
# A capability that does no harm (cap_net_bind_service), as setcap(8) writes it.
CAPABILITY = struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0)


def acl(*entries: tuple[int, int, int | None]) -> bytes:
    """(tag, permissions, id) of each entry, as stored by the kernel (acl(5))."""
    ids = [(tag, rights, _NOBODY_IN_PARTICULAR if whose is None else whose) for tag, rights, whose in entries]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in ids)


def one_user_writes(uid: int) -> bytes:
    """rw for the owner and one user, r for the group and all others: mode 0664, and the group cannot write."""
    return acl((USER_OBJ, 6, None), (USER, 6, uid), (GROUP_OBJ, 4, None), (MASK, 6, None), (OTHER, 4, None))


def writers(path: Path) -> set[tuple[int, int | None]]:
    """Who may write according to mode and ACL, besides the owner."""
    mode = path.stat().st_mode
    try:
        packed = os.getxattr(path, ACL)
    except OSError:
        group = {(GROUP_OBJ, None)} if mode & stat.S_IWGRP else set()
        return group | ({(OTHER, None)} if mode & stat.S_IWOTH else set())
    entries = list(struct.iter_unpack("<HHI", packed[4:]))
    mask = next((rights for tag, rights, _id in entries if tag == MASK), 7)
    found = set()
    for tag, rights, whose in entries:
        effective = rights if tag == OTHER else rights & mask
        if tag not in (USER_OBJ, MASK) and effective & 2:
            found.add((tag, whose if tag in (USER, GROUP) else None))
    return found


def extended(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}
