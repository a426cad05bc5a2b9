# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds the PAM services that have token lines of role mfa, in use or not. Private to the collection."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR

# A line of each block of the role: in a service that sshd uses (mfa__pam_mark there), and in another door (mfa__door_mark).
MARK = b"# For sshd, by role fleetmfa.ssh.mfa."
DOOR_MARK = b"# After the password, by role fleetmfa.ssh.mfa."


def own_services(folder: str = DEFAULT_CONFDIR) -> list[str]:
    """Their names, sorted; what cannot be read has none. Not symbolic links, since nothing is written through one."""
    try:
        return sorted(path.name for path in Path(folder).iterdir() if _is_marked(path))
    except OSError:
        return []


def _is_marked(path: Path) -> bool:
    try:
        return (
            path.is_file()
            and not path.is_symlink()
            and not {MARK, DOOR_MARK}.isdisjoint(path.read_bytes().splitlines())
        )
    except OSError:
        return False
