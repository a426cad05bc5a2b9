# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What must be proven about a PAM service before the token lines are relied on. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Callable, Mapping, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.base import lost_rules, without_us
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_cases import called_by_a_user, without_password
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import check_module_line, find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import (
    ALWAYS,
    NEVER,
    Verdict,
    has_so_suffix,
    may_pass,
    prove,
    runs_command,
    token_line,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.remembered import REMEMBERED, lines_that_remember
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.second_device import device_cases
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import block_places
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.setcred import set_credentials
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import bytes_of, text_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.walk import LineTest
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange


@dataclass(frozen=True)
class Demand:
    """What the service must do: `content` are our lines, `group` is enforced.

    With `own_service` only enforced users are sent to this service (PAMServiceName), who would otherwise be sent to
    `base_service`. `guard` is the program that must succeed before and after the token. `token_alone` permits that only
    the token is asked for here (sshd has checked a key before). `require_installed` checks that the installed modules
    accept their options.

    `remember_seconds`: for how long a token may be remembered (docs/remember.md), 0 for never. With `after_password` only who has
    given the password may be asked for the token. `others` are files of PAM that are changed at the
    same time, by path, as they will be.
    """

    service: str
    confdir: str
    content: str
    group: str
    own_service: bool
    base_service: str
    guard: str | None
    token_alone: bool
    require_installed: bool
    after_password: bool = False
    remember_seconds: int = 0
    others: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_installed(self) -> Callable[[str], object]:
        """Which modules count as installed: the host's own services are proven with the modules that the host has."""
        return find_module if self.require_installed and self.confdir == DEFAULT_CONFDIR else has_so_suffix


def prove_token_lines(change: FileChange, demand: Demand) -> Verdict:
    """Prove the service as `change` would leave it. Returns the verdict on enforced users; a FleetMfaError says why it
    is refused."""
    if demand.require_installed:
        _check_installed_modules(demand)
    after = _config(demand, change.after)
    # The service without our lines: replacing old lines of ours takes nothing away from anybody.
    bare = replace(demand, others={path: _without_block(path, text) for path, text in demand.others.items()})
    before = _config(bare, change.before and split(change.before, change.path).without)
    verdict = _prove_enforced(change, after, demand)
    if demand.own_service:
        _prove_base_kept(after, demand)
    else:
        _prove_not_enforced(change, before, after, demand)
    _prove_credentials(before, after, demand)
    return verdict


def _config(demand: Demand, text: bytes | None) -> PamConfig:
    content = None if text is None else text_of(text)
    config = PamConfig(confdir=demand.confdir, overlay={**demand.others, demand.service: content})
    # If the base still has our block, the same change removes it.
    return without_us(config, [demand.base_service]) if demand.own_service else config


def _prove(
    config: PamConfig,
    demand: Demand,
    subject: Subject,
    required: Sequence[LineTest] | None = None,
    assume: Mapping[str, Sequence[str]] | None = None,
) -> Verdict:
    return prove(config, demand.service, subject, assume=assume, required=required, is_installed=demand.is_installed)


def _without_block(path: str, text: str | None) -> str | None:
    if text is None:
        return None
    return text_of(split(bytes_of(text), path).without)


def _own_places(change: FileChange, demand: Demand) -> set[str]:
    """The places of the lines in our block, and in those of other services that are changed at the same time."""
    texts = {path: bytes_of(text) for path, text in demand.others.items() if text}
    texts[change.path] = change.after or b""
    return {place for path, text in texts.items() for place in block_places(path, text)}


def _prove_enforced(change: FileChange, config: PamConfig, demand: Demand) -> Verdict:
    required = [token_line()]
    if demand.guard:
        required = [runs_command(demand.guard, "attempt"), token_line(), runs_command(demand.guard, "claim")]
    member = Subject(member_of=frozenset({demand.group}), has_key=True)
    who = f"a member of {demand.group}"
    remembering = _remembering(config, demand)
    assume = {**called_by_a_user(config, demand.service), **dict.fromkeys(remembering, ["system_err"])}
    verdict = _prove(config, demand, member, required, assume)
    if verdict.problem:
        raise _refusal(demand, f"libpam cannot load the service: {verdict.problem}")
    if not verdict.can_succeed:
        raise _refusal(demand, f"{who} could never log in", verdict)
    # Once more with a key file that may be missing; and a separate service must not depend on who is sent to it.
    careless = Subject() if demand.own_service else Subject(member_of=member.member_of)
    for case in (verdict, _prove(config, demand, careless, required, assume)):
        if case.can_succeed_without_token or case.token_asked_when_it_succeeds != "always":
            raise _refusal(demand, f"{who} could get in without a token", case)
        if case.can_succeed_if_token_module_missing:
            raise _refusal(demand, f"{who} could get in without a token if the token module were missing", case)
    ways = [*verdict.ways_in, *_ways_of_remembered(config, demand, member, remembering)]
    _prove_devices(config, demand, member, assume)
    _refuse_second_token(change, config, demand, member)
    if not demand.token_alone and ["token"] in verdict.ways_in:
        raise _refusal(demand, f"{who} could get in with a token alone, but a password is required too")
    if demand.after_password:
        _prove_after_password(config, demand, careless)
    return replace(verdict, ways_in=sorted(ways), remembered_seconds=demand.remember_seconds)


def _remembering(config: PamConfig, demand: Demand) -> list[str]:
    """The places of the lines that may let a member in without a token, since the guard remembers one."""
    if not demand.remember_seconds:
        return []
    lines = config.auth_stack(demand.service).lines
    found = lines_that_remember(config, lines, demand.guard or "")
    if set(found.values()) != {demand.remember_seconds} or demand.after_password or not demand.token_alone:
        raise _refusal(
            demand,
            "a token can be remembered (option remember_seconds) only after an SSH key, and only by one line of these that runs "
            f"the guard with `remembered {demand.remember_seconds}`, skips lines if it succeeds, and is ignored if not",
        )
    return list(found)


def _ways_of_remembered(config: PamConfig, demand: Demand, member: Subject, remembering: list[str]) -> list[list[str]]:
    """Who is remembered gets in, and is not asked for a token."""
    if not remembering:
        return []
    found = _prove(
        config,
        demand,
        member,
        [lambda line: line.place in remembering],
        {**called_by_a_user(config, demand.service), **dict.fromkeys(remembering, ["success"])},
    )
    if not found.can_succeed or found.token_asked != NEVER:
        raise _refusal(demand, f"a member of {demand.group} whose token is remembered would not get in", found)
    return [sorted([*way, REMEMBERED]) for way in found.ways_in]


def _prove_after_password(config: PamConfig, demand: Demand, member: Subject) -> None:
    """Who has not given the password sees no prompt for a token, and cannot use up the tries of somebody else."""
    verdict = _prove(
        config, demand, member, assume=without_password(config, demand.service, member, demand.is_installed)
    )
    if verdict.token_asked != NEVER:
        raise _refusal(
            demand,
            f"somebody who does not know the password of a member of {demand.group} could be asked for the token, since a wrong "
            "password does not end the stack at once (as it would with requisite, or with include in place of substack)",
            verdict,
        )


def _prove_devices(config: PamConfig, demand: Demand, member: Subject, assume: Mapping[str, Sequence[str]]) -> None:
    """If the service asks users with a second device in another way: the same for them, and nothing else for the others."""
    with_password: list[list[str]] = []  # how users with one device may log in
    for case in device_cases(config.auth_stack(demand.service).lines, demand.guard):
        who = f"a member of {demand.group} with {case.who}"
        verdict = _prove(config, demand, member, case.required, {**assume, **case.assume})
        if case.token_stored and [way for way in with_password if way not in verdict.ways_in]:
            raise _refusal(
                demand,
                f"{who} could not give a password after the token, since PAM passes the token on as the password; "
                "require the SSH key instead of the password (mfa_factors: publickey+totp), or do without second "
                "devices (mfa_second_device)",
            )
        with_password += [way for way in verdict.ways_in if "password" in way]
        if not verdict.can_succeed:
            raise _refusal(demand, f"{who} could never log in", verdict)
        if verdict.can_succeed_without_token:
            raise _refusal(demand, f"{who} could get in without being asked for a token in the intended way", verdict)


def _refuse_second_token(change: FileChange, config: PamConfig, demand: Demand, member: Subject) -> None:
    """If the stack continues after our lines, the host's own lines must not ask for a second token."""
    foreign = sorted(set(_token_places(config, demand.service)) - _own_places(change, demand))
    if not foreign:
        return
    member = replace(member, has_key=None)  # our key says nothing about one that the host's own line may require
    if may_pass(config, demand.service, member, _token_line_among(set(foreign)), demand.is_installed):
        raise _refusal(
            demand,
            f"a member of {demand.group} would be asked for two tokens, one of them by the host's own line "
            f"{', '.join(foreign)}; remove that line, or require the SSH key instead of the password (mfa_factors: "
            "publickey+totp)",
        )


def _prove_base_kept(after: PamConfig, demand: Demand) -> None:
    """Every rule that applied to these users before still applies: who may log in, what a session gets."""
    lost = lost_rules(after, demand.base_service, demand.service)
    if lost:
        raise _refusal(demand, f"it would behave differently from {demand.base_service}: {'; '.join(lost)}")


def _prove_not_enforced(change: FileChange, before: PamConfig, after: PamConfig, demand: Demand) -> None:
    """Nothing may change for users outside the group: what they are asked for, and what lets them in."""
    who = f"someone who is not a member of {demand.group}"
    # Whether there is a key only matters for the host's own lines.
    for has_key in (False, None):
        subject = Subject(not_member_of=frozenset({demand.group}), has_key=has_key)
        was, verdict = _prove(before, demand, subject), _prove(after, demand, subject)
        if verdict.token_asked != was.token_asked:
            so_far = "" if was.token_asked == NEVER else f" {verdict.token_asked}, was {was.token_asked}"
            raise _refusal(demand, f"{who} would be asked for a token{so_far}", verdict)
        # If the host's own lines already ask everybody, that alone would not show that ours do too.
        if may_pass(
            after, demand.service, subject, _token_line_among(_own_places(change, demand)), demand.is_installed
        ):
            raise _refusal(demand, f"{who} would be asked for a token by these lines", verdict)
        if was.can_succeed and not verdict.can_succeed:
            raise _refusal(demand, f"{who} could log in before and no longer could", verdict)
        if was.ways_in != verdict.ways_in:
            ways = [" or ".join("+".join(way) or "nothing" for way in case.ways_in) for case in (was, verdict)]
            raise _refusal(demand, f"{who} would need something else than before: {ways[0]} before, {ways[1]} after")


def host_asks(change: FileChange, demand: Demand) -> tuple[str, ...]:
    """A note about the host's own token lines, which ask users outside the group too and will continue to do so."""
    service = demand.base_service if demand.own_service else demand.service
    config = without_us(PamConfig(demand.confdir), [service])
    subject = Subject(not_member_of=frozenset({demand.group}))
    if prove(config, service, subject, is_installed=demand.is_installed).token_asked == NEVER:
        return ()
    lines = _token_places(config, service)
    return (
        f"PAM service {service}: users outside {demand.group} are asked for a token as well, by {', '.join(lines)}, "
        "which is not ours; this does not change",
    )


def _token_line_among(places: set[str]) -> LineTest:
    return lambda line: line.place in places and token_line()(line)


def _token_places(config: PamConfig, service: str) -> list[str]:
    return sorted({line.place for line in config.auth_stack(service).lines if token_line()(line)})


def _prove_credentials(before: PamConfig, after: PamConfig, demand: Demand) -> None:
    """pam_setcred(), which sshd calls for every login, must still succeed, or users are let in and then thrown out."""
    becomes = set_credentials(after, demand.service, demand.is_installed)
    was = None if demand.own_service else set_credentials(before, demand.service, demand.is_installed)
    if becomes.succeeds != ALWAYS and (was is None or was.succeeds == ALWAYS):
        steps = "\n".join(becomes.failure)
        raise _refusal(demand, f"pam_setcred would fail, so users would be let in and then thrown out\n{steps}")
    lost = was.reached - becomes.reached if was else frozenset()
    if lost:
        lines = ", ".join(sorted(f"{line.module} in {line.file}" for line in lost))
        raise _refusal(demand, f"pam_setcred would no longer reach {lines}, so users would lack credentials")


def _check_installed_modules(demand: Demand) -> None:
    """Each module named in our own lines must be installed and accept the given options."""
    own_lines = PamConfig(confdir=demand.confdir, overlay={demand.service: demand.content})
    for line in own_lines.auth_stack(demand.service).lines:
        if line.kind == "module" and line.file.endswith(f"/{demand.service}"):
            check_module_line(line.module, line.arguments)


def _refusal(demand: Demand, why: str, verdict: Verdict | None = None) -> FleetMfaError:
    steps = f"\n{verdict.explain()}" if verdict is not None and verdict.counterexample else ""
    return FleetMfaError(f"PAM service {demand.service}, checked before writing: {why}; nothing was changed{steps}")
