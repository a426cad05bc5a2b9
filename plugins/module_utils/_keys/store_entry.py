# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the key store wants for one user's keys on this host, in the place of an operator's entry. Private.

A host must be able to deny a leaver who was never enforced here, and must not lose members of the enforced group to a
missing file. So a revoked user gets a validated key that nobody has ("locked"), and is enforced like everybody else.
Only an operator's word (`not_asked`) releases a user whose keys were revoked, and only while the new key is pending.
"""

from __future__ import annotations

from typing import Callable, Iterable, Iterator, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.collection import is_locked
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import CallSettings, KeyEntry, Keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import key_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import OPERATOR, from_store
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_range
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import check_label, decode_secret, generate_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import local_uid


class StoredKey(TypedDict):
    """A key as the action of module totp_key_distribute passes it."""

    secret: str
    period: int
    issuer: str
    account: str
    generation: int
    since: int
    host: str  # on which it was validated
    deadline: str | None  # the first day after its own enrollment period, YYYY-MM-DD
    recovery_codes: list[str]
    spent_codes: list[str]
    expiring: dict[str, int]  # id of a help-desk code -> when it ends, in seconds since the epoch
    burnt_steps: list[int]
    device: str | None  # the name of a second device; of a first key, the one that it was the key of before


class StoredSecond(TypedDict):
    """The second device that counts."""

    device: str
    validated: StoredKey | None
    pending: StoredKey | None


class StoredPerson(TypedDict):
    """`known` are the ids of all keys of the person, except those of second devices that are alive, which are `second_known`: a host
    may have made one of these the first key since. `validated` or `pending` is None if there is no such key.

    `denied`: until the pending key is validated; forever if there is none. `not_asked`: released until then.
    """

    user: str
    revoked_through: int
    denied: bool
    not_asked: bool
    rotate: bool  # make a new pending key here, in whose favour the validated one will be given up
    known: list[str]
    validated: StoredKey | None
    pending: StoredKey | None
    second: StoredSecond | None
    second_known: list[str]
    revoked_devices: dict[str, int]  # second devices whose keys are dead up to a generation, by name


class StoreEntry(KeyEntry):
    """`store` is the id of the key store, which a key file records."""

    def __init__(
        self, person: StoredPerson, store: str, call: CallSettings, now: float, hide: Callable[[Iterable[str]], None]
    ):
        super().__init__({"user": person["user"]}, call, now, hide)
        self.person = person
        self._store = store
        self._made: dict[str, KeyFile] = {}
        for key in self._stored_keys:
            hide([key["secret"], *key["recovery_codes"]])
        self.uncollected = False  # whether a key of this host stays because the store does not know it yet

    @property
    def denied(self) -> bool:
        return self.person["denied"]

    @property
    def is_known_new_key(self) -> bool:
        return True

    @property
    def _stored_keys(self) -> Iterator[StoredKey]:
        second = self.person["second"]
        of_second = (second["validated"], second["pending"]) if second else ()
        return filter(None, (self.person["validated"], self.person["pending"], *of_second))

    def check(self) -> None:
        for key in self._stored_keys:
            decode_secret(key["secret"])
            check_range("period", key["period"])
            for label in filter(None, (key["issuer"], key["account"])):
                check_label(label, "issuer or account")

    def wanted(self, now: Keys) -> Keys:
        """Applying it to its own result changes nothing."""
        self.uncollected = self.released = False
        validated = self._validated_now(now)
        return Keys(self._pending_now(now, validated), validated)

    def _validated_now(self, now: Keys) -> KeyFile | None:
        here, stored = now.validated, self.person["validated"]
        if here is not None and _is_one(here, self.person["pending"]):
            self.uncollected = True  # validated here since
            return here
        if self.denied:
            return self._locked(here)
        if stored is None:
            if here is not None and not self._is_revoked(here) and not is_locked(here):
                return here
            self.released = self.person["not_asked"]
            return None if here is None or self.released else self._locked(here)
        if here is not None and not is_stored(here, stored) and self._stays(here, stored):
            self.uncollected = True
            return here
        key = self.as_stored(next((key for key in now[::-1] if key and is_stored(key, stored)), None), stored, True)
        return key.with_meta(displaced=stored["host"]) if here and self._loses(here, stored) else key

    def _loses(self, here: KeyFile, stored: StoredKey) -> bool:
        """Whether the user has validated this key here, but another one earlier on another host: the user is told."""
        alive = not is_locked(here) and not self._is_revoked(here)
        return alive and not is_stored(here, stored) and here.generation == stored["generation"]

    def _stays(self, here: KeyFile, stored: StoredKey) -> bool:
        """A key that was validated here after the store was told of this host's keys."""
        older = here.generation < stored["generation"] or self._is_revoked(here)
        return not (self.knows(here) or older or is_locked(here))

    def _pending_now(self, now: Keys, validated: KeyFile | None) -> KeyFile | None:
        here, stored = now.pending, self.person["pending"]
        if stored is not None and validated is not None and is_stored(validated, stored):
            return None
        if self.denied or self.released:  # a key that this host made is not the one that the operator gave
            return self.as_stored(here if here and is_stored(here, stored) else None, stored, False) if stored else None
        newest = max(stored["generation"] if stored else 0, validated.generation if validated else 0)
        if here is not None and here.generation > newest and not self._is_revoked(here):
            return here
        if stored is not None:
            return self.as_stored(here if here and is_stored(here, stored) else None, stored, False)
        if self.person["rotate"] and validated is not None and not self.uncollected:
            return self._new_key(Keys(validated=validated)).owned_by(local_uid(self.user))
        return None if here is None or validated is not None or self._is_revoked(here) else here

    def _is_revoked(self, key: KeyFile) -> bool:
        return key.generation <= self.person["revoked_through"]

    def knows(self, key: KeyFile) -> bool:
        """Whether the key store has decided about this key. One that cannot be used counts as known."""
        return key.secret is None or key_id(key.secret, key.period) in self.person["known"]

    def knows_as_second(self, key: KeyFile) -> bool:
        return key.secret is not None and key_id(key.secret, key.period) in self.person["second_known"]

    def _locked(self, here: KeyFile | None) -> KeyFile:
        if here is not None and is_locked(here):
            return here
        generation = max(1, self.person["revoked_through"])
        key = self._file("locked", here, generate_secret(), [], self._call.period)
        return key.with_meta(locked=True, generation=generation, store=self._store, was_validated=True, **from_store())

    def as_stored(self, here: KeyFile | None, stored: StoredKey, validated: bool) -> KeyFile:
        """The key as this host has it, or a new file; run-time state is only added to."""
        key = here or self._file(stored["secret"], None, stored["secret"], stored["recovery_codes"], stored["period"])
        issuer = (here and here.issuer) or stored["issuer"] or key.issuer
        account = (here and here.account) or stored["account"] or key.account
        key = key.merged(self._call.over(key.settings), issuer, account).owned_by(local_uid(self.user))
        key = _with_codes(key, stored)
        steps = [step for step in stored["burnt_steps"] if step >= key.accepted_steps(self._now).start]
        key = key.with_expiring(stored["expiring"])
        missing = set(steps) - set(key.used_steps)
        if missing:
            key = key.with_burnt(missing)
        since = stored["since"] if here is None else key.since
        proven = True if validated or key.was_validated else None
        key = key.with_meta(
            generation=stored["generation"],
            store=self._store,
            since=since,
            was_validated=proven,
            deadline=None if validated else stored["deadline"],
            device=stored["device"] or key.meta.get("device"),
        )
        # Neither kind is shown, and a run of the role would record the operator again.
        return key if key.origin == OPERATOR else key.with_meta(**from_store())

    def _file(self, name: str, old: KeyFile | None, secret: str, codes: list[str], period: int | None) -> KeyFile:
        """Made once, so that planning twice gives the same."""
        if name not in self._made:
            self._hide([secret])
            settings, issuer, account = self._managed(old)
            length = period or self._period_after(old)
            created = KeyFile.create(secret, KeySettings(*settings), issuer, account, codes, self._now, length)
            self._made[name] = created.owned_by(local_uid(self.user))
        return self._made[name]


def _is_one(key: KeyFile, stored: StoredKey | None) -> bool:
    return stored is not None and is_stored(key, stored)


def is_stored(key: KeyFile, stored: StoredKey) -> bool:
    return key.is_key(decode_secret(stored["secret"]), stored["period"])


def _with_codes(key: KeyFile, stored: StoredKey) -> KeyFile:
    """Without codes that were spent elsewhere, and with those that this file never had.

    A code that the file had and has no more was spent here, even if the store does not know that yet. Of a file that does
    not record its codes nobody can tell, so it gets no more of them.
    """
    given, spent = key.given_codes, set(stored["spent_codes"])
    left = [code for code in key.recovery_codes if not key.code_ids([code]) <= spent]
    if given is not None:
        left += [code for code in stored["recovery_codes"] if not key.code_ids([code]) <= given]
    if left != key.recovery_codes:
        key = key.with_recovery_codes(left)
    return key.with_given_codes((key.given_codes or set()) | key.code_ids([*left, *stored["recovery_codes"]]))
