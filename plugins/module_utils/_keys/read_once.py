# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The state directory for a call that only reads, and asks about each key several times. Private to the collection."""

from __future__ import annotations

from typing import Union

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir

_Seen = Union[KeyFile, FleetMfaError, None]


class ReadOnceStateDir(StateDir):
    """Each key file as it was when it was first read."""

    def __init__(self, path: str):
        super().__init__(path)
        self._seen: dict[tuple[str, str], _Seen] = {}

    def _parse(self, folder: str, user: str) -> KeyFile | None:
        if (folder, user) not in self._seen:
            try:
                self._seen[folder, user] = super()._parse(folder, user)
            except FleetMfaError as error:
                self._seen[folder, user] = error
        found = self._seen[folder, user]
        if isinstance(found, FleetMfaError):
            raise found
        return found
