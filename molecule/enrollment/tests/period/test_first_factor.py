# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""keyless has no SSH key under publickey+totp, or one that sshd does not take: nobody makes an enforced user of keyless."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pyotp
import pytest

from lab.logins import login

USER, HOME = "keyless", "/home/keyless"
KEYS = f"{HOME}/.ssh/authorized_keys"
CONVERGE = Path(__file__).parents[2] / "converge.yml"
EVERYTHING = "find /etc/ssh /etc/pam.d /etc/fleetmfa /etc/group /var/lib/fleetmfa/keys -type f -exec cksum {} +"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

# What is done to a good file, and whether sshd lets the user in by it then.
FILES = {
    "as it should be": ("true", True),
    "no file": (f"rm {KEYS}", False),
    "empty": (f": > {KEYS}", False),
    "comments only": (f"sed -i 's/^/# /' {KEYS}", False),
    "damaged": (f"sed -i 's/AAAA/AAAB/' {KEYS}", False),
    "expired": (f"sed -i '1s/^/expiry-time=\"20200101\" /' {KEYS}", False),
    "not yet expired": (f"sed -i '1s/^/expiry-time=\"29990101\",no-pty /' {KEYS}", True),
    "an option nobody knows": (f"sed -i '1s/^/no-such-option /' {KEYS}", False),
    "a value without quotation marks": (f"sed -i '1s/^/command=id /' {KEYS}", False),
    "a blank in a value": (f"sed -i '1s/^/environment=\"A=b c\",restrict /' {KEYS}", True),
    "everybody may write to the file": (f"chmod 0666 {KEYS}", False),
    "everybody may write to the folder": (f"chmod 0777 {HOME}/.ssh", False),
    "everybody may write to the home": (f"chmod 0777 {HOME}", False),
    "the user's own group may write": (f"chmod 0664 {KEYS}", True),
    "another group may write": (f"chgrp nogroup {KEYS}; chmod 0664 {KEYS}", False),
    "a group of nobody may write": (f"chgrp users {KEYS}; chmod 0664 {KEYS}", False),
    "somebody else's": (f"chown nobody {KEYS}; chmod 0644 {KEYS}", False),
    "root's, and nobody else reads it": (f"chown root {KEYS}", False),
    "root's, and everybody reads it": (f"chown root {KEYS}; chmod 0644 {KEYS}", True),
    "a folder": (f"rm {KEYS}; mkdir {KEYS}", False),
    "the other file of the default": (f"mv {KEYS} {KEYS}2", True),
    "a symbolic link": (f"mv {KEYS} {HOME}/keys; ln -s {HOME}/keys {KEYS}", True),
    "carriage returns": (f"sed -i 's/$/\\r/' {KEYS}", True),
    "a byte order mark": (f"sed -i '1s/^/\\xef\\xbb\\xbf/' {KEYS}", False),
}


@pytest.fixture
def keyless(root):
    """keyless("rm …"): done to an account that is as it should be; as it was again afterwards."""

    def good():
        root.run_expect(
            [0], f"rm -rf {HOME}/.ssh {HOME}/keys; install -d -m 0755 -o {USER} -g {USER} {HOME} {HOME}/.ssh"
        )
        root.run_expect([0], f"install -m 0600 -o {USER} -g {USER} /home/ansible/.ssh/authorized_keys {KEYS}")

    def done(command):
        good()
        root.run_expect([0], command)

    yield done
    good()


@pytest.fixture
def enroll(root):
    """What mfa-enroll says to keyless, who came in by another way (without a terminal it stops at the first page)."""
    return lambda: root.run(f"su {USER} -s /bin/sh -c 'mfa-enroll --plain < /dev/null'").stderr


@pytest.fixture
def ask(root):
    """What the service answers to a program of the user's own."""
    client = "import socket, sys; s = socket.socket(1); s.connect('/run/fleetmfa/enroll.sock'); s.sendall(sys.argv[1].encode() + b'\\n')"

    def ask_(request):
        client_command = (
            f"python3 -c {shlex.quote(client + '; print(s.recv(9999))')} {shlex.quote(json.dumps(request))}"
        )
        return root.run_expect([0], f"su {USER} -s /bin/sh -c {shlex.quote(client_command)}").stdout

    return ask_


@pytest.mark.parametrize("what", FILES)
def test_it_is_told_as_sshd_decides(server, keyless, enroll, what):
    command, expected = FILES[what]
    keyless(command)
    assert login(server, USER).allowed == expected
    said = enroll()
    assert ("You cannot enroll yet" in said) == (not expected), said


@pytest.mark.parametrize(
    ("folder", "body", "allowed", "told"),
    [
        ("/etc/ssh", "cat /etc/ssh/test.$1", True, ""),
        ("/etc/ssh", "true", False, "no SSH key in what AuthorizedKeysCommand"),
        ("/etc/ssh", "exit 1", False, "did not answer when it was run"),
        ("/var/mail", "cat /etc/ssh/test.$1", False, "others can write to /var/mail"),
    ],
)
def test_authorized_keys_command_is_asked(server, root, keyless, enroll, reload_sshd, folder, body, allowed, told):
    """By systemd and as its user: not with what confines the service, so that it says what sshd would hear."""
    keyless(f"mv {KEYS} /etc/ssh/test.{USER}; chmod 0644 /etc/ssh/test.{USER}")
    command, config = f"{folder}/test-keys", "/etc/ssh/sshd_config.d/90-test-keys.conf"
    root.run_expect(
        [0], f"printf '%s\\n' '#!/bin/sh' '[ $(id -un) = nobody ] || exit 3' '{body}' > {command}; chmod 0755 {command}"
    )
    setting = f"Match User {USER}\\nAuthorizedKeysCommand {command} %%u\\nAuthorizedKeysCommandUser nobody\\n"
    root.run_expect([0], f"printf '{setting}' > {config}")
    try:
        reload_sshd()
        assert login(server, USER).allowed == allowed
        said = enroll()
        assert ("You cannot enroll yet" in said) == (not allowed) and told in said, said
    finally:
        root.run_expect([0], f"rm {config} {command} /etc/ssh/test.{USER}")
        reload_sshd()


def test_mfa_enroll_sends_away_who_has_no_key_and_nothing_else_happens(root, keyless, enroll, ask, state_of):
    keyless(f"rm {KEYS}")
    before = root.run(EVERYTHING).stdout
    said = " ".join(enroll().split())
    assert f"no SSH key, since there is no file {KEYS}" in said and f"add a public key to {KEYS}" in said
    for request in ({"request": "ready"}, {"request": "key"}, {"request": "first", "token": "000000"}):
        assert "You cannot enroll yet" in ask(request)
    assert root.run(EVERYTHING).stdout == before
    assert "validated" not in state_of(USER)


def test_operators_are_refused_too(server, root, keyless, playbook):
    keyless(f"rm {KEYS}")
    before = root.run(EVERYTHING).stdout
    totp = pyotp.TOTP(root.run(f"head -1 /var/lib/fleetmfa/pending/{USER}").stdout.strip())
    variables = {"mfa_validate_user": USER, "mfa_validate_first": totp.now(), "mfa_validate_second": "000000"}
    for said in (
        _refusal(playbook, "fleetmfa.ssh.validate", server, **variables),
        _refusal(playbook, CONVERGE, server, mfa_keys=[{"user": USER, "state": "validated", "secret": SECRET}]),
    ):
        assert USER in said and f"no SSH key, since there is no file {KEYS}" in said and "mfa_factors" in said
    assert root.run(EVERYTHING).stdout == before


def test_the_deadline_is_refused(server, root, keyless, playbook):
    """For who logs in today, by a password, and could neither enroll nor do anything else after the deadline."""
    if "OpenSSH_8.4" in root.run("ssh -V 2>&1").stdout:
        pytest.skip("this sshd cannot confine anybody; that the role refuses is a test of its own")
    keyless(f"rm {KEYS}; echo {USER}:only-for-the-test | chpasswd")
    before = root.run(EVERYTHING).stdout
    variables = {"mfa_exempt_users": ["ansible", "boxed"], "mfa_enrollment_overdue": "enroll_only"}
    said = _refusal(playbook, CONVERGE, server, **variables)
    root.run_expect([0], f"usermod --lock {USER}")
    assert f"overdue_first_factor: {USER} could not log in any more" in said
    assert root.run(EVERYTHING).stdout == before


@pytest.mark.release
def test_a_switch_of_factors_is_refused_for_who_would_be_shut_out(server, root, keyless, playbook):
    """Enforced by key and token, with a locked password."""
    keyless("true")
    options = ("--limit", server.name, "-e")
    validated = f'{{"mfa_keys": [{{"user": "{USER}", "state": "validated", "secret": "{SECRET}"}}]}}'
    playbook(CONVERGE, *options, validated)
    before = root.run(EVERYTHING).stdout
    said = _refusal(playbook, CONVERGE, server, mfa_factors="password+totp")
    assert f"user '{USER}' could not log in any more" in said and "no password" in said
    assert root.run(EVERYTHING).stdout == before
    assert login(server, USER, [pyotp.TOTP(SECRET).now()]).allowed

    root.run_expect([0], f"rm {KEYS}")
    playbook(CONVERGE, *options, "mfa_window=5")  # who is shut out by another's hand does not stop a run
    told = playbook(CONVERGE, *options, "mfa_window=3", "--check", "-v")
    assert f"first_factor_missing: {USER}: no SSH key" in " ".join(told.split())
    playbook(CONVERGE, *options, f'{{"mfa_keys": [{{"user": "{USER}", "state": "absent"}}]}}')


def _refusal(playbook, name, server, **variables):
    with pytest.raises(AssertionError) as refusal:
        playbook(name, "--limit", server.name, "-e", json.dumps(variables))
    return " ".join(str(refusal.value).split())
