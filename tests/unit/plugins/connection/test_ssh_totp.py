# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Ansible through the token: the real ssh client, a real sshd, the real PAM module."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, token_at
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd
from ansible_collections.fleetmfa.ssh.tests.support.token_host import PERIOD, TokenHost

pytestmark = [
    needs_sshd,
    pytest.mark.skipif(
        find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator on this machine"
    ),
]
NOT_SHARED = "-o ControlMaster=no"
# Core's 60 seconds may pass between two commands on a busy machine.
KEPT = "-o ControlMaster=auto -o ControlPersist=600"
OTHER_SECRET = "ZKXZ2PEOGY2FWWEDIHBDPGIJ6XPJNJFN"


@pytest.fixture
def host(tmp_path, accounts):
    made = TokenHost(tmp_path)
    try:
        yield made
    finally:
        control = Path("/run") / f"cp-{made.port}"
        for path in control.glob("*"):
            subprocess.run(["ssh", "-o", f"ControlPath={path}", "-O", "exit", "web"], capture_output=True, check=False)
        shutil.rmtree(control, ignore_errors=True)
        made.stop()


def output(done):
    return done.stdout + done.stderr


def test_one_token_for_all_connections_of_a_host(host):
    """The module is copied with sftp, then run: five connections, of which one logs in; so with eight forks at once."""
    for _round in range(2):
        done = host.ansible("-m", "ping", "-f", "8", hosts=8, ansible_pipelining=False, ansible_ssh_args=KEPT)
        assert done.returncode == 0 and done.stdout.count("SUCCESS") == 8, output(done)
    assert host.logged_in(1)


def test_connections_opened_ahead_of_a_play(host):
    """As somebody whose inventory says to become root, which needs nothing here."""
    inventory = host.command(hosts=4, ansible_become=True, ansible_ssh_args=KEPT)[3]
    command = ["ansible-playbook", "-i", inventory, "-f", "4", "fleetmfa.ssh.connect"]
    opened = subprocess.run(command, capture_output=True, text=True, env=host.environment, check=False, cwd=host.folder)
    assert opened.returncode == 0 and "changed=0" in opened.stdout, opened.stdout + opened.stderr
    assert host.logged_in(1)
    done = host.ansible("-m", "raw", "-a", "id -un", hosts=4, ansible_ssh_args=KEPT)
    assert done.returncode == 0 and done.stdout.count("alice") >= 4, output(done)
    assert host.logged_in(1)


def test_without_shared_connections_each_waits_for_a_token_of_its_own(host):
    done = host.ansible("-v", "-m", "raw", "-a", "id -un", "-f", "3", hosts=3, ansible_ssh_args=NOT_SHARED)
    assert done.returncode == 0 and done.stdout.count("alice") >= 3, output(done)
    assert host.logged_in(3)
    assert "the current token has been used on this host; waiting" in output(done)


def test_claims_of_the_whole_fleet(host):
    """Three addresses of one host, which accepts a token once: as three hosts do that share their claims."""
    config = (host.folder / "sshd_config").read_text()
    host.reload(config + "ListenAddress 127.0.0.2\nListenAddress 127.0.0.3\n")
    names = "{{ {'web1': '127.0.0.1', 'web2': '127.0.0.2', 'web3': '127.0.0.3'}[inventory_hostname] }}"
    own = f"-o HostKeyAlias=[127.0.0.1]:{host.port} -o UserKnownHostsFile={host.known_hosts} -o IdentitiesOnly=yes -F none"
    fleet = {"ansible_host": names, "ansible_ssh_common_args": own, "mfa_claims": "etcd"}
    done = host.ansible("-v", "-m", "raw", "-a", "id -un", "-f", "3", hosts=3, **fleet)
    assert done.returncode == 0 and host.logged_in(3), output(done)
    assert "the current token has been used in the fleet" in output(done)
    assert "open all connections ahead of them" in output(done)


@pytest.mark.parametrize("method", ["sftp", "scp", "piped"])
def test_files_without_shared_connections(host, tmp_path, method):
    done = host.ansible(
        "-m",
        "fetch",
        "-a",
        f"src=/etc/passwd dest={tmp_path}/got flat=yes",
        ansible_ssh_args=NOT_SHARED,
        ansible_ssh_transfer_method=method,
        ansible_pipelining=True,
    )
    assert done.returncode == 0, output(done)
    assert "alice" in (tmp_path / "got").read_text() and host.logged_in_at_least(2)


def test_neither_secret_nor_token_is_shown(host):
    """Neither in what is printed, nor in arguments and environments of any process, nor in files of the plugin."""
    processes = host.folder / "processes"
    look = f"PermitLocalCommand=yes -o 'LocalCommand=cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline >{processes}'"
    first = int(time.time()) // PERIOD
    done = host.ansible(
        "-vvvvv",
        "-m",
        "raw",
        "-a",
        "id -un",
        ansible_ssh_verbosity=3,
        ansible_ssh_args=f"-o ControlMaster=no -o {look}",
    )
    last = int(time.time()) // PERIOD
    assert done.returncode == 0 and host.logged_in(1), output(done)
    recorded = b"".join(path.read_bytes() for path in (host.folder / "steps").iterdir())
    seen = processes.read_bytes()
    assert b"SSH_ASKPASS" in seen and recorded and b"alice" not in recorded
    texts = output(done).encode() + host.log.encode() + recorded + seen
    tokens = [token_at(decode_secret(host.secret), step) for step in range(first, last + 1)]
    assert not [text for text in (host.secret, *tokens) if text.encode() in texts]


def test_key_of_another_host_is_refused_once(host):
    done = host.ansible(ansible_totp_secret=OTHER_SECRET, ansible_ssh_retries=3)
    assert "did not accept the token of alice" in output(done) and "UNREACHABLE" in output(done), output(done)
    assert OTHER_SECRET not in output(done)
    assert host.refused(1), "a wrong token is not tried again"


def test_unknown_prompt_is_refused_with_its_text(host):
    host.ask_with("Favourite colour:")
    done = host.ansible(ansible_ssh_retries=3)
    assert "was not answered" in output(done) and "Favourite colour:" in output(done), output(done)
    assert host.refused(0), "nothing was answered"
    assert host.ansible(ansible_totp_prompt="colour").returncode == 0


def test_password_and_token(host):
    subprocess.run(["chpasswd", "-c", "SHA512"], input="alice:pass word", text=True, check=True)
    host.ask_password_and_token()
    done = host.ansible()
    assert "ansible_password is not set" in output(done), output(done)
    done = host.ansible(ansible_password="pass word")
    assert done.returncode == 0, output(done)


def test_unknown_host_key_is_not_accepted(host):
    host.known_hosts.write_text("")
    done = host.ansible()
    assert done.returncode != 0 and "Host key verification failed" in output(done), output(done)
    assert host.known_hosts.read_text() == "" and host.logged_in(0)


def test_over_the_rate_limit_and_without_a_key(host):
    host.write_key('" RATE_LIMIT 1 3600 1')
    path = Path("/etc/totp/alice")
    path.write_text(path.read_text().replace("RATE_LIMIT 1 3600 1", f"RATE_LIMIT 1 3600 {int(time.time())}"))
    done = host.ansible()
    assert "refused the login before it asked for a token" in output(done), output(done)
    Path("/etc/ssh_keys/alice").write_text("")
    done = host.ansible()
    assert "did not accept any SSH key of alice" in output(done), output(done)


def test_a_denied_account_is_not_taken_for_a_penalised_address(host):
    service = Path("/etc/pam.d/sshd")
    service.write_text(service.read_text().replace("account required pam_permit.so", "account required pam_deny.so"))
    done = host.ansible()
    assert "did not accept the token" in output(done) and "locked or expired" in output(done), output(done)
    host.reload((host.folder / "sshd_config").read_text().replace(",keyboard-interactive:pam", ""))
    done = host.ansible()
    assert "closed the connection of alice without a word. Either the account is locked" in output(done), output(done)


def test_no_secret_and_nobody_there(host):
    done = host.ansible(ansible_totp_secret=None)
    assert "no secret for this user here" in output(done), output(done)
    assert host.refused(0)


def test_a_token_typed_at_the_terminal(host):
    """Once for a host, for the connection that all others share."""
    command = host.command("-m", "ping", "-f", "3", hosts=3, ansible_totp_secret=None)
    terminal = pexpect.spawn(
        command[0], command[1:], env=host.environment, cwd=host.folder, encoding="utf-8", timeout=120
    )
    terminal.expect_exact("Token of alice for 127.0.0.1: ")
    token = token_at(decode_secret(host.secret), int(time.time()) // PERIOD)
    terminal.sendline(token)
    terminal.expect(pexpect.EOF)
    assert terminal.before.count("SUCCESS") == 3 and "Token of" not in terminal.before, terminal.before
    assert token not in terminal.before and host.logged_in(1)


def test_a_wrong_token_typed_at_the_terminal_is_asked_for_once(host):
    command = host.command(ansible_totp_secret=None, ansible_ssh_retries=3)
    terminal = pexpect.spawn(
        command[0], command[1:], env=host.environment, cwd=host.folder, encoding="utf-8", timeout=120
    )
    terminal.expect_exact("Token of alice for 127.0.0.1: ")
    terminal.sendline("000000")
    terminal.expect(pexpect.EOF)
    assert "did not accept the token of alice" in terminal.before and "Token of" not in terminal.before, terminal.before
    assert host.refused(1)


def test_user_with_two_devices(host):
    host.ask_as_of_two_devices("Verification code of either of your devices (not a password):\n")
    done = host.ansible()
    assert done.returncode == 0 and host.logged_in(1), output(done)


@pytest.mark.parametrize("period", [0, 61])
def test_a_period_that_no_key_has_is_refused(host, period):
    done = host.ansible(ansible_totp_period=period)
    assert f"ansible_totp_period (mfa_period): {period} is not in the range" in output(done), output(done)
    assert "did not accept" not in output(done) and host.logged_in(0)


def test_jump_host_asks_too(host):
    """The jump host is the same one under another name, with another account, which has a key of its own."""
    host.write_key(user="bob", secret=OTHER_SECRET)
    config = host.folder / "config"
    known = host.known_hosts.read_text()
    host.known_hosts.write_text(known + known.replace("127.0.0.1", "127.1"))
    config.write_text(f"UserKnownHostsFile {host.known_hosts}\nIdentityFile {host.key}\nIdentitiesOnly yes\n")
    done = host.ansible(
        ansible_ssh_common_args=f"-F {config} -J bob@127.1:{host.port}", ansible_totp_jump_secret=OTHER_SECRET
    )
    assert done.returncode == 0 and host.logged_in(1), output(done)
    assert host.logged_in(1, "bob")


def test_not_enforced_user_notices_nothing(host):
    host.reload((host.folder / "sshd_config").read_text().replace(",keyboard-interactive:pam", ""))
    done = host.ansible("-m", "ping")
    assert done.returncode == 0 and host.logged_in(0), output(done)


def test_reset_makes_a_new_login(host):
    play = host.folder / "play.yml"
    play.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - raw: id -un\n    - meta: reset_connection\n    - raw: id -un\n"
    )
    host.ansible()
    command = ["ansible-playbook", "-i", str(host.folder / "inventory.yml"), str(play)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and host.logged_in(2), output(done)
