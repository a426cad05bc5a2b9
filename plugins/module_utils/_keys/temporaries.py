# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Temporary files beside key files, ours and the PAM module's. Private to the collection."""

from __future__ import annotations

import os
import re
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.private_folder import unlink

# A temporary file of ours, and one of the PAM module: NAME~XXXXXX.
_OUR_TEMPORARY = re.compile(r"\..+\.fleetmfa")
_PAM_TEMPORARY = re.compile(r".+~.{6}", re.DOTALL)
_LEFT_BEHIND_AFTER = 60  # seconds; the PAM module's temporary file exists for milliseconds


def is_of_pam_module(name: str) -> bool:
    return _PAM_TEMPORARY.fullmatch(name) is not None


def clear_left_behind(folder: str) -> None:
    """Temporary files contain secrets: ours are from a killed run (we hold the lock), the PAM module's only if old."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if _OUR_TEMPORARY.fullmatch(name) or (is_of_pam_module(name) and _is_old(path)):
            unlink(path)


def _is_old(path: str) -> bool:
    try:
        return os.lstat(path).st_mtime < time.time() - _LEFT_BEHIND_AFTER
    except FileNotFoundError:
        return False
