# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a user may do with the user's own key, on the root side of the door. Private to the collection.

Each request is independent: no state is kept between two of them, so a user who leaves in the middle leaves behind a
pending key and nothing else. Every step is logged in the system log (authpriv), never with a secret.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import (
    REQUESTS,
    Answer,
    NewCodes,
    Nothing,
    ShownKey,
    Status,
    Validated,
    WayToSee,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.audit import audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.overdue import is_overdue, settle_overdue
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import Policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.proof import spend_token, spend_token_or_code
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import (
    KeyFile,
    KeySettings,
    generate_recovery_codes,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import (
    is_of_unknown_origin,
    made_here,
    may_be_shown,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.previous_login import PreviousLogin
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.refusals import Reason, TokenRefused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.selection import is_selected
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import generate_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.two_tokens import check_first, validate
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import judge, refused, text_for_user
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    EnforcedGroup,
    human_accounts,
    is_root,
    local_uid,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import last_day

LOCK_SECONDS = 5

SHOWS_A_KEY = ("key", "new_key")
_NOT_SHOWN: dict[WayToSee, tuple[Reason, str]] = {
    "none": ("no_pending_key", "there is no pending key, and none may be created"),
    "given": ("key_given", "a key is shown only by the host that made it, before it is validated"),
    "for_token": ("token_needed", "a key that will replace the validated one is shown only for a token of that one"),
}
_TOWARDS_ENFORCEMENT = ("ready", *SHOWS_A_KEY, "first", "validate")
ROOT_LEAVES_TO_OPERATORS = (*SHOWS_A_KEY, "first", "validate")


class Desk:
    """Serves one user, whom the door has identified."""

    def __init__(self, policy: Policy, user: str, now: float | None = None):
        self._policy, self._user = policy, user
        self._now = time.time() if now is None else now
        self._state = StateDir(policy.state_dir)
        self._state.notices.by = "user"
        self._host = MfaHost(self._state, EnforcedGroup(policy.group), policy.left_alone)

    def answer(self, question: Any) -> Answer:
        """The answer to one request; a refusal is an answer too."""
        request, values = _checked(question)
        if request in ROOT_LEAVES_TO_OPERATORS and is_root(self._user):
            raise FleetMfaError(
                "root cannot enroll here, since sshd may not let root answer a token prompt; use playbook "
                "fleetmfa.ssh.validate, which checks this"
            )
        if request == "status":
            return self.status()  # without the lock: every login requests this, and must not wait for a run of Ansible
        if request in _TOWARDS_ENFORCEMENT:
            self._refuse_shut_out()
        try:
            with self._state.lock(LOCK_SECONDS):
                answer: Answer = getattr(self, request)(**values)
                return answer
        except TokenRefused as refusal:
            what = "key not shown" if request in SHOWS_A_KEY else "token refused"
            audit(self._user, f"{what} ({refusal.reason})")
            return {"refused": refusal.reason, "seconds": refusal.seconds}

    def status(self) -> Status:
        """The state of the user's key. Also updates this user's membership in the group of overdue users."""
        pending, validated = self._keys()
        period = self._policy.period_of_key(self._user, pending)
        today = datetime.date.fromtimestamp(self._now)
        overdue = is_overdue(self._policy, self._state, self._user, today)
        settle_overdue(self._policy, self._user, overdue)
        key = validated or pending
        way = self._way_to_see(pending, validated)
        wrong, exempt = self._state.wrong_tokens(self._user), self._exempt()
        until = last_day(self._policy.exemptions, self._user) if exempt else None
        return {
            "user": self._user,
            "pending": pending is not None,
            "validated": validated is not None,
            "since": key.since if key else None,
            "enforced": self._user in self._host.group.members,
            "exempt": exempt,
            "exempt_until": until.isoformat() if until else None,
            "locked": wrong.locked,
            "locked_seconds": wrong.seconds_left,
            "suspended": wrong.suspended,
            "may_enroll": way != "none",
            "key": way,
            "period": pending.period if pending else self._policy.period,
            "recovery_codes": len(validated.recovery_codes) if validated else 0,
            "open": bool(period and period.is_open(today)),
            "deadline": period.deadline.isoformat() if period else None,
            "days_left": period.days_left(today) if period else None,
            "overdue": overdue,
            "overdue_mode": self._policy.enrollment_overdue,
            "displaced": validated.displaced if validated else None,
            "previous_login": self._previous_login(validated),
        }

    def _previous_login(self, validated: KeyFile | None) -> PreviousLogin | None:
        """Who is not asked for a token notices nothing."""
        asked = validated is not None and self._user in self._host.group.members
        return self._state.previous_login(self._user) if asked and self._policy.last_login_notice else None

    def seen(self) -> Nothing:
        """The user has been told that another key has taken the place of the one validated on this host."""
        self._state.converge_validated(self._user, lambda key: key and key.with_meta(displaced=None))
        audit(self._user, "told that another key has taken the place of the one validated here")
        return {}

    def ready(self) -> Nothing:
        """Every step towards enforcement is refused to who could not log in any more then; this is for before the first."""
        return {}

    def _refuse_shut_out(self) -> None:
        if self._exempt() or self._user in self._host.group.members:
            return
        answers = judge([self._user], self._policy.group)
        for one in refused(answers, self._policy.unknown_first_factor).values():
            audit(self._user, f"not enrolled: whether the first factor is there: {one.state}")
            raise FleetMfaError(text_for_user(one))

    def key(self) -> ShownKey:
        """The pending key, generated now if there is none. A validated key is never shown."""
        way = self._way_to_see(*self._keys())
        if way != "shown":
            raise TokenRefused(*_NOT_SHOWN[way])
        return self._shown()

    def new_key(self, token: str) -> ShownKey:
        """The pending key that will replace the validated one, for a token or a recovery code: one factor is not
        enough."""
        way = self._way_to_see(*self._keys())
        if way in ("none", "given"):
            raise TokenRefused(*_NOT_SHOWN[way])
        spend_token_or_code(self._state, self._user, token, self._now)
        return self._shown()

    def _keys(self) -> tuple[KeyFile | None, KeyFile | None]:
        # In this order: a key that is being validated at this moment is found twice rather than not at all.
        return self._state.pending(self._user), self._state.validated(self._user)

    def _way_to_see(self, pending: KeyFile | None, validated: KeyFile | None) -> WayToSee:
        """The pending key is `shown`, or shown `for_token`; or it was `given`, so its holder has it; or there is
        `none`."""
        if pending is None:
            return "shown" if validated is None and self._may_have_a_key() else "none"
        if not may_be_shown(pending) and not (is_of_unknown_origin(pending) and self._may_have_a_key()):
            return "given"
        if self._lost_the_key():
            return "none"
        return "shown" if validated is None else "for_token"

    def _shown(self) -> ShownKey:
        key = self._state.pending(self._user)
        if key is None or not may_be_shown(key):
            key = self._made_in_place_of(key)
        audit(self._user, "pending key shown")
        return {"secret": key.secret_text, "issuer": key.issuer, "account": key.account, "period": key.period}

    def first(self, token: str) -> Nothing:
        check_first(self._state, self._user, token, self._now)
        audit(self._user, "first token accepted")
        return {}

    def validate(self, first: str, second: str) -> Validated:
        result = validate(self._state, self._user, first, second, self._now)
        audit(self._user, f"key validated by two tokens, clock drift {result.drift_seconds} s")
        enforced = not self._exempt() and self._enforce()
        settle_overdue(self._policy, self._user, False)
        key = self._state.validated(self._user)
        codes = key.recovery_codes if key else []
        return {"recovery_codes": codes, "enforced": enforced, "exempt": self._exempt()}

    def recovery_codes(self, token: str) -> NewCodes:
        """New recovery codes replacing the old ones, for one valid token, which is used up."""
        spend_token(self._state, self._user, token, self._now)
        codes = generate_recovery_codes(self._policy.recovery_codes)
        self._state.converge_validated(self._user, lambda key: key and key.with_recovery_codes(codes))
        audit(self._user, f"{len(codes)} new recovery codes generated")
        return {"recovery_codes": codes}

    def forget(self) -> Nothing:
        """Needs no token, since it only makes logins ask for one."""
        self._state.forget_remembered(self._user)
        audit(self._user, "remembered logins forgotten: each login asks for a token again")
        return {}

    def _made_in_place_of(self, unknown: KeyFile | None) -> KeyFile:
        policy = self._policy
        key = KeyFile.create(
            secret=generate_secret(),
            settings=KeySettings(policy.window, policy.rate_limit_attempts, policy.rate_limit_seconds),
            issuer=policy.issuer,
            account=self._user,
            recovery_codes=generate_recovery_codes(policy.recovery_codes),
            now=self._now,
            period=policy.period,
        ).with_meta(**made_here())
        key = key.owned_by(local_uid(self._user))
        if unknown is not None:
            key = key.with_meta(since=unknown.since)  # nobody gets more time to enroll by asking
        self._state.prepare()
        self._state.put_strangers_away(self._user)
        self._state.save_pending(self._user, key)
        audit(
            self._user,
            "pending key of unknown origin replaced by one generated here" if unknown else "pending key generated",
        )
        return key

    def _may_have_a_key(self) -> bool:
        users = self._policy.users
        named = self._user in human_accounts() if users is None else is_selected(self._user, users)
        return named and not self._exempt() and not self._lost_the_key()

    def _lost_the_key(self) -> bool:
        """Such a user is denied at login, so whoever is in an open session may be anybody; the user gets a key from an
        operator."""
        return self._user in self._host.group.members and self._state.validated(self._user) is None

    def _exempt(self) -> bool:
        return self._user in self._host.exempt

    def _enforce(self) -> bool:
        """Add the user to the enforced group. If that fails, the key stays validated and the role's next run adds the
        user."""
        try:
            self._state.prepare()
            self._state.flush()
            self._host.enforce(join=[self._user])
        except FleetMfaError as error:
            audit(self._user, f"is NOT enforced yet: {error}")
            return False
        audit(self._user, f"joined {self._policy.group} and will be asked for a token at the next login")
        return True


def _checked(question: Any) -> tuple[str, dict[str, str]]:
    """The request and its values if they are valid: nothing that a caller sends is trusted."""
    values = dict(question) if isinstance(question, dict) else {}
    request = values.pop("request", None)
    known = isinstance(request, str) and request in REQUESTS and set(values) == set(REQUESTS[request])
    if not known or not all(isinstance(value, str) for value in values.values()):
        raise FleetMfaError("the enrollment service does not know this request")
    return request, values
