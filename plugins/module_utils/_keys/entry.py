# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What an operator wants for one user's key, and the resulting keys of the user. Private to the collection."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, Mapping, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import (
    DEFAULT_PERIOD,
    KeyFile,
    KeySettings,
    generate_recovery_codes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import given_by_operator, made_here
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import GivenKey, given_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import DEFAULT_ISSUER, RANGES, check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import check_label, decode_secret, generate_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import shown
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import account_exists, known_as, local_uid

STATES = ("present", "pending", "validated", "rotated", "absent", "promoted")
# Not for an operator: the keys stay as they are, and only membership is decided.
KEPT = "kept"


class NamedUser(TypedDict):
    user: str


class KeyWish(NamedUser, total=False):
    """An entry of option `keys` of module totp_key, as Ansible passes it; for a user who is only listed, just the name.

    `place` is where it was given, for messages, such as `keys, entry 3, `.
    """

    place: str
    device: str | None  # the name of a second device
    state: str
    secret: str | None
    issuer: str | None
    account: str | None
    recovery_codes: list[str] | None


class Keys(NamedTuple):
    """The keys of a user on a host."""

    pending: KeyFile | None = None
    validated: KeyFile | None = None

    @property
    def state(self) -> str:
        if self.validated:
            return "validated"
        return "pending" if self.pending else "none"


class CallSettings(NamedTuple):
    """The settings of a call for all keys, None if not given; `period` and `recovery_code_count` only apply to new
    keys."""

    issuer: str | None = None
    window: int | None = None
    rate_limit_attempts: int | None = None
    rate_limit_seconds: int | None = None
    period: int | None = None
    recovery_code_count: int = RANGES["recovery_codes"].default

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> CallSettings:
        """The settings, checked; a FleetMfaError names the option that is out of range."""
        if params["digits"] != RANGES["digits"].default:
            raise FleetMfaError("digits: pam_google_authenticator checks tokens of 6 digits only; leave digits at 6")
        check_ranges(params)
        if params["issuer"] is not None:
            check_label(params["issuer"], "issuer")
        return cls(**{name: params[name] for name in cls._fields})

    def over(self, settings: KeySettings) -> KeySettings:
        given = {name: getattr(self, name) for name in settings._fields}
        return settings._replace(**{name: value for name, value in given.items() if value is not None})


class KeyEntry:
    """One user's entry; `hide` is called with every secret, given or generated, before it is used."""

    def __init__(self, wish: KeyWish, call: CallSettings, now: float, hide: Callable[[Iterable[str]], None]):
        self.named: str = wish["user"]
        self.user: str = known_as(self.named)
        unknown = f"{wish.get('place', '')}user {shown(self.named)}"
        self.label = f"user {self.named!r}" if account_exists(self.user) else unknown
        self.state: str = wish.get("state") or "present"
        self.device: str | None = wish.get("device")
        given = self._given(wish.get("secret"), hide)
        self._secret: str | None = given.secret if given else None
        self._issuer: str | None = wish.get("issuer") or (given and given.issuer) or call.issuer
        self._account: str | None = wish.get("account") or (given and given.account)
        self._period: int | None = (given and given.period) or call.period
        self._recovery_codes: list[str] | None = wish.get("recovery_codes")
        self._call = call
        self._now = now
        self._hide = hide
        self._new: KeyFile | None = None
        self.released = False  # whether a user without a validated key leaves the enforced group
        # If a list is given as one string, AnsibleModule hides that string, not its parts.
        hide(filter(None, [self._secret, *(self._recovery_codes or [])]))

    def _given(self, text: str | None, hide: Callable[[Iterable[str]], None]) -> GivenKey | None:
        if text is None:
            return None
        hide(filter(None, [text]))
        try:
            return given_key(text)
        except FleetMfaError as error:
            raise FleetMfaError(f"{self.label}: {error}") from None

    @property
    def lacks_account(self) -> bool:
        """Whether the key is for an account that this host does not have. An entry with state absent needs no
        account."""
        return self.state not in ("absent", KEPT) and not account_exists(self.user)

    @property
    def is_known_new_key(self) -> bool:
        """Whether somebody knows the pending key. A key made by the host is known to nobody until its user logs in."""
        return self.state == "rotated" and self._secret is not None

    @property
    def gives_secret(self) -> bool:
        return self._secret is not None

    @property
    def gives_recovery_codes(self) -> bool:
        return bool(self._recovery_codes)

    def gives(self, key: KeyFile | None) -> bool:
        """Whether this is the key whose secret the entry gives."""
        return self._is_given(key)

    def makes_new_key(self, now: Keys) -> bool:
        """Whether the host would have to generate a secret."""
        if self._secret is not None or self.state in ("absent", KEPT):
            return False
        return self.state == "rotated" or not (now.pending or now.validated)

    def settings_over(self, settings: KeySettings) -> KeySettings:
        return self._call.over(settings)

    def check(self) -> None:
        """Refuse what is wrong regardless of the host's state."""
        if self.state == "promoted" and not self.device:
            raise FleetMfaError("state promoted: is for the key of a second device; name it in device")
        if self._secret is not None:
            decode_secret(self._secret)
        for label, what in ((self._issuer, "issuer"), (self._account, "account")):
            if label is not None:
                check_label(label, what)
        codes = self._recovery_codes or []
        if not all(re.fullmatch(r"[1-9][0-9]{7}", code) for code in codes):
            raise FleetMfaError("recovery_codes: a code must have eight digits, the first not 0")
        if len(set(codes)) != len(codes) or len(codes) > RANGES["recovery_codes"].high:
            raise FleetMfaError(f"recovery_codes: give {RANGES['recovery_codes'].high} codes at most, each only once")

    def wanted(self, now: Keys) -> Keys:
        """The keys that the user should have, given the existing ones. Applying it to its own result changes
        nothing."""
        if self.state == "absent":
            return Keys()
        if self.state == KEPT:
            return now
        if self.state == "pending" and now.validated:
            raise FleetMfaError(
                "state pending: the user has a validated key; it cannot become pending again, since the user could "
                "then log in without a token; use present to keep it, rotated for a new key, or absent to release "
                "the user"
            )
        chosen = self._with_given(now) if self._secret is not None else self._without_given(now)
        pending, validated = (key and self._merged(key) for key in chosen)
        if pending and chosen.pending is not now.pending:
            pending = pending.with_meta(since=int(self._now))
        if validated and chosen.validated is not now.validated:
            validated = validated.with_meta(since=int(self._now), was_validated=True)
        return Keys(pending, validated)

    def _managed(self, key: KeyFile | None) -> tuple[KeySettings, str, str]:
        """Settings, issuer and account: as given, otherwise as in the key, otherwise the default."""
        issuer = self._issuer or (key and key.issuer) or DEFAULT_ISSUER
        account = self._account or (key and key.account) or self.user
        return self._call.over(key.settings if key else KeySettings()), issuer, account

    def _period_after(self, old: KeyFile | None) -> int:
        kept = old.period if old and RANGES["period"].allows(old.period) else DEFAULT_PERIOD
        return self._period or kept

    def _merged(self, key: KeyFile) -> KeyFile:
        merged = key.merged(*self._managed(key))
        merged = merged.owned_by(local_uid(self.user))
        given = self._secret is not None and self._is_given(key)
        return merged.with_meta(**given_by_operator()) if given else merged

    def _with_given(self, now: Keys) -> Keys:
        """The given key becomes the user's key; another validated key stays enforced until this one is validated."""
        given = next(filter(self._is_given, (now.validated, now.pending)), None) or self._new_key(now)
        if self.state == "validated":
            return Keys(validated=given)
        if now.validated and self._is_given(now.validated):
            return Keys(validated=given)
        return Keys(pending=given, validated=now.validated)

    def _without_given(self, now: Keys) -> Keys:
        if self.state == "rotated":
            return Keys(pending=self._new_key(now), validated=now.validated)
        if self.state == "validated":
            return now if now.validated else Keys(validated=self._proven_by_operator(now.pending))
        return now if now.pending or now.validated else Keys(pending=self._new_key(now))

    def _proven_by_operator(self, pending: KeyFile | None) -> KeyFile:
        if pending is None:
            raise FleetMfaError(
                "there is no key to validate; give its secret (nobody would know a generated one, so the user would "
                "be locked out), or use state present and let the user validate it"
            )
        return pending

    def _is_given(self, key: KeyFile | None) -> bool:
        if key is None or self._secret is None:
            return False
        return key.is_key(decode_secret(self._secret), self._period)

    def _new_key(self, now: Keys) -> KeyFile:
        """What is not given is copied from the user's previous key, so a new secret does not change issuer or
        window."""
        if self._new is None:
            old = now.validated or now.pending
            secret = self._secret or generate_secret()
            codes = self._recovery_codes
            if self.device:
                codes = []
            elif codes is None:
                codes = generate_recovery_codes(self._call.recovery_code_count)
            self._hide([secret, *codes])
            new = KeyFile.create(secret, *self._managed(old), codes, self._now, self._period_after(old))
            if old is not None:
                new = new.with_meta(generation=old.generation + 1)
            self._new = new if self._secret else new.with_meta(**made_here())
        return self._new
