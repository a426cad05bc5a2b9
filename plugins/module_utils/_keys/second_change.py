# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The second key of one user before and after, whoever wants it so, and how it gets there. Private."""

from __future__ import annotations

from typing import Iterable, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.plan import UserPlan, key_differences
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step


class SecondChange:
    """`device` is a name for messages. A subclass sets `after`."""

    after: Keys

    def __init__(self, user: str, device: str, host: MfaHost):
        self.user = user
        self.device = device
        self._keys = SecondKeys(host.state_dir)
        self.before = Keys(self._keys.pending(user), self._keys.validated(user))

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def apply(self) -> None:
        self._keys.prepare()
        self._keys.put_strangers_away(self.user)
        if self.after.validated:
            self._keys.converge_validated(self.user, self._wanted_validated)
        if self.after.pending:
            self._keys.save_pending(self.user, self.after.pending)
        if not self.after.validated:
            self._keys.remove_validated(self.user)
        if not self.after.pending:
            self._keys.remove_pending(self.user)

    def _wanted_validated(self, current: KeyFile | None) -> KeyFile | None:
        """`after.validated`, given what is there now: a login may have changed it."""
        raise NotImplementedError

    @property
    def words(self) -> list[str]:
        """Each change in words, without secrets."""
        names = (f"pending key of {self.device}", f"validated key of {self.device}")
        return [word for name, *two in zip(names, self.before, self.after) for word in key_differences(name, *two)]


def has_changes(firsts: Iterable[UserPlan], seconds: Iterable[SecondChange]) -> bool:
    return any(one.changed for one in firsts) or any(one.changed for one in seconds)


def steps_of(seconds: Iterable[SecondChange]) -> list[Step]:
    return [Step(f"the key of {one.user}'s {one.device}", one.apply) for one in seconds if one.changed]


def words_of(seconds: Sequence[SecondChange]) -> list[tuple[str, list[str]]]:
    """By user."""
    return [(one.user, one.words) for one in seconds if one.changed]
