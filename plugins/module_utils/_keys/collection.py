# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the key store has to know of a host: validated keys, and what was spent of them. Private to the collection.

Pending keys stay where they are: nobody has proven to have one.
"""

from __future__ import annotations

from typing import Iterable, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.selection import selected_users
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_name, human_accounts


class CollectedKey(TypedDict):
    """One validated key, with its secret. Steps and times are seconds divided by the period, and seconds."""

    user: str
    device: str | None  # the name of a second device
    secret: str
    period: int
    issuer: str
    account: str
    generation: int
    since: int
    codes: list[str]
    spent: list[str]
    used: list[int]
    drift: int | None
    store: str | None


def selected_accounts(users: Iterable[str], people: bool, host: MfaHost) -> list[str]:
    """The accounts of this host that `users` means (names and %groups) and, with `people`, the human ones; no exempt one.

    A name without an account here is left out: the lists are meant for a whole fleet.
    """
    names = {name for one in selected_users(users) for name in _accounts(one.name)}
    if people:
        names.update(human_accounts())
    return sorted(name for name in names if name not in host.exempt)


def _accounts(user: str) -> Iterable[str]:
    check_user_name(user)
    return filter(None, [account_name(user)])


def collected_keys(accounts: Iterable[str], host: MfaHost) -> tuple[list[CollectedKey], dict[str, str]]:
    """The keys, and the users whose key cannot be used, with the reason."""
    found, unusable = [], {}
    for user in accounts:
        try:
            key = host.state_dir.validated(user)
            if key is None or is_locked(key):
                continue
            why = host.state_dir.why_denied(user)
            if why is None:
                found.append(collected(user, key))
        except FleetMfaError as error:
            why = str(error)
        if why:
            unusable[user] = why
    return found, unusable


def collected(user: str, key: KeyFile, device: str | None = None) -> CollectedKey:
    left, store, drift = key.code_ids(key.recovery_codes), key.meta.get("store"), key.meta.get("drift_seconds")
    return {
        "user": user,
        "device": device,
        "secret": key.secret_text,
        "period": key.period,
        "issuer": key.issuer,
        "account": key.account,
        "generation": key.generation,
        "since": key.since or 0,
        "codes": key.recovery_codes,
        "spent": sorted((key.given_codes or set()) - left),
        "used": key.login_steps,
        "drift": drift if isinstance(drift, int) else None,
        "store": store if isinstance(store, str) else None,
    }


def is_locked(key: KeyFile) -> bool:
    """Whether nobody has this key: it only denies a user whose keys were revoked."""
    return bool(key.meta.get("locked"))
