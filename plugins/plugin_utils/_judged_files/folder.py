# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A folder that is laid out like /etc: which of its files are in the place of a host's. Private to the collection."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import ConfigFiles

_ETC = "/etc"


class EtcFolder:
    """`path` stays as the operator gave it, so that messages name the files as the repository does.

    Nothing outside the folder is read: what is not in it is not what the hosts will have.
    """

    def __init__(self, given: str):
        self.path = os.path.normpath(os.path.expanduser(given))
        self._real = os.path.realpath(self.path)
        if not os.path.isdir(self.path):
            raise FleetMfaError(
                f"folder: {self.path} is no folder; give the one that is laid out like /etc, with ssh/sshd_config and pam.d/"
            )
        if self._real == _ETC:
            raise FleetMfaError("folder: /etc is this machine's own; module sshd_policy_info judges a host")

    def inside(self, name: str) -> str:
        return os.path.join(self.path, name)

    def sshd_config(self) -> str:
        """The path of the main file, without which there is nothing to judge."""
        main = self.inside("ssh/sshd_config")
        if self.read(main) is None:
            raise FleetMfaError(
                f"folder: {main} does not exist, so there is nothing to judge; the folder is laid out like /etc, with "
                "ssh/sshd_config and pam.d/"
            )
        return main

    def in_place_of(self, path: str) -> str | None:
        """The path here of what is at `path` on a host; None for a path outside /etc."""
        path = os.path.normpath(path)
        return self.inside(path[len(_ETC) + 1 :]) if path.startswith(f"{_ETC}/") else None

    def on_host(self, path: str) -> str:
        """The path on a host of what is at `path` here."""
        return os.path.join(_ETC, os.path.relpath(path, self.path))

    def read(self, path: str) -> bytes | None:
        """None if there is no such file."""
        self._refuse_link_out(path)
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise FleetMfaError(f"{path} is not a regular file; replace it with one")
            return Path(path).read_bytes()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise self._unreadable(path, error) from error
            if os.path.islink(path):
                raise FleetMfaError(f"{path} is a symbolic link to nothing; replace it with the file") from error
            return None

    def has_folder(self, path: str) -> bool:
        """Whether there is such a folder; an error if its names cannot be read."""
        self._refuse_link_out(path)
        try:
            os.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._unreadable(path, error) from error
        return True

    def _unreadable(self, path: str, error: OSError) -> FleetMfaError:
        return FleetMfaError(
            f"cannot read {path}: {error.strerror}; the account that runs this must be able to read all of {self.path}"
        )

    def _refuse_link_out(self, path: str) -> None:
        real = os.path.realpath(path)
        if os.path.commonpath([real, self._real]) != self._real:
            raise FleetMfaError(
                f"{path} leads to {real}, outside {self.path}, which is another file on a host; replace the symbolic link with the "
                "file (cp -L)"
            )


class FolderFiles(ConfigFiles):
    """The files of an EtcFolder, as the sshd of a host would open them."""

    def __init__(self, folder: EtcFolder):
        self._folder = folder

    def read(self, path: str) -> bytes:
        content = self._folder.read(path)
        if content is None:
            raise FleetMfaError(f"{path} does not exist; copy it from a host of the fleet")
        return content

    def place(self, pattern: str) -> str:
        found = self._folder.in_place_of(pattern)
        if found is None:
            raise FleetMfaError(f"includes {pattern}, which cannot be in the folder; move it below /etc/ssh")
        return found

    def on_host(self, path: str) -> str:
        return self._folder.on_host(path)

    def matching(self, pattern: str, planned: set[str]) -> set[str]:
        """An Include that finds nothing is nothing to sshd, so here it is an error, unless the folder says that there is nothing."""
        place = self.place(pattern)
        parent, name = os.path.split(place)
        is_there = self._folder.has_folder(parent)
        found = super().matching(place, planned)
        if not found and not set(name) & set("*?["):
            raise FleetMfaError(f"includes {pattern}, and {place} does not exist; copy it from a host of the fleet")
        if not found and not is_there:
            raise FleetMfaError(
                f"includes {pattern}, and {parent} does not exist; copy it from a host of the fleet, or make it with an empty file "
                ".gitkeep if hosts have nothing in it"
            )
        return found
