# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The account check: an enforced account passes only in the process in which its token was claimed."""

from __future__ import annotations

import re
import subprocess

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines

USER_IDS = """case $3 in alice | alice2) echo 20001 ;; bob) echo 20002 ;; *) exit 1 ;; esac"""


@pytest.fixture
def enforced(host):
    """The host with alice on record, and user ids that need no account on this machine."""
    host.write_program("id", USER_IDS)
    record = host.folder / "enforced" / "20001"
    record.parent.mkdir(mode=0o700)
    record.write_text("alice\n")
    host.record = record
    return host


def passes(host, user="alice"):
    return host.run("account", PAM_TYPE="account", PAM_USER=user).returncode == 0


def give_a_token(host):
    assert host.run("attempt").returncode == 0
    host.write_key_without_forgetting(used=[host.step])
    assert host.run("claim").returncode == 0


def test_without_a_token_nobody_on_record_passes(enforced):
    assert not passes(enforced)
    assert not passes(enforced, "ALICE")
    assert not passes(enforced, "alice2"), "another name of the same user id"


def test_with_a_token_given_in_this_process(enforced):
    give_a_token(enforced)
    assert passes(enforced)
    assert passes(enforced, "ALICE")


def test_a_token_given_in_another_process_is_not_this_login(enforced):
    give_a_token(enforced)
    # A shell in between is another parent of the guard.
    command = [f"{enforced.folder}/sh", "-c", f"'{enforced.guard}' account '{enforced.folder}'; exit $?"]
    done = subprocess.run(command, env={"PAM_USER": "alice", "PAM_TYPE": "account"}, check=False)
    assert done.returncode == 1


def test_the_command_of_the_pam_line_is_still_the_login_s_own_process(enforced):
    """pam_exec starts a shell, whose place the guard takes: its parent is the process in which the token was claimed."""
    lines = account_lines(["sshd"], str(enforced.record.parent), str(enforced.guard))
    command = [f"{enforced.folder}/sh", "-pc", re.findall(r"-pc \[(.*)\]", lines)[0]]
    environment = {"PAM_USER": "alice", "PAM_TYPE": "account"}
    assert subprocess.run(command, env=environment, check=False).returncode == 1
    give_a_token(enforced)
    assert subprocess.run(command, env=environment, check=False).returncode == 0


def test_the_number_of_a_process_that_is_gone_is_not_the_process(enforced):
    give_a_token(enforced)
    lines = enforced.state.read_text().splitlines()
    passed = next(line.split() for line in lines if line.startswith("passed"))
    process, start = passed[1].split(".")
    enforced.state.write_text(enforced.state.read_text().replace(passed[1], f"{process}.{int(start) - 1}"))
    assert not passes(enforced)


def test_who_is_not_on_record_passes(enforced):
    assert passes(enforced, "bob")
    enforced.record.unlink()
    assert passes(enforced)


def test_a_record_of_an_account_that_is_gone_keeps_nobody_out(enforced):
    enforced.record.write_text("leaver\n")
    assert passes(enforced)


@pytest.mark.parametrize("record", ["alice\n/alice2\n", "/alice2\nalice\n"])
def test_an_exempt_name_of_the_user_id_passes(enforced, record):
    enforced.record.write_text(record)
    assert passes(enforced, "alice2")
    assert not passes(enforced)


def test_another_name_of_root_is_not_locked_out(enforced):
    enforced.write_program("id", "case $3 in root | toor) echo 0 ;; *) exit 1 ;; esac")
    enforced.record.with_name("0").write_text("root\n")
    for user in ("root", "toor"):
        (enforced.folder / "keys" / user).write_text("")
    assert not passes(enforced, "root")
    assert passes(enforced, "toor")


def test_what_cannot_be_read_refuses(enforced):
    give_a_token(enforced)
    enforced.state.write_text("passed nonsense\n")
    assert not passes(enforced)
