# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Errors of file operations, with a remedy that an operator can act on. Private to the collection."""

from __future__ import annotations

import errno
import os

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

_REMEDIES = {
    errno.ENOSPC: "make room on its file system",
    errno.EDQUOT: "raise the quota of its file system",
    errno.EROFS: "its file system is mounted read-only; mount it writable",
    errno.EACCES: "become root",
    errno.EPERM: "become root, and check with lsattr whether it or its folder is immutable (chattr -i allows changes again)",
    errno.EBUSY: "something is mounted on it; unmount it",
    errno.EISDIR: "a folder is in its place; move it out of the way",
    errno.ENOTDIR: "a part of its path is not a folder; move it out of the way",
    errno.EEXIST: "something else is in its place; move it out of the way",
    errno.ENOENT: "create its folder, or correct the path",
}


def cannot(do: str, path: str | os.PathLike[str], error: OSError | ValueError) -> FleetMfaError:
    """The error to raise: `cannot("write", "/etc/x", error)` says what failed on which file, why, and what helps."""
    reason = getattr(error, "strerror", None) or str(error)
    remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "fix that")
    return FleetMfaError(f"cannot {do} {os.fspath(path)}: {reason}; {remedy} and run again")
