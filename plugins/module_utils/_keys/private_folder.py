# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Folders whose content nobody but root may read or replace. Private to the collection."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.lock import lock_within


def unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise FleetMfaError(f"cannot remove {path}: {error.strerror}") from error


def is_private_folder(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(mode) and stat.S_IMODE(mode) == 0o700


def make_private_folder(path: str) -> None:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        if not is_private_folder(path):
            os.chmod(path, 0o700)
    except OSError as error:
        raise FleetMfaError(f"cannot make {path}: {error.strerror}") from error


def check_folder(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise FleetMfaError(f"{path} is a symbolic link or a file, not a folder; remove it and run again")
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise FleetMfaError(
            f"users other than root can write to {path}, so keys in it cannot be trusted; check who put what there, "
            f"then chown root:root and chmod 0700 {path}"
        )


def check_ancestors(path: str) -> None:
    """No parent folder may let others rename ours (the sticky bit prevents that)."""
    for folder in (Path(os.path.realpath(path)), *Path(os.path.realpath(path)).parents):
        try:
            status = os.stat(folder)
        except FileNotFoundError:
            continue
        writable_by_others = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.geteuid()) or writable_by_others:
            raise FleetMfaError(
                f"state_dir: users other than root can replace the content of {folder}; choose another folder"
            )


def locked(path: str, wait: float) -> int:
    """The descriptor of a file that this process has locked; waits `wait` seconds at most."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FleetMfaError(f"cannot open {path}: {error.strerror}") from error
    if lock_within(descriptor, wait):
        return descriptor
    os.close(descriptor)
    raise FleetMfaError(
        f"{path} has been locked by another run for more than {wait:.0f} s; check which process holds the lock"
    )
