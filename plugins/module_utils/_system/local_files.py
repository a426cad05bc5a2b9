# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether a file exists, at a path that users and file servers may control. Private to the collection.

Looking into a home directory on a file server may block forever, and an automounter would mount it. So only local file
systems are checked, and symbolic links are followed only if they belong to root.
"""

from __future__ import annotations

import os
import re
import stat
from collections import deque

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

MOUNTS = "/proc/self/mountinfo"  # proc_pid_mountinfo(5)
_LOCAL = frozenset(
    ("aufs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "xfs", "zfs")
)
_MOST_LINKS = 10


class LocalFiles:
    """The files of this machine, with the current mounts."""

    def __init__(self, mounts: str = MOUNTS):
        self._local = {"/": True}  # if that one does not answer, nothing does
        text = (read_file(mounts) or b"").decode("utf-8", "surrogateescape")
        for fields in map(str.split, text.splitlines()):
            if fields[4] != "/":
                self._local[_plain(fields[4])] = fields[fields.index("-") + 1] in _LOCAL

    def exists(self, path: str) -> bool | None:
        """None if the path is not checked. A link with this name counts as existing."""
        folder, links = "/", 0
        names = deque(filter(None, path.split("/")))
        while names:
            here = os.path.normpath(os.path.join(folder, names.popleft()))
            if not self._is_local(here):
                return None
            try:
                status = os.lstat(here)
            except OSError:
                return False
            if not (names and stat.S_ISLNK(status.st_mode)):
                folder = here
                continue
            links += 1
            if status.st_uid != 0 or links > _MOST_LINKS:
                return None
            target = os.readlink(here)
            folder = "/" if target.startswith("/") else folder
            names.extendleft(reversed(list(filter(None, target.split("/")))))
        return True

    def _is_local(self, path: str) -> bool:
        while path not in self._local:
            path = os.path.dirname(path)
        return self._local[path]


def _plain(mount_point: str) -> str:
    """Blanks and some other characters are written like \040 there."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), mount_point)
