# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes people's records in the key store; see the documentation in plugins/modules/key_store_change.py."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from typing import Any, Callable

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import generate_recovery_codes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import (
    DEFAULT_ISSUER,
    RANGES,
    check_choice,
    check_range,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import check_label, generate_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import masked, shown
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._action_arguments import read_arguments
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._handing_out import Channel, CodeOut, HandedOut, KeyOut
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._second_device import check_any_device
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store import lifecycle
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.device_lifecycle import (
    revoked_device,
    waiting_key,
    with_new_device_key,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.of_action import refuse_misplaced, store_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, PersonKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store

CHANGES = ("revoke", "new_key", "help_desk_code", "show", "unlock")
ACCESS = ("denied", "not_asked")
_OF_DEVICES = ("revoke", "new_key")
_HANDS_OUT = ("new_key", "help_desk_code", "show")
_LONGEST_REASON = 500

ARGUMENTS = {
    "users": {"type": "list", "elements": "str", "required": True},
    "change": {"type": "str", "required": True},
    "reason": {"type": "str", "required": True},
    "device": {"type": "str"},
    "access": {"type": "str", "default": "denied"},
    "enrollment_days": {"type": "int", "default": RANGES["enrollment_days"].default},
    "again": {"type": "bool", "default": False},
    "help_desk_code_hours": {"type": "int", "default": RANGES["help_desk_code_hours"].default},
    "may_show": {"type": "bool", "default": False},
    "issuer": {"type": "str", "default": DEFAULT_ISSUER},
    "period": {"type": "int", "default": RANGES["period"].default},
    "recovery_code_count": {"type": "int", "default": RANGES["recovery_codes"].default},
    "dest": {"type": "path"},
    "contact": {"type": "str", "default": "your administrator"},
}


class ActionModule(ActionBase):
    """Runs only on the controller, regardless of the host."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            refuse_misplaced(self._task.args)
            given = self._arguments()
            channel = Channel(given["dest"]) if given["change"] in _HANDS_OUT and not self._task.check_mode else None
            decision = Decision(given, store_of(self, task_vars or {}))
            for user in decision.unknown:
                self._display.warning(f"{user} has no record in the key store; check the name")
            changed = decision.predicted() if self._task.check_mode else decision.carry_out()
            result["handed_out"] = channel.hand_out(decision.secret()) if channel else ""
        except FleetMfaError as error:
            told = masked(str(error), self._task.args)
            raise AnsibleActionFail(told, result={"changed": error.changed}) from None
        diff = "".join(f"{user}: {what}\n" for user, what in sorted(changed.items()))
        result.update(users=decision.users, people=sorted(changed), diff={"prepared": diff})
        return {**result, "changed": bool(changed)}

    def _arguments(self) -> dict[str, Any]:
        given = read_arguments(self, ARGUMENTS)
        check_choice("change", given["change"], CHANGES)
        check_choice("access", given["access"], ACCESS)
        for option in ("enrollment_days", "help_desk_code_hours", "period"):
            check_range(option, given[option])
        check_range("recovery_codes", given["recovery_code_count"], "recovery_code_count")
        check_label(given["issuer"], "issuer")
        given["reason"] = _reason(given["reason"])
        _check_users(given["users"], given["change"])
        if given["device"] is not None:
            _check_device(given)
        return given


def _check_device(given: dict[str, Any]) -> None:
    if given["change"] not in _OF_DEVICES:
        raise FleetMfaError(f"device: is for {' and '.join(_OF_DEVICES)} only; leave it out")
    if len(given["users"]) != 1:
        raise FleetMfaError("users: name one person only with device, whose device it is")
    check_any_device(given["device"])


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise FleetMfaError("reason (mfa_reason): is empty; say why, in a few words: it is written into the history")
    if not text.isprintable() or len(text) > _LONGEST_REASON:
        raise FleetMfaError(f"reason (mfa_reason): must be one line of at most {_LONGEST_REASON} printable characters")
    return text


def _check_users(users: list[str], change: str) -> None:
    if not users:
        raise FleetMfaError("users: is empty; name at least one person")
    if change in _HANDS_OUT and len(users) != 1:
        raise FleetMfaError(f"users: {change} is for one person at a time, since somebody is given a secret")
    for user in users:
        check_user_name(user)


class Decision:
    """What an operator wants for some people, in a store."""

    def __init__(self, given: dict[str, Any], store: Store):
        self._given, self._store = given, store
        self._users: list[str] = list(dict.fromkeys(given["users"]))
        self._by = lifecycle.By(int(time.time()), controller_name(), given["reason"])
        self.users = list(self._users)
        self._before = store.read(self._users)
        self._change = self._function()
        self.unknown = [user for user in self._users if user not in self._before]
        self._refuse_impossible()
        if given["change"] == "unlock":
            self._users = [user for user in self._users if user in self._before]

    def _refuse_impossible(self) -> None:
        change = self._given["change"]
        if change not in _HANDS_OUT and not self._given["device"]:
            return
        if self.unknown:
            raise FleetMfaError(
                f"{shown(self.unknown[0])} has no record in the key store, so nothing was changed; check the name, or run sync "
                "first"
            )
        if self._given["device"]:
            self._change(self._before[self._users[0]])  # says why that is impossible
            return
        validated = self._before[self._users[0]].current.validated
        if change == "help_desk_code" and validated is None:
            raise FleetMfaError(
                f"{self._users[0]} has no validated key that a help-desk code could stand in for; give a new key (new_key)"
            )
        if change == "show" and not self._given["may_show"]:
            raise FleetMfaError(
                "may_show (mfa_recover_show) is false: the policy of this fleet does not allow to show a validated key again; "
                "give a new key (new_key)"
            )
        if change == "show" and validated is None:
            raise FleetMfaError(f"{self._users[0]} has no validated key to show; give a new key (new_key)")

    def predicted(self) -> dict[str, str]:
        """The people whose record would change, and how."""
        after = {user: self._change(self._before.get(user) or Person(user)) for user in self._users}
        return {
            user: _news(self._before.get(user), one) for user, one in after.items() if one != self._before.get(user)
        }

    def carry_out(self) -> dict[str, str]:
        changed = self._store.change(self._users, self._change)
        after = self._store.read(changed)
        return {user: _news(self._before.get(user), after[user]) for user in changed}

    def secret(self) -> HandedOut:
        """What is handed out: as the store has it, which may be the work of an earlier run."""
        user, change = self._users[0], self._given["change"]
        person = self._store.read([user])[user]
        if change == "help_desk_code":
            code = lifecycle.help_desk_code(person, time.time())
            if code:
                return CodeOut(user, *code)
        else:
            device = self._given["device"]
            key = person.given_in_place if change == "new_key" else person.current.validated
            key = waiting_key(person, device) if device else key
            if key:
                return KeyOut(user, key, self._given["contact"], device)
        raise PartlyDoneError(f"{user}: another run has changed the record in the meantime; run again")

    def _function(self) -> Callable[[Person], Person]:
        """The change; what is random or depends on the time is made once, here."""
        given, by = self._given, self._by
        code = generate_recovery_codes(1)[0]
        until = by.when + given["help_desk_code_hours"] * 3600
        key, device = _new_key(given), given["device"]
        if device and given["change"] == "revoke":
            return lambda person: revoked_device(person, device, by)
        if device:
            return lambda person: with_new_device_key(person, device, _labelled(key, person), given["again"], by)
        released = _midnight_in(given["enrollment_days"]) if given["access"] == "not_asked" else 0
        changes: dict[str, Callable[[Person], Person]] = {
            "revoke": lambda person: lifecycle.revoked(person, by),
            "new_key": lambda person: lifecycle.with_new_key(
                person, _labelled(key, person), released, given["again"], by
            ),
            "help_desk_code": lambda person: lifecycle.with_help_desk_code(person, code, until, by),
            "show": lambda person: lifecycle.noted(person, "key shown to the operator", by),
            "unlock": lambda person: lifecycle.noted(person, "unlocked", by),
        }
        return changes[given["change"]]


def _new_key(given: dict[str, Any]) -> PersonKey:
    codes = frozenset(generate_recovery_codes(given["recovery_code_count"]))
    return PersonKey(generate_secret(), given["period"], given["issuer"], codes=codes)


def _labelled(key: PersonKey, person: Person) -> PersonKey:
    """Called in the app as the person's newest key was."""
    old = max(person.keys.values(), key=lambda one: (one.generation, one.id), default=key)
    return replace(key, issuer=old.issuer or key.issuer, account=old.account or person.user)


def _midnight_in(days: int) -> int:
    day = datetime.date.today() + datetime.timedelta(days=days)
    return int(datetime.datetime.combine(day, datetime.time()).timestamp())


def _news(before: Person | None, after: Person) -> str:
    """What is new in the history, which has no secrets."""
    new = after.history - (before.history if before else frozenset())
    return ", ".join(event.what for event in sorted(new))
