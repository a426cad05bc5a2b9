# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import itertools
import random

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.dispatch import State, fixed_result, step
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.modules import TOKEN_MODULES, outcomes
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import prove, runs_command, token_line
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.subject import Subject
from ansible_collections.fleetmfa.ssh.tests.support.work import calls_made

COMMON_AUTH = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
GATED = (
    "auth [success=ignore auth_err=2 default=die] pam_succeed_if.so quiet user ingroup mfa\n"
    "auth requisite pam_google_authenticator.so secret=/keys/${USER} user=root noskewadj\n"
    "auth sufficient pam_permit.so\n"
    "@include common-auth\n"
)
MEMBER = Subject(member_of=frozenset(("mfa",)), has_key=True)
OTHERS = Subject(not_member_of=frozenset(("mfa",)), has_key=False)


def verdict(text, subject=MEMBER, **options):
    return prove(PamConfig("/nonexistent", {"sshd": text, "common-auth": COMMON_AUTH}), "sshd", subject, **options)


def test_members_are_asked_others_are_not():
    member, others = verdict(GATED), verdict(GATED, OTHERS)
    assert (member.can_succeed, member.can_succeed_without_token) == (True, False)
    assert (member.token_asked_when_it_succeeds, member.ways_in) == ("always", [["token"]])
    assert not member.can_succeed_if_token_module_missing
    assert (others.token_asked, others.ways_in) == ("never", [["password"]])


def test_a_member_whose_key_file_is_gone_is_denied():
    found = verdict(GATED, Subject(member_of=frozenset(("mfa",)), has_key=False))
    assert (found.can_succeed, found.can_succeed_without_token, found.token_asked) == (False, False, "always")


def test_the_worst_case_is_somebody_who_is_not_asked():
    found = verdict(GATED, Subject())
    assert (found.can_succeed_without_token, found.token_asked) == (True, "sometimes")
    assert [(step["line"], step["returned"]) for step in found.counterexample][0] == (1, "auth_err")


def test_the_counterexample_names_place_module_result_and_effect():
    found = verdict("auth sufficient pam_unix.so\nauth required pam_google_authenticator.so\n")
    assert found.counterexample == [
        {
            "file": "/nonexistent/sshd",
            "line": 1,
            "module": "pam_unix.so",
            "prompt": "Password: ",
            "answer": "password",
            "returned": "success",
            "effect": "counts as success and ends the stack; the stack ends with success",
        }
    ]
    assert found.explain() == (
        "/nonexistent/sshd:1: pam_unix.so returned success: counts as success and ends the stack; the stack ends with "
        "success"
    )


def test_done_in_a_substack_ends_the_substack_only():
    config = PamConfig(
        "/nonexistent",
        {
            "sshd": "auth substack inner\nauth required pam_google_authenticator.so\n",
            "inner": "auth sufficient pam_unix.so\nauth required pam_deny.so\n",
        },
    )
    found = prove(config, "sshd", MEMBER)
    assert found.ways_in == [["password", "token"]]
    config = PamConfig("/nonexistent", {"sshd": "auth substack inner\n", "inner": "auth sufficient pam_x.so\n"})
    assert prove(config, "sshd").counterexample[0]["effect"].startswith("counts as success and ends this substack")


def test_a_service_libpam_does_not_start():
    found = prove(PamConfig("/nonexistent"), "sshd")
    assert (found.can_succeed, found.can_succeed_if_token_module_missing, found.token_asked) == (False, False, "never")
    assert found.explain() == found.problem == "neither sshd nor other exists in /nonexistent"


def test_unknown_modules_may_do_anything_and_are_named():
    found = verdict("auth required pam_foo.so\nauth optional pam_bar.so\n")
    assert (found.can_succeed, found.unknown_modules) == (True, ["pam_bar.so", "pam_foo.so"])


def test_a_module_that_is_not_installed():
    found = verdict("auth required pam_permit.so\n", is_installed=lambda module: False)
    assert (found.can_succeed, found.lines[0]["results"]) == (False, ["module_unknown"])


def test_what_if():
    text = "auth required pam_google_authenticator.so\nauth required pam_foo.so\n"
    assert not verdict(text, assume={"sshd:2": ["auth_err"]}).can_succeed
    assert not verdict(text, assume={"/nonexistent/sshd:1": ["auth_err", "ignore"]}, subject=OTHERS).ways_in[0]
    assert verdict(text, assume={"sshd:1": ["success"]}).token_asked == "always"


@pytest.mark.parametrize(
    ("assume", "message"),
    [
        ({"sshd:9": ["success"]}, "no auth line at sshd:9"),
        ({"hd:1": ["success"]}, "no auth line at hd:1"),
        ({"sshd:1": ["yes"]}, "sshd:1 must be a list of results"),
        ({"sshd:1": []}, "sshd:1 must be a list of results"),
        ({"sshd:1": "success"}, "sshd:1 must be a list of results"),
    ],
)
def test_a_question_that_makes_no_sense(assume, message):
    with pytest.raises(FleetMfaError, match=message):
        verdict("auth required pam_foo.so\n", assume=assume)


GUARD = "/usr/local/libexec/fleetmfa/totp-guard"
ATTEMPT = f"auth requisite pam_exec.so quiet {GUARD} attempt\n"
TOKEN = "auth requisite pam_google_authenticator.so\n"
CLAIM = f"auth requisite pam_exec.so quiet {GUARD} claim\n"


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        (ATTEMPT + TOKEN + CLAIM, True),
        (TOKEN + CLAIM, False),
        (ATTEMPT + TOKEN, False),
        (ATTEMPT + CLAIM + TOKEN, False),
        (TOKEN + ATTEMPT + CLAIM, False),
        (ATTEMPT + TOKEN + CLAIM.replace("requisite", "optional"), False),
        (ATTEMPT.replace("requisite", "sufficient") + TOKEN + CLAIM, False),
        (ATTEMPT + TOKEN + CLAIM.replace("quiet", "type=account"), False),
        (ATTEMPT + TOKEN + CLAIM.replace(GUARD, "/tmp/totp-guard"), False),  # noqa: S108
    ],
)
def test_a_login_counts_only_with_the_guard_before_and_after(text, guarded):
    required = [runs_command(GUARD, "attempt"), token_line(), runs_command(GUARD, "claim")]
    found = verdict(text, required=required)
    assert found.can_succeed
    assert found.can_succeed_without_token is not guarded


def brute_force(lines, subject):
    """(succeeds, token proven, token asked) of every combination of what the lines may do, one by one."""
    choices = [[None] if fixed_result(line) else outcomes(line, subject, "sshd", TOKEN_MODULES) for line in lines]
    found = set()
    for combination in itertools.product(*choices):
        state, proven, asked = State(), False, False
        while state.position < len(lines):
            line, outcome = lines[state.position], combination[state.position]
            if outcome is not None:
                asked |= outcome.asks_token
                proven |= outcome.result == "success" and outcome.genuine and line.module_name in TOKEN_MODULES
            state = step(lines, state, outcome.result if outcome else fixed_result(line))
        found.add((state.judgement.result == "success", proven, asked))
    return found


def random_line(dice):
    control = dice.choice(("required", "requisite", "sufficient", "optional", None, None))
    if control is None:
        actions = ("ok", "done", "ignore", "bad", "die", "reset", "1", "2")
        control = f"[success={dice.choice(actions)} ignore={dice.choice(actions)} default={dice.choice(actions)}]"
    return f"auth {control} " + dice.choice(
        (
            "pam_permit.so",
            "pam_deny.so",
            "pam_env.so",
            "pam_rootok.so",
            "pam_timestamp.so",
            "pam_succeed_if.so user ingroup mfa",
            "pam_succeed_if.so user ingroup wheel",
            "pam_google_authenticator.so",
            "pam_google_authenticator.so nullok",
            "pam_google_authenticator.so grace_period=9",
        )
    )


def how_often(answers):
    return "sometimes" if len(answers) == 2 else "always" if True in answers else "never"


def test_the_exploration_finds_what_trying_everything_finds():
    seed = random.SystemRandom().randrange(2**32)
    dice = random.Random(seed)
    verdicts = set()
    for _round in range(400):
        inner = "".join(f"{random_line(dice)}\n" for _round in range(dice.randint(0, 3)))
        outer = [random_line(dice) for _round in range(dice.randint(1, 4))]
        outer.insert(dice.randint(0, len(outer)), "auth substack inner")
        config = PamConfig("/nonexistent", {"sshd": "\n".join(outer) + "\n", "inner": inner})
        subject = Subject(member_of=frozenset(("mfa",)), has_key=dice.choice((True, False, None)))
        ends = brute_force(config.auth_stack("sshd").lines, subject)
        successes = {end for end in ends if end[0]}
        found = prove(config, "sshd", subject)
        expected = (
            bool(successes),
            any(not proven for _yes, proven, _asked in successes),
            how_often({asked for _yes, _proven, asked in ends}),
            how_often({asked for _yes, _proven, asked in successes}),
        )
        assert expected == (
            found.can_succeed,
            found.can_succeed_without_token,
            found.token_asked,
            found.token_asked_when_it_succeeds,
        ), f"seed {seed}\n{outer}\n{inner}"
        verdicts.add(expected)
    assert len(verdicts) > 8, "the random stacks are all alike"


def nested(levels, action):
    line = f"auth [success=ok auth_err={action} user_unknown=bad default=ignore] pam_foo.so\n"
    files = {f"s{number}": line + f"auth substack s{number + 1}\n" + line for number in range(levels)}
    return PamConfig("/nonexistent", {**files, f"s{levels}": line, "sshd": f"auth substack s0\n{line}"})


@pytest.mark.parametrize("action", ["die", "reset"])
def test_deeply_nested_substacks_do_not_multiply(action):
    assert prove(nested(13, action), "sshd").can_succeed
    few, many = (calls_made(lambda levels=levels: prove(nested(levels, action), "sshd")) for levels in (6, 12))
    assert many < few * 8


def test_sixty_lines_do_not_multiply():
    pairs = [
        f"auth [success={1 + number % 3} auth_err=reset default=ignore] pam_foo{number}.so\n"
        f"auth optional pam_google_authenticator.so nullok\n"
        for number in range(30)
    ]
    found = verdict("".join(pairs), Subject())
    few, many = (calls_made(lambda lines=lines: verdict("".join(lines), Subject())) for lines in (pairs[:15], pairs))
    assert many < few * 8
    assert len(found.lines) == 60
    assert (found.can_succeed, found.token_asked) == (True, "sometimes")
