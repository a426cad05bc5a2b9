# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The PAM services in a folder that is laid out like /etc. Private to the collection."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import urllib.parse
from pathlib import Path
from typing import Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.access import ACCESS_CONF
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import FALLBACK_SERVICE, Line, PamConfig, Stack
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import texts_after
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder

# The options whose files decide what a line returns.
_LISTS = {"pam_listfile.so": "file=", "pam_access.so": "accessfile="}


class FolderPam(PamConfig):
    """Reads the folder's pam.d only, and the lists of users that its lines name. Use it as a context manager.

    `planned` has contents that replace those of files, by path (None: the file does not exist).
    """

    def __init__(self, folder: EtcFolder, planned: Mapping[str, bytes | None] | None = None):
        super().__init__(folder.inside("pam.d"), texts_after(planned or {}))
        self._folder = folder
        self.whole_paths: set[str] = set()  # what was included by a whole path
        self._stacks: dict[tuple[str, str], Stack] = {}

    def __enter__(self) -> FolderPam:
        self._lists = tempfile.TemporaryDirectory(prefix="fleetmfa-lists-")
        return self

    def __exit__(self, *_error: object) -> None:
        self._lists.cleanup()

    def find_file(self, name: str) -> tuple[str, str] | None:
        if name.startswith("/"):
            self.whole_paths.add(name)
        path = self._folder.in_place_of(name) if name.startswith("/") else os.path.join(self.confdir, name)
        if path in self._overlay:
            text = self._overlay[path]
            return None if text is None else (path, text)
        content = None if path is None else self._folder.read(path)
        return None if path is None or content is None else (path, content.decode("utf-8", "surrogateescape"))

    def stack(self, service: str, kind: str) -> Stack:
        if (service, kind) not in self._stacks:
            found = super().stack(service, kind)
            lines = tuple(map(self._with_list_of_folder, found.lines))
            self._stacks[service, kind] = found._replace(lines=lines)
        return self._stacks[service, kind]

    def require(self, service: str) -> None:
        """Raises FleetMfaError if something is missing without which nothing can be said of the service."""
        if self.find_file(service) is None:
            raise FleetMfaError(
                f"{self.confdir}/{service} does not exist, and sshd uses this PAM service; {self._remedy}"
            )
        for kind in ("auth", "account"):
            stack = self.stack(service, kind)
            if stack.problem:
                raise FleetMfaError(f"{stack.problem}; {self._remedy}")
            for line in stack.lines:
                if line.problem.startswith("cannot include"):
                    raise FleetMfaError(f"{line.place}: {line.problem}; {self._remedy}")
            if not stack.lines and self.find_file(FALLBACK_SERVICE) is None:
                raise FleetMfaError(
                    f"{self.confdir}/{service} has no {kind} lines, and {self.confdir}/{FALLBACK_SERVICE}, whose lines count then, does "
                    f"not exist; {self._remedy}"
                )

    @property
    def _remedy(self) -> str:
        return f"copy it into {self.confdir} from a host of the fleet"

    def _with_list_of_folder(self, line: Line) -> Line:
        option = _LISTS.get(line.module_name)
        if option is None:
            return line
        arguments = (self._here(line, option, word) if word.startswith(option) else word for word in line.arguments)
        return dataclasses.replace(line, arguments=tuple(arguments))

    def _here(self, line: Line, option: str, word: str) -> str:
        """The option with the folder's list in the place of the host's, in a copy that nobody else may write to, as on a host: CI
        checks files out with any mode."""
        path = word[len(option) :]
        if (line.module_name, path) == ("pam_access.so", ACCESS_CONF):
            return word  # it is one of several files, so any rule is possible
        place = self._folder.in_place_of(path)
        if place is None:
            raise FleetMfaError(
                f"{line.place}: {line.module_name} reads {path}, which cannot be in the folder; move it below /etc"
            )
        content = self._folder.read(place)
        if content is None:
            raise FleetMfaError(
                f"{line.place}: {line.module_name} reads {path}, and {place} does not exist; copy it from a host of the fleet"
            )
        copy = Path(self._lists.name, urllib.parse.quote(path, safe=""))
        copy.write_bytes(content)
        copy.chmod(0o644)
        return f"{option}{copy}"
