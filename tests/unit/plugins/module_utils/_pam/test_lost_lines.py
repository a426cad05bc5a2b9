# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The token lines without any one and any two of them (docs/fail_closed.md): nobody gets in who would not with all of them.

With the prover, which assumes every result of every line. What the guard does by itself is assumed: that `failed` fails, and that
`claim` fails without an attempt on record. tests/unit/roles/test_guard_lost_lines.py tries both.
"""

from __future__ import annotations

import functools
import itertools

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import PASSWORD_MODULES
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import NEVER, prove, runs_command, token_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.setcred import set_credentials
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import auth_lines, token_lines

PROGRAMS = "/usr/local/libexec/fleetmfa"
GUARD = f"{PROGRAMS}/totp-guard"
GROUP = frozenset({"mfa-enforced"})
MEMBER, OTHER = Subject(member_of=GROUP, has_key=True), Subject(not_member_of=GROUP, has_key=False)
FACTORS = ("publickey+totp", "password+totp", "either")
HOSTS = {
    "debian": "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
    # Without its first line everybody gets in: a jump that goes too far shows here.
    "short": "auth requisite pam_unix.so\nauth required pam_permit.so\n",
}
FORMS = [
    pytest.param(
        host,
        {"factors": factors, "second_device": second, "own_service": own, "remember_seconds": seconds},
        id=f"{host}-{factors}-{second}-{own}-{seconds}",
    )
    for host in HOSTS
    for factors in FACTORS
    for second in ((False, True) if factors == "publickey+totp" else (False,))
    for seconds in ((0, 3600) if factors == "publickey+totp" else (0,))
    for own in (False, True)
]
REMEMBERING = [form for form in FORMS if form.values[1]["remember_seconds"]]
attempts, fails, claims, remembers = (
    functools.partial(runs_command, GUARD)(name) for name in ("attempt", "failed", "claim", "remembered")
)


def first_factor(line):
    return line.module_name in PASSWORD_MODULES or runs_command(f"{PROGRAMS}/key-used")(line)


def claims_or_remembers(line):
    return claims(line) or remembers(line)


def last_line(line):
    return line.module_name == "pam_succeed_if.so" and line.control.lower() == "sufficient"


def with_lines_lost(folder, host, form):
    """For each loss of at most two lines: those lines, and the service without them."""
    lines = auth_lines(token_lines(PROGRAMS, "/var/lib/fleetmfa", **form))
    assert len(lines) >= 4
    for count in (0, 1, 2):
        for lost in itertools.combinations(range(len(lines)), count):
            left = [f"{line}\n" for number, line in enumerate(lines) if number not in lost]
            folder.joinpath("sshd").write_text("".join(left) + HOSTS[host])
            yield [lines[number] for number in lost], PamConfig(str(folder))


def assumed(config):
    """What the guard does by itself."""
    lines = config.auth_stack("sshd").lines
    refuses = [fails] if any(map(attempts, lines)) else [fails, claims]
    return {line.place: ["system_err"] for line in lines if any(test(line) for test in refuses)}


@pytest.mark.parametrize(("host", "form"), FORMS)
def test_nobody_gets_in_without_a_claim_and_the_other_factor(tmp_path, host, form):
    """With `remembered`, who was remembered has made a claim before."""
    required = [claims_or_remembers] if form["factors"] == "publickey+totp" else [claims, first_factor]
    for lost, config in with_lines_lost(tmp_path, host, form):
        found = prove(config, "sshd", MEMBER, assume=assumed(config), required=required)
        assert not found.can_succeed_without_token, f"{lost}\n{found.explain()}"
        assert found.can_succeed or lost


@pytest.mark.parametrize(("host", "form"), REMEMBERING)
def test_who_is_not_remembered_needs_a_claim_as_ever(tmp_path, host, form):
    for lost, config in with_lines_lost(tmp_path, host, form):
        asked = {line.place: ["system_err"] for line in config.auth_stack("sshd").lines if remembers(line)}
        found = prove(config, "sshd", MEMBER, assume={**assumed(config), **asked}, required=[claims])
        assert not found.can_succeed_without_token, f"{lost}\n{found.explain()}"


@pytest.mark.parametrize(("host", "form"), REMEMBERING)
def test_who_is_remembered_lands_on_the_last_line_or_needs_the_password(tmp_path, host, form):
    for lost, config in with_lines_lost(tmp_path, host, form):
        passed = {line.place: ["success"] for line in config.auth_stack("sshd").lines if remembers(line)}
        found = prove(
            config,
            "sshd",
            MEMBER,
            assume={**assumed(config), **passed},
            required=[lambda line: last_line(line) or first_factor(line)],
        )
        assert not found.can_succeed_without_token, f"{lost}\n{found.explain()}"
        assert found.can_succeed and found.token_asked == NEVER or lost


@pytest.mark.parametrize(("host", "form"), FORMS)
def test_no_wrong_token_gets_in_whatever_claim_says(tmp_path, host, form):
    """`claim` may take the token that the user has given in another login at this moment."""
    for lost, config in with_lines_lost(tmp_path, host, form):
        wrong = {line.place: ["auth_err"] for line in config.auth_stack("sshd").lines if token_line()(line)}
        found = prove(config, "sshd", MEMBER, assume={**assumed(config), **wrong})
        assert found.token_asked_when_it_succeeds == NEVER, f"{lost}\n{found.explain()}"


@pytest.mark.parametrize(
    ("factors", "guard", "more"),
    [
        *itertools.product(FACTORS, (False, True), ({},)),
        *itertools.product(
            FACTORS[:1], (True,), ({"remember_seconds": 3600}, {"remember_seconds": 3600, "second_device": True})
        ),
    ],
)
@pytest.mark.parametrize("host", HOSTS)
def test_who_is_not_enforced_needs_the_password_as_before(tmp_path, host, factors, guard, more):
    """The gate jumps over lines that are no longer there."""
    form = {"factors": factors, "second_device": False, "own_service": False, "guard": guard, **more}
    for lost, config in with_lines_lost(tmp_path, host, form):
        found = prove(config, "sshd", OTHER, assume=assumed(config), required=[first_factor])
        assert not found.can_succeed_without_token, f"{lost}\n{found.explain()}"
        assert found.ways_in == [["password"]] or lost


@pytest.mark.parametrize(("host", "form"), FORMS)
def test_pam_setcred_goes_through_the_lines_as_if_they_were_not_there(host, form):
    lines = auth_lines(token_lines(PROGRAMS, "/var/lib/fleetmfa", **form))
    without, found = (
        set_credentials(PamConfig("/nonexistent", {"sshd": text + HOSTS[host]}), "sshd")
        for text in ("", "".join(f"{line}\n" for line in lines))
    )
    assert found.succeeds == without.succeeds == "always"
    assert without.reached <= found.reached
