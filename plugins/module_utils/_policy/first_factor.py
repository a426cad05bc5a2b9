# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Nobody becomes enforced who cannot pass the first factor: whether a user has what a login needs besides the token.

The one place that answers this, for every module and for the enrollment desk. Answers are those of sshd and of the files it
would read, as of now. Private to the collection.
"""

from __future__ import annotations

import contextlib
import pwd
from typing import Iterable, Iterator, Mapping, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import PASSWORD_MODULES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import named_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG, SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.key_sources import CAN, Answer, KeySources, best, worst
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import KEYBOARD_INTERACTIVE, Login, login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import service_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.passwords import password_state

# What an enforced user needs (mfa_factors), as AuthenticationMethods of the drop-in.
FACTORS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "publickey+totp": (("publickey", KEYBOARD_INTERACTIVE),),
    "password+totp": ((KEYBOARD_INTERACTIVE,),),
    "either": (("publickey", KEYBOARD_INTERACTIVE), (KEYBOARD_INTERACTIVE,)),
}
_ACCEPT = "if the user has it, set mfa_unknown_first_factor: accept (option unknown_first_factor)"
_MOST_SHOWN = 20
_TO_PAM = {"password", KEYBOARD_INTERACTIVE}


class FirstFactors:
    """Judges users by one configuration of sshd. With `factors`, by what a policy will demand that is not in force yet."""

    def __init__(self, reader: PolicyReader, group: str, factors: str | None = None, pam: PamConfig | None = None):
        self._reader, self._group, self._pam = reader, group, pam or PamConfig()
        self._ways = FACTORS[factors] if factors else None
        # What each login needs is asked once, though several connections may need the same.
        self._known: dict[tuple[str, str, str], Answer] = {}

    def answers(self, users: Iterable[str], enforced: bool = True) -> dict[str, Answer]:
        """For each of the users that this host has, as one who is enforced or not."""
        found = named_accounts(self._reader.config, self._group, users)
        return {entry.pw_name: self._of(account, entry, enforced) for account, entry in sorted(found)}

    def _of(self, account: Account, entry: pwd.struct_passwd, enforced: bool) -> Answer:
        account = account.joined(self._group) if enforced else account.left(self._group)
        logins = [login(self._reader, account, connection) for connection in self._reader.connections()]
        logins = [one for one in logins if one.is_admitted]
        if not logins:
            return CAN  # AllowUsers and the like: no factor would help, and that is what the administrator said
        ways = self._ways if enforced else None
        return best(self._way(one, entry, way) for one in logins for way in ways or one.demanded or [("publickey",)])

    def _way(self, one: Login, entry: pwd.struct_passwd, way: Sequence[str]) -> Answer:
        methods = [method.partition(":")[0] for method in way]
        asked = [method for method in methods if method != KEYBOARD_INTERACTIVE] or methods
        return worst(self._factor(one, entry, method) for method in asked)

    def _factor(self, one: Login, entry: pwd.struct_passwd, method: str) -> Answer:
        disabled = one.disabled_by(method)
        # That the token can be asked is what other findings are about, and the policy to come sees to it.
        if disabled and not (method == KEYBOARD_INTERACTIVE and self._ways):
            return Answer("cannot", f"sshd does not offer {method} ({disabled} {one.value(disabled, '')})", "allow it")
        kind = "password" if method in _TO_PAM else method
        question = (entry.pw_name, kind, repr(sorted(one.settings.items())))
        if question not in self._known:
            self._known[question] = self._asked(one, entry, kind)
        return self._known[question]

    def _asked(self, one: Login, entry: pwd.struct_passwd, kind: str) -> Answer:
        if kind == "publickey":
            return KeySources(one.settings, entry, self._reader.sshd.takes_private_groups).answer()
        if kind == "password":
            return _password(one, entry, self._pam)
        return Answer("unknown", f"whether {kind} lets the user in cannot be seen here", _ACCEPT)


def _password(one: Login, entry: pwd.struct_passwd, pam: PamConfig) -> Answer:
    modules = _password_modules(pam, service_of(one.settings))
    state = password_state(entry)
    if state == "set" and (modules is None or "pam_unix.so" in modules):
        return CAN
    if modules is None or modules - {"pam_unix.so"} or state == "elsewhere":
        return Answer("unknown", "the password, if there is one, is not in this host's own files", "")
    if state == "empty" and one.value("permitemptypasswords", "no") == "yes":
        return CAN
    said = {
        "locked": "the account has no password that could be typed",
        "empty": "the password is empty, which sshd refuses",
    }
    return Answer(
        "cannot", said.get(state, "PAM does not look at the password in shadow"), "give the account a password"
    )


def _password_modules(pam: PamConfig, service: str) -> set[str] | None:
    """Those that check a password in a PAM service; None if it cannot be read."""
    stack = pam.auth_stack(service)
    return {line.module_name for line in stack.lines if line.module_name in PASSWORD_MODULES} if stack.lines else None


@contextlib.contextmanager
def first_factors(
    group: str, config: SshdConfig, sshd: Sshd, pam: PamConfig | None = None, factors: str | None = None
) -> Iterator[FirstFactors]:
    with PolicyReader(sshd, config) as reader:
        yield FirstFactors(reader, group, factors, pam)


def judge(users: Iterable[str], group: str, factors: str | None = None, enforced: bool = True) -> dict[str, Answer]:
    """By this host as it is, of users who are, or are not, enforced. Nothing can be known of anybody where sshd does not answer."""
    users = list(users)
    if not users:
        return {}
    try:
        sshd = Sshd()
        with first_factors(group, SshdConfig(SSHD_CONFIG, version=sshd.version), sshd, factors=factors) as judged:
            return judged.answers(users, enforced)
    except FleetMfaError as error:
        return dict.fromkeys(users, Answer("unknown", f"sshd cannot be asked: {error}"))


def refused(answers: Mapping[str, Answer], unknown: str) -> dict[str, Answer]:
    """Who must not become enforced; `unknown` is option unknown_first_factor, `error` or `accept`."""
    states = ("cannot", "unknown") if unknown == "error" else ("cannot",)
    return {user: one for user, one in answers.items() if one.state in states}


def text_for_operator(one: Answer) -> str:
    if one.state == "unknown":
        return (
            f"may not be able to log in once a token is asked for, which cannot be told here: {one.reason}; {_ACCEPT}"
        )
    remedies = [*([one.remedy] if one.remedy else []), "allow another factor (mfa_factors)"]
    return f"could not log in any more once a token is asked for: {one.reason}; {', or '.join(remedies)}"


def text_for_user(one: Answer) -> str:
    if one.state == "unknown":
        why = f"It cannot be told here whether you could still log in once a token is asked for: {one.reason}."
        return f"You cannot enroll yet. {why} Nothing has changed; please ask your administrator."
    todo = f"To enroll, {one.remedy}, or ask your administrator." if one.remedy else "Please ask your administrator."
    why = f"Once a token is asked for, you could not log in any more: {one.reason}."
    return f"You cannot enroll yet. {why} Nothing has changed. {todo}"


def refuse(shut_out: Mapping[str, Answer]) -> None:
    """One error about all of them, if there is any."""
    if not shut_out:
        return
    told = [f"user {user!r} {text_for_operator(one)}" for user, one in list(shut_out.items())[:_MOST_SHOWN]]
    more = f"; and {len(shut_out) - len(told)} more" if len(shut_out) > len(told) else ""
    raise FleetMfaError(f"nothing was changed: {'; '.join(told)}{more}")
