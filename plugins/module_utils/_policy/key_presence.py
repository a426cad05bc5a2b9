# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether an account has the key file that a token line reads, which decides what `nullok` means for it. Private.

Only checks whether a file exists; its content is never read.
"""

from __future__ import annotations

from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import Line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.host_tokens import file_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import account_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.local_files import LocalFiles


class AssumedKeys:
    """Members of the enforced group have a key, as they are meant to; of others it is not known."""

    def __init__(self, group: str):
        self._group = group

    def of(self, account: Account, lines: Iterable[Line]) -> bool | None:
        return True if self._group in account.groups else None


class KeyFiles:
    """The key files of this machine. None if a line reads no file of a user's own, or the file cannot be checked."""

    def __init__(self) -> None:
        self._files = LocalFiles()

    def of(self, account: Account, lines: Iterable[Line]) -> bool | None:
        found = {self._has_file(account, line) for line in lines}
        return found.pop() if len(found) == 1 else None

    def _has_file(self, account: Account, line: Line) -> bool | None:
        path = file_of(line, account.name, "") or file_of(line, account.name, _home(account.name))
        return None if path is None else self._files.exists(path)


def _home(user: str) -> str:
    account = account_of(user)
    return account.pw_dir if account else ""
