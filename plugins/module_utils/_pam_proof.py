# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""What has to be proven of a PAM service before the token lines count on it. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._file_change import FileChange
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam_config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam_probe import check_module_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam_stack import (
    Subject,
    Verdict,
    prove,
    runs_command,
    token_line,
)


@dataclass(frozen=True)
class Demand:
    """What the service has to do: which group is enforced, and what a login needs.

    `own_service` says that only enforced users are sent to this service (PAMServiceName), `guard` names the program that
    has to agree before and after the token, `token_alone` allows that nothing but the token is asked here (sshd checked
    a key before).
    """

    service: str
    confdir: str
    group: str
    own_service: bool
    guard: str | None
    token_alone: bool


def prove_token_lines(change: FileChange, demand: Demand) -> Verdict:
    """Prove the service as `change` would leave it; the verdict on enforced users, or a FleetMfaError that says why not."""
    after = _config(demand, change.after)
    verdict = _prove_enforced(after, demand)
    _check_installed_modules(verdict)
    if not demand.own_service:
        _prove_not_enforced(_config(demand, change.before), after, demand)
    return verdict


def _config(demand: Demand, text: bytes | None) -> PamConfig:
    content = None if text is None else text.decode("utf-8", "surrogateescape")
    return PamConfig(confdir=demand.confdir, overlay={demand.service: content})


def _prove_enforced(config: PamConfig, demand: Demand) -> Verdict:
    required = [token_line()]
    if demand.guard:
        required = [runs_command(demand.guard, "attempt"), token_line(), runs_command(demand.guard, "claim")]
    groups = frozenset() if demand.own_service else frozenset({demand.group})
    who = f"a member of {demand.group}"
    verdict = prove(config, demand.service, Subject(member_of=groups, has_key=True), required=required)
    if verdict.problem:
        raise _refusal(demand, f"libpam refuses the service: {verdict.problem}")
    if not verdict.can_succeed:
        raise _refusal(demand, f"{who} could never log in", verdict)
    # Once more for a member whose key file is gone: nothing may depend on its being there.
    for case in (verdict, prove(config, demand.service, Subject(member_of=groups), required=required)):
        if case.can_succeed_without_token or case.token_asked_when_it_succeeds != "always":
            raise _refusal(demand, f"{who} could get in without a token", case)
        if case.can_succeed_if_token_module_missing:
            raise _refusal(demand, f"{who} could get in without a token if the token module were missing", case)
    if not demand.token_alone and ["token"] in verdict.ways_in:
        raise _refusal(demand, f"{who} could get in with a token alone, and a password is wanted too")
    return verdict


def _prove_not_enforced(before: PamConfig, after: PamConfig, demand: Demand) -> None:
    subject = Subject(not_member_of=frozenset({demand.group}), has_key=False)
    verdict = prove(after, demand.service, subject)
    if verdict.token_asked != "never":
        raise _refusal(demand, f"someone who is not a member of {demand.group} would be asked for a token", verdict)
    if not verdict.can_succeed and prove(before, demand.service, subject).can_succeed:
        raise _refusal(
            demand, f"someone who is not a member of {demand.group} could log in so far and could no more", verdict
        )


def _check_installed_modules(verdict: Verdict) -> None:
    for line in verdict.lines:
        if line["module"] and line["managed"]:
            check_module_line(line["module"], line["arguments"])


def _refusal(demand: Demand, why: str, verdict: Verdict | None = None) -> FleetMfaError:
    steps = f"\n{verdict.explain()}" if verdict is not None and verdict.counterexample else ""
    return FleetMfaError(
        f"PAM service {demand.service}, proven before it is written: {why}; nothing was changed{steps}"
    )
