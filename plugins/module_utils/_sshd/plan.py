# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Turns the desired sshd policy (module sshd_totp, and totp_rollout) into a checked plan. Private to the collection.

plan: what would be written. check: whether sshd, queried about the whole resulting configuration, then enforces for
members of the group and does the same as before for everybody else.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Callable, Iterable, Iterator, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding, FindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.accounts import login_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import (
    SSHD_CONFIG,
    ConfigFiles,
    SshdConfig,
    canonical,
    match_text,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.daemons import Daemon, daemons
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login import Login, login
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.login_findings import findings_of_enforced
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.penalties import EXEMPT_LIST, only_exempts_more
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.placement import (
    Include,
    made_folder,
    placement,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader, user_classes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.second_daemon import (
    second_daemon_findings,
    second_daemons,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.security_keys import match_of_group, member_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import AssumedPam
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import (
    DEFAULT_GROUP,
    SECURITY_KEY_GROUP,
    Exemptions,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import split
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange, read_file

DROPIN = "/etc/ssh/sshd_config.d/00-fleetmfa.conf"
SSHD_TOTP_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "content": {"type": "str"},
    "dropin": {"type": "path", "default": DROPIN},
    "config": {"type": "path", "default": SSHD_CONFIG},
    "binary": {"type": "path"},
    "group": {"type": "str", "default": DEFAULT_GROUP},
    "overdue_group": {"type": "str"},
    "exempt_users": {"type": "list", "elements": "str", "default": []},
    "exempt_groups": {"type": "list", "elements": "str", "default": []},
    "accept_findings": {"type": "list", "elements": "str", "choices": ["sshd_second_daemon"], "default": []},
}


class SshdEntry(TypedDict):
    """The options above, as Ansible passes them, without those that totp_rollout sets once for the whole roll-out."""

    state: str  # present or absent
    content: str | None  # of the drop-in; required if it should be present
    dropin: str
    config: str
    binary: str | None  # of sshd; None: the one of this machine
    overdue_group: str | None
    accept_findings: list[str]


class SshdWish(SshdEntry):
    """All of the options above."""

    group: str
    exempt_users: list[str]
    exempt_groups: list[str]


# Represents any account that no line names, including ones created in the future.
ANY_USER = Account("fleetmfa-any-user", 65533, frozenset({"fleetmfa-any-user"}))
_MOST_SHOWN = 5


class Surroundings(NamedTuple):
    """What a check needs to know about the host besides its sshd."""

    accounts: Callable[[SshdConfig, str], list[Account]] = login_accounts
    running: Callable[[str], list[Daemon]] = daemons
    # The PAM services as they will be when sshd reads this; called with the configuration without our policy.
    pam: Callable[[PolicyReader], AssumedPam] = lambda bare: AssumedPam()
    files: ConfigFiles = ConfigFiles()
    for_other_hosts: bool = False  # the files are not of this machine, so its host keys say nothing


def plan_sshd_totp(wish: SshdWish, surroundings: Surroundings | None = None) -> tuple[list[FileChange], Sshd]:
    """The checked changes. Raises FindingsError if they must not be made."""
    known = surroundings or Surroundings()
    sshd = Sshd(wish["binary"], for_other_hosts=known.for_other_hosts)
    changes = plan(wish, sshd, known.files)
    check(wish, changes, sshd, known)
    return changes, sshd


def plan(wish: SshdWish, sshd: Sshd, files: ConfigFiles) -> list[FileChange]:
    if wish["state"] == "present" and not sshd.has_include:
        raise FleetMfaError(
            f"OpenSSH {sshd.version[0]}.{sshd.version[1]} has no Include; fleetmfa.ssh needs OpenSSH 8.2 or later on "
            "this host"
        )
    path, main = wish["dropin"], wish["config"]
    present = _main_file(main)
    bare = split(present, main).without
    if wish["state"] == "absent":
        changes = [FileChange(path, None, own_folder=made_folder(present, main))]
        return changes if bare == present else [*changes, FileChange(main, bare)]
    content = (wish["content"] or "").encode()
    overlay = {path: content, main: bare}
    if placement(SshdConfig(main, overlay, sshd.version, files), path, sshd.separate_challenge_response).is_first:
        main_after, our_folder = bare, False
    else:
        our_folder = made_folder(present, main) or not Path(path).parent.is_dir()
        main_after = Include(files.on_host(path), our_folder).block() + bare
    changes = [FileChange(path, content, own_folder=our_folder)]
    return changes if main_after == present else [*changes, FileChange(main, main_after)]


def _main_file(path: str) -> bytes:
    content = read_file(os.path.realpath(path))
    if content is None:
        raise FleetMfaError(
            f"config: {path} does not exist; install the OpenSSH server or set the path of its configuration"
        )
    return content


def bare_config(sshd: Sshd, main: str, path: str, files: ConfigFiles | None = None) -> SshdConfig:
    """The configuration of this host, or of `files`, without our policy."""
    return SshdConfig(main, {path: None, main: split(_main_file(main), main).without}, sshd.version, files)


def check(wish: SshdWish, changes: list[FileChange], sshd: Sshd, surroundings: Surroundings) -> None:
    main, group = wish["config"], wish["group"]
    planned = {change.path: change.after for change in changes}
    with PolicyReader(sshd, SshdConfig(main, planned, sshd.version, surroundings.files)) as after, PolicyReader(
        sshd, bare_config(sshd, main, wish["dropin"], surroundings.files)
    ) as before:
        _refuse_invalid(before, after, wish["dropin"])
        if wish["state"] == "absent":
            return
        accounts = [*surroundings.accounts(after.config, group), ANY_USER]
        overdue = wish["overdue_group"] or ANY_USER.name
        members = _members_to_be(after.config, [*accounts, ANY_USER.joined(overdue)], wish)
        # Settings for overdue users, and for users of security keys, are meant to differ.
        others = [account.left(group).left(overdue).left(SECURITY_KEY_GROUP) for account in accounts]
        pam, seconds = surroundings.pam(before), second_daemons(surroundings.running(main), main)
        findings = [
            *_not_enforcing(after, members, wish, pam),
            *_not_demanding_keys(after, _with_security_keys(accounts, others), wish),
            *_exempt_list_not_read(after, wish["dropin"]),
            *_changes_others(before, after, others, group),
            *second_daemon_findings(seconds, sshd, members, group, planned, pam),
        ]
    findings = [finding for finding in findings if finding.id not in wish["accept_findings"]]
    if findings:
        raise FindingsError(findings)


def _refuse_invalid(before: PolicyReader, after: PolicyReader, path: str) -> None:
    complaint = before.complaint()
    if complaint:
        raise FindingsError([Finding("sshd_config_invalid", (f"even without our change: {complaint}",))])
    complaint = after.complaint()
    if complaint:
        # sshd rejects a global option of the drop-in (before OpenSSH 8.7) if an Include reads it below a Match line.
        below = placement(after.config, path, after.sshd.separate_challenge_response).below_match
        evidence = (
            (complaint, f"{path} is read below `{match_text(below[0].matches[0])}` too") if below else (complaint,)
        )
        raise FindingsError([Finding("sshd_include_below_match" if below else "sshd_config_invalid", evidence)])


def _members_to_be(config: SshdConfig, accounts: list[Account], wish: SshdWish) -> list[Account]:
    """One user of each class of users who are, or may become, members of the group.

    Root gets in only with PermitRootLogin yes: a reason not to make it a member, not to refuse the policy.
    """
    exempt = Exemptions(wish["exempt_users"], wish["exempt_groups"])
    chosen = []
    for members in user_classes(config, accounts, wish["group"]):
        chosen += [one for one in members if wish["group"] in one.groups][:1] or [
            one for one in members if one.uid != 0 and one.name not in exempt
        ][:1]
    return [one.joined(wish["group"]) for one in chosen]


def _not_enforcing(after: PolicyReader, members: list[Account], wish: SshdWish, pam: AssumedPam) -> Iterator[Finding]:
    """What prevents members of the group, now or later, from being asked for a token, or from getting in with one."""
    group = wish["group"]
    demanded = _demanded(after.config, wish["dropin"], group, after.sshd.separate_challenge_response)
    if not demanded:
        raise FleetMfaError(f"content: sets nothing below `Match Group {group}`, so nobody would be asked for a token")
    for account, connection in itertools.product(members, after.connections()):
        one = login(after, account, connection)
        yield from _judged(one, demanded, findings_of_enforced(after.config, one, pam))


def _with_security_keys(accounts: list[Account], others: list[Account]) -> list[Account]:
    """Anybody may become a member of the group; those who are come first, and so are the ones that are named."""
    members = {one.name for one in accounts if SECURITY_KEY_GROUP in one.groups}
    return [one.joined(SECURITY_KEY_GROUP) for one in sorted(others, key=lambda one: one.name not in members)]


def _not_demanding_keys(after: PolicyReader, members: list[Account], wish: SshdWish) -> Iterator[Finding]:
    """What lets members of the group for security keys in without one that has verified its user, if the drop-in is about them."""
    criterion = match_of_group(wish["group"])
    demanded = _demanded(after.config, wish["dropin"], criterion, after.sshd.separate_challenge_response)
    ones = [alike[0] for alike in user_classes(after.config, members, wish["group"])] if demanded else []
    for account, connection in itertools.product(ones, after.connections()):
        one = login(after, account, connection)
        yield from _judged(one, demanded, member_findings(after.config, one))


def _judged(one: Login, demanded: dict[str, str], findings: Iterable[Finding]) -> Iterator[Finding]:
    who = f"{one.account.name} {one.connection}"
    for keyword, value in demanded.items():
        got = " ".join(one.settings.get(keyword, []))
        if got.lower() != value.lower():
            yield Finding("sshd_policy_shadowed", (f"{who}: {keyword} would be `{got}`, not `{value}`",))
    for finding in findings:
        yield finding._replace(evidence=tuple(f"{who}: {text}" for text in finding.evidence))


def _demanded(config: SshdConfig, path: str, group: str, separate_challenge_response: bool) -> dict[str, str]:
    demanded: dict[str, str] = {}
    for directive in config.directives:
        if directive.file == path and directive.matches and directive.matches[-1].criteria == (("group", group),):
            keyword = canonical(directive.keyword, separate_challenge_response)
            demanded.setdefault(keyword, " ".join(directive.arguments))
    return demanded


def _exempt_list_not_read(after: PolicyReader, path: str) -> Iterator[Finding]:
    """The list of addresses that are not penalised is the one global setting that the role may write."""
    for directive in after.config.directives:
        if directive.file == path and directive.keyword == EXEMPT_LIST and not directive.matches:
            wanted, got = " ".join(directive.arguments), " ".join(after.global_settings().get(EXEMPT_LIST, []))
            if got != wanted:
                yield Finding("sshd_policy_shadowed", (f"{EXEMPT_LIST} would be `{got}`, not `{wanted}`",))


def _changes_others(before: PolicyReader, after: PolicyReader, others: list[Account], group: str) -> Iterator[Finding]:
    ones = [members[0] for members in user_classes(after.config, others, group)]
    separate = after.sshd.separate_challenge_response
    for account, connection in itertools.product(ones, after.connections()):
        was = _comparable(before.settings(account, connection), separate)
        becomes = _comparable(after.settings(account, connection), separate)
        differences = [
            f"{keyword} `{was.get(keyword, '')}` would become `{becomes.get(keyword, '')}`"
            for keyword in sorted({*was, *becomes})
            if was.get(keyword) != becomes.get(keyword)
            and not only_exempts_more(keyword, was.get(keyword, ""), becomes.get(keyword, ""))
        ]
        if differences:
            said = f"{account.name} {connection}: {', '.join(differences[:_MOST_SHOWN])}"
            yield Finding("sshd_changes_others", (said,))


def _comparable(settings: dict[str, list[str]], separate_challenge_response: bool) -> dict[str, str]:
    """Before 8.7 two options together control keyboard-interactive, so they are compared together."""
    values = {keyword: "\n".join(said) for keyword, said in settings.items()}
    if separate_challenge_response and values.pop("challengeresponseauthentication", "yes") != "yes":
        values["kbdinteractiveauthentication"] = "no"
    return values
