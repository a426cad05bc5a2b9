# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the host enforces with is lost to another tool, one piece or two: an attacker with the key and the password, and
without a token, is let in by none of it, and who is not enforced gets in as before."""

from __future__ import annotations

import itertools

import pytest

from lab.logins import client_options, login, run_client

USER, PASSWORD, NOT_ENFORCED = "guarded", "correct horse", "idle"
LOSSES = {
    "drop-in": "rm /etc/ssh/sshd_config.d/00-fleetmfa.conf",
    # What prepare.yml allows goes with the drop-ins, and the attacker must not be held up by penalties.
    "Include": "cd /etc/ssh; sed -i '/^Include/d' sshd_config; cat sshd_config.d/9[89]-* >> sshd_config",
    "PAM lines": "sed -i '/^# BEGIN fleetmfa.ssh$/,/^# END fleetmfa.ssh$/d' /etc/pam.d/sshd; rm -f /etc/pam.d/sshd-mfa",
    "membership": f"gpasswd -d {USER} mfa-enforced",
    "programs": "rm -r /usr/local/libexec/fleetmfa",
    "key": f"rm /var/lib/fleetmfa/keys/{USER}",
    "policy": "rm /etc/fleetmfa/policy.conf",
}
# Pieces of the account check itself: the others hold while one of these is lost.
CHECK = {
    "account lines": "sed -i '/^# BEGIN fleetmfa.ssh account/,/^# END fleetmfa.ssh account/d' /etc/pam.d/common-account",
    "record": "rm -r /var/lib/fleetmfa/enforced",
    "guard's records": "rm -r /var/lib/fleetmfa/guard",
}
# Of our lines, whichever service they are in; `sshd-mfa` is there with OpenSSH 9.8 and later.
TOKEN_LINES = {
    f"lines with {text}": f"sed -i '/{text}/d' /etc/pam.d/sshd*"
    for text in ("totp-guard attempt", "pam_google_authenticator", "totp-guard failed", "totp-guard claim", "pam_deny")
}
SINGLE = {(name,): script for name, script in {**LOSSES, **CHECK, **TOKEN_LINES}.items()}
PAIRS = {pair: "; ".join(LOSSES[name] for name in pair) for pair in itertools.combinations(LOSSES, 2)}
SAVED = "/etc/ssh /etc/pam.d /etc/group /etc/gshadow /etc/fleetmfa /var/lib/fleetmfa /usr/local/libexec/fleetmfa"
RESTORE = "rm -rf /etc/ssh /etc/pam.d /etc/fleetmfa /var/lib/fleetmfa /usr/local/libexec/fleetmfa; tar -C / -xpf /root/saved.tar"


@pytest.fixture
def losing(root, reload_sshd):
    """losing(script) removes something, and restores it at the end of the test or at the next call."""
    root.run_expect([0], f"tar -cpf /root/saved.tar {SAVED}")

    def restore():
        root.run_expect([0], RESTORE)
        reload_sshd()

    def lose(script):
        restore()
        root.run_expect([0], script)
        reload_sshd()

    yield lose
    restore()


def ways_in(server) -> list[str]:
    """What lets the attacker in."""
    target = f"{USER}@{server.address}"
    by_password = [
        "ssh",
        *client_options(server, key=False),
        "-o",
        "PreferredAuthentications=password",
        target,
        "id -un",
    ]
    attempts = {
        "key": login(server, USER),
        "key and password": login(server, USER, [PASSWORD, PASSWORD]),
        "password at the prompts": login(server, USER, [PASSWORD, PASSWORD], key=False),
        "password": run_client(by_password, [PASSWORD]),
    }
    return [name for name, attempt in attempts.items() if attempt.allowed]


@pytest.mark.parametrize("losses", [SINGLE, PAIRS], ids=["single", "pairs"])
def test_no_loss_opens(losses, server, losing):
    opened, shut_out = {}, []
    for lost, script in losses.items():
        losing(script)
        opened[lost] = ways_in(server)
        other = login(server, NOT_ENFORCED)
        if not other.allowed or other.asked:
            shut_out.append(lost)
    assert len(opened) == len(losses)
    assert {lost: ways for lost, ways in opened.items() if ways} == {}
    assert shut_out == []


def test_the_attack_is_real(server, losing):
    """Without the account check each of these succeeds, so the test above compares something."""
    for lost, way in {"drop-in": "key", "membership": "key", "PAM lines": "key and password"}.items():
        losing(f"{LOSSES[lost]}; {CHECK['account lines']}")
        assert way in ways_in(server), lost


def test_a_right_token_is_not_enough_without_a_token_line(server, keys, losing):
    """The account lines are gone as well, so it is PAM's auth phase that denies."""
    for lost, script in TOKEN_LINES.items():
        losing(f"{script}; {CHECK['account lines']}")
        assert not login(server, USER, [keys[USER].token()]).allowed, lost


def test_the_rightful_user_gets_in_afterwards(server, keys):
    attempt = login(server, USER, [keys[USER].token()])
    assert attempt.allowed and attempt.prompts == ["Verification code: "]
