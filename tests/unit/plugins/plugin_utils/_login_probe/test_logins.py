# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Probes of a real sshd with the real PAM module: every result, with its steps and its reason."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.client_keys import key_of_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ERROR, ProbeStep
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.run import run_probes
from ansible_collections.fleetmfa.ssh.tests.support.probed_host import ProbedHost, together
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

pytest.importorskip("paramiko")
pytestmark = [
    needs_sshd,
    pytest.mark.skipif(
        find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator on this machine"
    ),
]
OTHER_SECRET = "ZKXZ2PEOGY2FWWEDIHBDPGIJ6XPJNJFN"
OFFERED = ProbeStep("none", "offered", ["publickey"], [])
KEY_TAKEN = ProbeStep("publickey", "partial", ["keyboard-interactive"], [])
PROMPT = "Verification code:"


@pytest.fixture
def host(tmp_path, accounts):
    made = ProbedHost(tmp_path)
    yield made
    made.stop()


def test_asked(host):
    row = host.row("alice", "asked", secret=host.secret)
    assert (row.result, row.ok, row.reason) == ("asked", True, ""), row
    assert row.steps == [OFFERED, KEY_TAKEN, ProbeStep("keyboard-interactive", "accepted", [], [PROMPT])]
    assert host.logged_in(1) and row.seconds > 0


def test_asked_without_a_secret_stops_at_the_prompt(host):
    row = host.row("alice", "asked")
    assert row.ok and "stopped at the prompt" in row.reason, row
    assert row.steps[-1] == ProbeStep("keyboard-interactive", "stopped", ["keyboard-interactive"], [PROMPT])
    assert host.refused(0) and host.logged_in(0)


def test_not_asked(host):
    row = host.row("bob", "not_asked", secret=host.secret)
    assert row.ok and row.steps == [OFFERED, ProbeStep("publickey", "accepted", [], [])], row


@pytest.mark.parametrize(
    ("user", "expected"), [("alice", "not_asked"), ("alice", "denied"), ("bob", "asked"), ("carol", "asked")]
)
def test_what_is_not_expected_is_not_ok(host, user, expected):
    assert not host.row(user, expected).ok


def test_denied_without_an_ssh_key(host):
    row = host.row("carol", "denied", secret=host.secret)
    assert row.ok and row.reason == "refused: publickey; no token was asked for", row


def test_denied_with_a_wrong_token(host):
    row = host.row("alice", "denied", secret=OTHER_SECRET)
    assert row.ok and "a token was asked for and given" in row.reason, row
    assert host.refused(1)


def test_denied_over_the_rate_limit(host):
    host.write_key(f'" RATE_LIMIT 1 3600 {int(time.time())}')
    row = host.row("alice", "denied", secret=host.secret)
    assert row.ok and "refused the login before it asked" in row.reason, row


def test_denied_by_the_account_phase(host):
    path = Path("/etc/pam.d/sshd")
    path.write_text(path.read_text().replace("account required pam_permit.so", "account required pam_deny.so"))
    row = host.row("bob", "denied")
    assert row.ok and "closed the connection after publickey" in row.reason, row
    row = host.row("alice", "denied", secret=host.secret)
    assert row.ok, row
    other = host.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    row = host.row("bob", "denied", keys=(key_of_file(str(other)), key_of_file(str(host.key))))
    assert row.result == ERROR and "too many keys" in row.reason, row


def test_denied_by_setcred(host):
    path = Path("/etc/pam.d/sshd")
    path.write_text(path.read_text().replace("auth required pam_permit.so", "auth required pam_debug.so cred=cred_err"))
    row = host.row("alice", "denied", secret=host.secret)
    assert row.ok and "setcred of PAM" in row.reason, row


def test_nothing_to_log_in_with_is_no_denial(host):
    row = host.row("alice", "denied", keys=())
    assert row.result == ERROR and "nothing to log in with: the host takes publickey" in row.reason, row


def test_an_unknown_prompt_is_shown_and_not_answered(host):
    host.ask_with("Favourite colour:")
    row = host.row("alice", "asked", secret=host.secret)
    assert row.result == ERROR and "Favourite colour:" in row.reason, row
    assert host.refused(0)


def test_password_and_token(host):
    subprocess.run(["chpasswd", "-c", "SHA512"], input="alice:pass word", text=True, check=True)
    host.ask_password_and_token()
    row = host.row("alice", "asked", secret=host.secret, password="pass word")
    assert row.ok and row.steps[-1].prompts == ["Password:", PROMPT], row
    row = host.row("alice", "denied", secret=host.secret, password="another")
    assert row.ok and "pass word" not in repr(row), row
    row = host.row("alice", "denied", secret=host.secret)
    assert row.result == ERROR and "a password is asked for" in row.reason, row


def test_password_alone(host):
    subprocess.run(["chpasswd", "-c", "SHA512"], input="bob:pass word", text=True, check=True)
    host.write_service("auth required pam_unix.so")
    host.match("User bob", "AuthenticationMethods password", "PasswordAuthentication yes")
    row = host.row("bob", "not_asked", keys=(), password="pass word")
    assert row.ok and [step.method for step in row.steps] == ["none", "password"], row
    host.match("User bob", "AuthenticationMethods publickey keyboard-interactive")
    row = host.row("bob", "not_asked", keys=(), password="pass word")
    assert row.ok and row.steps[-1].prompts == ["Password:"], row


def test_key_refused_and_a_password_not_given_is_denied(host):
    host.write_service("auth required pam_unix.so")
    host.match("User carol", "AuthenticationMethods publickey keyboard-interactive")
    row = host.row("carol", "denied")
    assert row.ok and "no SSH key was accepted; a password is asked for" in row.reason, row


def test_keys_of_the_agent(host, monkeypatch):
    socket = host.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.05)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        assert host.row("bob", "denied", keys=(), agent=True).result == ERROR, (
            "an empty agent has nothing to log in with"
        )
        subprocess.run(["ssh-add", "-q", str(host.key)], check=True, env=os.environ)
        rows = together(*[lambda: host.row("bob", "not_asked", keys=(), agent=True)] * 4)
        assert [row.ok for row in rows] == [True] * 4, rows
    finally:
        agent.terminate()
        agent.wait()


@pytest.mark.release
def test_no_token_is_used_twice(host):
    """Three logins of one user in one call, then one with Ansible, and one of the probe again: five steps."""
    probes = [host.probe("alice", "asked", secret=host.secret)] * 3
    rows = run_probes(probes, host.prober().row, 3, lambda _text: None)
    assert [row.ok for row in rows] == [True] * 3, rows
    done = host.ansible()
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.row("alice", "asked", secret=host.secret).ok
    assert host.logged_in(5) and host.refused(0)
    records = [path for path in (host.folder / "steps").iterdir() if path.suffix != ".turn" and path.name != "name_key"]
    assert len(records) == 1, "the probe and the connection plugin have one record"


def test_unknown_changed_and_revoked_host_keys(host, tmp_path):
    known = tmp_path / "known"
    line = host.known_hosts.read_text()
    (tmp_path / "other").mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other/key")], check=True)
    other = f"[127.0.0.1]:{host.port} {(tmp_path / 'other/key.pub').read_text()}"
    for text, told in (
        ("", "known_hosts has no key of 127.0.0.1"),
        (other, "another key than known_hosts says"),
        (f"{line}@revoked {line}", "calls revoked"),
    ):
        known.write_text(text)
        row = host.prober(known).row(host.probe("alice", "denied", secret=host.secret))
        assert row.result == ERROR and told in row.reason and not row.steps, row
    known.write_text(other + line)
    assert host.prober(known).row(host.probe("bob", "not_asked")).ok, "a second key of a type counts as well"
    assert "alice" not in host.log, "no user was named to a host that is not known"
