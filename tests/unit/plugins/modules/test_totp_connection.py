# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who must not be asked for a token: the account of the connection, by its uid, in each module that changes who is asked."""

from __future__ import annotations

import pwd
import time
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy import managing_connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd

SECRET = "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB"
VALIDATED = {"user": "alice", "secret": SECRET, "state": "validated"}


@pytest.fixture
def uid(host):
    return pwd.getpwnam("alice").pw_uid


def provision(host):
    assert host.totp_key({"user": "alice", "secret": SECRET})["changed"]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("given", [{"keys": [VALIDATED]}, {"keys": [VALIDATED], "exempt_users": ["bob"]}])
def test_totp_key_refuses_before_anything_is_changed(host, uid, check, given):
    provision(host)
    before = host.snapshot()
    result = host.run("totp_key", check=check, _connection={"uid": uid}, **given)
    assert result["failed"] and "alice, which this run connects with" in result["msg"]
    assert "mfa_exempt_users" in result["msg"] and host.snapshot() == before


@pytest.mark.parametrize("check", [True, False])
def test_totp_validate_refuses_before_a_token_is_checked(host, uid, check):
    provision(host)
    before = host.snapshot()
    now = time.time()
    tokens = [host.token(SECRET, now, offset) for offset in (-1, 0)]
    wish = [{"user": "alice", "tokens": tokens}]
    result = host.run("totp_validate", check=check, validations=wish, _connection={"uid": uid})
    assert result["failed"] and "alice, which this run connects with" in result["msg"]
    assert host.snapshot() == before


def test_ending_an_exemption_is_refused(host, uid):
    host.totp_key(VALIDATED, exempt_users=["alice"])
    result = host.run("totp_key", users=["alice"], _connection={"uid": uid})
    assert result["failed"] and host.members() == set()


@pytest.mark.parametrize("connection", [{}, {"answers_token": True}, {"uid": 0}, {"exempt": ["alice"]}])
def test_others_exempt_ones_and_those_who_can_answer_are_not_refused(host, uid, connection):
    exempt = connection.pop("exempt", [])
    result = host.totp_key(VALIDATED, exempt_users=exempt, _connection={"uid": uid if exempt else None, **connection})
    assert not result.get("failed"), result
    assert host.members() == (set() if exempt else {"alice"})


def test_every_name_of_the_uid_is_the_account(host, uid, monkeypatch):
    """`id -u` names no name: whichever of two names sshd let in, none of them is enforced."""
    second = pwd.struct_passwd(("alice2", "x", uid, uid, "", "/", "/bin/sh"))
    everybody = [*pwd.getpwall(), second]
    monkeypatch.setattr(managing_connection.pwd, "getpwall", lambda: everybody)
    assert managing_connection.ManagingConnection(uid=uid).cannot_answer == ["alice", "alice2"]


@pytest.mark.parametrize("name", ["root", "toor"])
def test_root_is_refused_unless_sshd_lets_it_answer(host, monkeypatch, name):
    """By user id, as sshd counts it."""
    if name != "root":
        with Path("/etc/passwd").open("a", encoding="utf-8") as handle:
            handle.write(f"{name}:x:0:0::/root:/bin/bash\n")
    key = {**VALIDATED, "user": name}
    monkeypatch.setattr(managing_connection, "_may_answer", lambda _user: False)
    refused = host.totp_key(key)
    assert refused["failed"] and f"{name} has a validated key" in refused["msg"] and host.members() in (None, set())
    assert "PermitRootLogin yes" in refused["msg"]
    monkeypatch.setattr(managing_connection, "_may_answer", lambda _user: True)
    assert host.totp_key(key)["changed"] and host.members() == {name}


class TestConfirmed:
    """Where the controller logs in, new members wait for its confirmation like a change of files."""

    @pytest.fixture
    def join(self, host, uid, monkeypatch):
        monkeypatch.setattr(systemd, "is_running", lambda: False)
        host.accounts.add_group("mfa-enforced")
        connection = {"uid": uid + 1000, "logs_in": True, "controller": "ops@controller"}
        given = {"_connection": connection, "confirm_timeout": 3600}
        yield lambda **options: host.totp_key(VALIDATED, **{**given, **options})
        Rollout(str(host.path)).settle()

    def phase(self, host, name, joined):
        return host.run("totp_rollout", phase=name, rollout_id=joined["rollout_id"])

    def test_confirmed_they_stay(self, host, join):
        joined = join()
        assert joined["joining"] == ["alice"] and host.members() == {"alice"}
        assert self.phase(host, "confirm", joined)["confirmed"]
        again = join()
        assert not again["changed"] and "rollout_id" not in again and host.members() == {"alice"}

    def test_rolled_back_they_are_out_and_the_next_run_tries_again(self, host, join):
        joined = join()
        assert self.phase(host, "rollback", joined)["rolled_back"]
        assert host.members() == set() and host.keys("alice") == "v"
        assert join()["joining"] == ["alice"]

    def test_who_was_a_member_before_stays_one(self, host, join):
        host.accounts.add("bob")
        host.totp_key({**VALIDATED, "user": "bob"})
        self.phase(host, "rollback", join())
        assert host.members() == {"bob"}

    def test_check_mode_begins_nothing(self, host, join):
        predicted = join(check=True)
        assert predicted["changed"] and "rollout_id" not in predicted and host.members() == set()

    @pytest.mark.parametrize("logs_in", [True, False])
    def test_of_a_killed_run_they_are_not_taken_for_members(self, host, uid, join, logs_in, monkeypatch):
        """Its timer would take them out after a run that changed nothing."""
        killed = {"uid": uid + 1000, "logs_in": True}
        warnings: list[str] = []
        monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
        earlier = join(_connection=killed)
        assert host.members() == {"alice"}
        predicted = join(check=True, _connection=killed)
        assert predicted["changed"] and host.members() == {"alice"}
        healed = join(_connection={**killed, "logs_in": logs_in})
        assert healed["changed"] and host.members() == {"alice"} and Rollout(str(host.path)).waits == logs_in
        assert earlier["rollout_id"] in warnings[0] and "it has now been rolled back" in warnings[0]
        if logs_in:
            assert healed["joining"] == ["alice"] and self.phase(host, "confirm", healed)["confirmed"]
        assert not join(_connection=killed)["changed"] and host.members() == {"alice"}

    def test_of_a_killed_run_they_are_taken_out_by_a_run_that_is_not_about_them(self, host, uid, join):
        killed = {"uid": uid + 1000, "logs_in": True}
        join(_connection=killed)
        host.accounts.add("bob")
        other = host.totp_key({"user": "bob", "secret": SECRET, "state": "pending"}, other_members="report")
        assert other["changed"] and host.members() == set() and not Rollout(str(host.path)).waits
