# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One token for a while, over SSH: the real ssh client, a real sshd, the role's PAM lines, guard and account check."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.tests.support.guarded_sshd import GuardedSshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd
from ansible_collections.fleetmfa.ssh.tests.support.token_lines import auth_lines, token_lines

pytestmark = [
    needs_sshd,
    pytest.mark.skipif(find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator"),
    pytest.mark.skipif(not shutil.which("flock"), reason="needs flock(1)"),
]
SECRET, ANOTHER = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
ALICE, BOB = ({"user": user, "secret": SECRET, "state": "validated"} for user in ("alice", "bob"))
MANY = {"window": 17, "rate_limit_attempts": 50}  # a busy machine may take minutes
PROMPT = "Verification code: "
ELSEWHERE = ("-b", "127.0.0.2")
IN, ASKED = (True, ""), (False, PROMPT)
LOST = ["auth required pam_permit.so"]  # what another tool has put in place of the token lines


class RememberingSshd(GuardedSshd):
    def __init__(self, folder, host):
        super().__init__(folder, host.path, second_device=False, remember_seconds=3600)
        self.host = host
        self.account_lines = account_lines(["sshd"], f"{host.path}/enforced", str(self.guard)).splitlines()
        self.write_lines()
        self.other_key = folder / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.other_key)], check=True)
        for user in ("alice", "bob"):
            keys = Path("/etc/ssh_keys", user)
            keys.write_text(keys.read_text() + self.other_key.with_suffix(".pub").read_text())

    def write_lines(self, **settings):
        wanted = {"second_device": False, "remember_seconds": 3600, **settings}
        lines = auth_lines(token_lines(str(self.folder), self.host.path, own_service=False, **wanted))
        self.write_service(*lines, *self.account_lines)

    def lines_of_service(self):
        return [line for line in Path("/etc/pam.d/sshd").read_text().splitlines() if "pam_permit.so" not in line[:30]]

    def with_token(self):
        assert self.log_in(self.host.token(SECRET, time.time())) == (True, PROMPT)


@pytest.fixture
def sshd(host, tmp_path):
    made = RememberingSshd(tmp_path, host)
    host.totp_key(ALICE, BOB, **MANY)
    try:
        yield made
    finally:
        made.stop()


def test_a_working_day(host, sshd):
    assert sshd.log_in("") == ASKED
    sshd.with_token()
    assert [sshd.log_in("") for _time in range(3)] == [IN] * 3
    assert sshd.log_in("", "alice", *ELSEWHERE) == ASKED
    assert sshd.log_in("", "alice", "-i", str(sshd.other_key)) == ASKED
    assert sshd.log_in("", "bob") == ASKED, "with the same SSH key and the same secret"
    assert sshd.log_in("") == IN
    assert host.run("totp_unlock", users=["alice"], only_remembered=True)["users"][0]["remembered"] == 1
    assert sshd.log_in("") == ASKED


def test_a_new_key_a_leaver_and_the_setting(host, sshd):
    sshd.with_token()
    sshd.write_lines(remember_seconds=0)
    assert sshd.log_in("") == ASKED
    sshd.write_lines(remember_groups=["nosuch"])
    assert sshd.log_in("") == ASKED
    sshd.write_lines(remember_groups=["nosuch", "alice"])
    assert sshd.log_in("") == IN, "a member of the group alice"
    sshd.write_lines()
    assert sshd.log_in("") == IN
    host.totp_key({**ALICE, "secret": ANOTHER}, **MANY)
    assert sshd.log_in("") == ASKED


def test_the_account_check_knows_who_was_remembered_in_this_login_only(sshd):
    sshd.with_token()
    assert sshd.log_in("") == IN
    sshd.write_service(*LOST, *sshd.account_lines)
    assert sshd.log_in("") == (False, ""), "sshd asks nobody any more"
    sshd.write_lines()
    assert sshd.log_in("") == IN
    config = sshd.config
    sshd.reload(
        config.replace("AuthenticationMethods publickey,keyboard-interactive:pam", "AuthenticationMethods publickey")
    )
    assert sshd.log_in("") == (False, ""), "the drop-in is lost"


@pytest.mark.parametrize("way", ["SetEnv", "environment=", "pam_env", "~/.ssh/environment"])
def test_nobody_can_say_that_the_key_was_another_one(sshd, way):
    """The other key is the user's own as well; what was accepted is said by sshd alone."""
    sshd.with_token()
    line = f"publickey {' '.join(sshd.key.with_suffix('.pub').read_text().split()[:2])}"
    options = ["-i", str(sshd.other_key)]
    config = sshd.config.replace("UsePAM yes", "UsePAM yes\nAcceptEnv *\nPermitUserEnvironment yes")
    sshd.reload(config)
    home = Path("/etc/home_of_alice")  # of this test alone, and she can read it
    home.mkdir()
    subprocess.run(["usermod", "--home", str(home), "alice"], check=True)
    if way == "SetEnv":
        options += ["-o", f'SetEnv=SSH_AUTH_INFO_0="{line}"']
    elif way == "environment=":
        public = sshd.other_key.with_suffix(".pub").read_text()
        Path("/etc/ssh_keys/alice").write_text(f'environment="SSH_AUTH_INFO_0={line}" {public}')
    elif way == "pam_env":
        (home / ".pam_environment").write_text(f'SSH_AUTH_INFO_0 DEFAULT="{line}"\n')
        Path("/etc/environment").write_text(f'SSH_AUTH_INFO_0="{line}"\n')
        sshd.write_service("auth required pam_env.so user_readenv=1", *sshd.lines_of_service())
    else:
        (home / ".ssh").mkdir(exist_ok=True)
        (home / ".ssh/environment").write_text(f"SSH_AUTH_INFO_0={line}\n")
    assert sshd.log_in("", "alice", *options) == ASKED


def test_two_keys_are_asked_for_one_token_each_time(sshd):
    sshd.with_token()
    methods = "AuthenticationMethods publickey,keyboard-interactive:pam"
    sshd.reload(sshd.config.replace(methods, methods.replace("publickey,", "publickey,publickey,")))
    both = ("-i", str(sshd.key), "-i", str(sshd.other_key))
    for answer in ("", sshd.host.token(SECRET, time.time() + 30)):
        assert sshd.log_in(answer, "alice", *both) == (bool(answer), PROMPT)
    assert sshd.log_in("", "alice", *both) == ASKED


def test_a_certificate_is_remembered_as_it_is(sshd):
    authority = sshd.folder / "ca"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
    shutil.copy(authority.with_suffix(".pub"), "/etc/ssh_keys/ca.pub")
    sshd.reload(sshd.config + "TrustedUserCAKeys /etc/ssh_keys/ca.pub\n")
    Path("/etc/ssh_keys/alice").write_text("")

    def sign(serial):
        sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "alice", "-n", "alice", "-z", str(serial)]
        subprocess.run([*sign, str(sshd.other_key.with_suffix(".pub"))], check=True)

    sign(1)
    options = ("-i", str(sshd.other_key))
    assert sshd.log_in(sshd.host.token(SECRET, time.time()), "alice", *options) == (True, PROMPT)
    assert sshd.log_in("", "alice", *options) == IN
    sign(2)
    assert sshd.log_in("", "alice", *options) == ASKED
