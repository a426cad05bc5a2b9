# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module totp_key does on a host: keys of any number of users, and who of them is enforced. Private to the collection."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import (
    KEPT,
    STATES,
    CallSettings,
    KeyEntry,
    KeyWish,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.owners import leavers
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.plan import apply, denied_users, plan
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_change import has_changes, steps_of, words_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_plan import SecondPlan, plan_seconds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.selection import refuse_unknown_groups, selected_users
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_choice
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import ConfirmedOptions, Joining
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import FACTORS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import ManagingConnection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import remembered_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import human_accounts, known_as, misspelled

# Of module totp_key, without those of the host and those about the confirmation.
KEYS_ARGUMENTS = {
    "keys": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "no_log": False,
        "options": {
            "user": {"type": "str", "required": True},
            "device": {"type": "str"},
            "state": {"type": "str", "default": "present"},
            "secret": {"type": "str", "no_log": True},
            "issuer": {"type": "str"},
            "account": {"type": "str"},
            "recovery_codes": {"type": "list", "elements": "str", "no_log": True},
        },
    },
    "users": {"type": "list", "elements": "str", "default": []},
    "unknown_users": {"type": "str", "default": "error"},
    "factors": {"type": "str"},
    "human_accounts": {"type": "bool", "default": False},
    "other_members": {"type": "str", "default": "error"},
    "issuer": {"type": "str"},
    "digits": {"type": "int", "default": RANGES["digits"].default},
    "period": {"type": "int"},
    "window": {"type": "int"},
    "rate_limit_attempts": {"type": "int"},
    "rate_limit_seconds": {"type": "int"},
    "recovery_code_count": {"type": "int", "default": RANGES["recovery_codes"].default, "no_log": False},
}


class KeysOptions(ConfirmedOptions):
    """The options above, as Ansible passes them, with those about the confirmation settled."""

    keys: list[KeyWish]
    users: list[str]
    unknown_users: str
    factors: str | None
    human_accounts: bool
    other_members: str


def check_choices(options: Mapping[str, Any]) -> None:
    check_choice("unknown_users", options["unknown_users"], ("error", "skip"))
    check_choice("other_members", options["other_members"], ("error", "report"))
    if options["factors"] is not None:
        check_choice("factors", options["factors"], FACTORS)
    for number, wish in enumerate(options["keys"], 1):
        check_choice(f"keys, entry {number}: state", wish["state"], STATES)


class Provisioning:
    """One call. `hide` is told each secret before anything can fail; `also_judged` are users who are enforced if they have a validated key,
    whatever the options name."""

    def __init__(
        self,
        host: MfaHost,
        options: KeysOptions,
        connection: ManagingConnection,
        warn: Callable[[str], None],
        hide: Callable[[Iterable[str]], None],
        also_judged: Iterable[str] = (),
    ):
        self._host, self._options, self._warn, self._hide = host, options, warn, hide
        self._also_judged = also_judged
        with remembered_accounts():
            entries = self._wanted_entries()
            skips = options["unknown_users"] == "skip"
            self._unknown = [entry for entry in entries if skips and entry.lacks_account]
        unknown = set(map(id, self._unknown))
        known = [entry for entry in entries if id(entry) not in unknown]
        self._entries = [one for one in known if not one.device]
        self._of_devices = [one for one in known if one.device]
        self._joining = Joining(host, options, connection, warn)

    def _plan(self) -> None:
        """What is wanted, judged with the accounts and keys of this moment. Changes nothing."""
        self._plans = plan(self._entries, self._host, refuse_others=self._options["other_members"] == "error")
        self._seconds: list[SecondPlan] = plan_seconds(self._of_devices, self._host, self._plans)
        self._refuse()

    def run(self, check_mode: bool) -> dict[str, Any]:
        """The result of the module."""
        host, joining = self._host, self._joining
        with remembered_accounts():
            self._plan()
            named = {entry.user for entry in self._entries}
            gone = [one for one in leavers(host.state_dir) if one.name not in named]
        prepares = bool(gone) or not host.group.exists or not host.state_dir.is_prepared
        changed = joining.has_to_wait or prepares or has_changes(self._plans, self._seconds)
        if changed and not check_mode:
            with joining.turn(), host.state_dir.lock():
                with remembered_accounts():
                    self._plan()  # once more, now that nobody else changes keys
                apply(self._plans, host, joining.join, gone, steps_of(self._seconds))
            changed = joining.took_back or prepares or has_changes(self._plans, self._seconds)
        with remembered_accounts():
            denied = denied_users(self._plans, host)
            users = [*(one.result() for one in self._plans), *(one.result() for one in self._seconds)]
            words = self._words()
        for user, why in denied.items():
            self._warn(f"user {user}: every login is denied, because the validated key is not usable: {why}")
        return {
            "changed": changed,
            "users": users,
            "put_away": sorted({one.name for one in gone} | {one.user for one in self._plans if one.strangers}),
            "unknown_users": [entry.user for entry in self._unknown],
            "denied_users": list(denied),
            "diff": {"prepared": words + "".join(f"{one}\n" for one in gone)},
            **joining.result,
        }

    def _refuse(self) -> None:
        enforced = [one.user for one in self._plans if one.enforced]
        self._joining.refuse(enforced)
        self._joining.refuse_shut_out(enforced, self._options["factors"])

    def _words(self) -> str:
        words = [(one.user, one.differences(self._host.group.name)) for one in self._plans if one.changed]
        return "".join(f"{user}: {', '.join(changes)}\n" for user, changes in words + words_of(self._seconds))

    def _wanted_entries(self) -> list[KeyEntry]:
        options, host = self._options, self._host
        call = CallSettings.from_params(options)
        wishes: list[KeyWish] = [
            {**wish, "place": f"keys, entry {number}, "} for number, wish in enumerate(options["keys"], 1)
        ]
        named = {known_as(wish["user"]) for wish in wishes if not wish.get("device")}
        if options["unknown_users"] != "skip":
            refuse_unknown_groups(options["users"], "unknown_users")
        users = [one for one in selected_users(options["users"]) if known_as(one.name) not in named]
        by_name = [one for one in users if not one.by_group]
        wishes += [{"user": one.name, "place": f"{one.place}, "} for one in by_name]
        named.update(known_as(one.name) for one in by_name)
        members = {one.name for one in users if one.by_group and one.name not in host.exempt}
        if options["human_accounts"]:
            members.update(user for user in human_accounts() if user not in host.exempt)
        wishes += [{"user": user} for user in sorted(members - named)]
        named |= members
        kept = {user for user in host.group.members if host.spares(user, True)}.union(self._also_judged)
        kept.update(misspelled(host.state_dir.users()).values(), host.group.misspelled().values())
        wishes += [{"user": user, "state": KEPT} for user in sorted(set(map(known_as, kept)) - named)]
        now = time.time()
        return [KeyEntry(wish, call, now, self._hide) for wish in wishes]
