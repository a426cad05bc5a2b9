# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""totp_host as its action plugin calls it on a host: its parts in their order, up to the first that fails or has to wait."""

from __future__ import annotations

import grp
import json
import pwd

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd

SECRET = "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB"
CODE = "73737373"
ALICE = {"user": "alice", "secret": SECRET, "recovery_codes": [CODE]}
CONTENT = """\
auth [success=ignore ignore=ignore auth_err=2 default=die] pam_succeed_if.so quiet user ingroup mfa-enforced
auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj
auth sufficient pam_succeed_if.so quiet user ingroup mfa-enforced
"""
SERVICE = "auth required pam_unix.so\naccount required pam_unix.so\n"
PARTS = ["provisioning", "programs", "rollout", "enrollment"]


@pytest.fixture(autouse=True)
def _without_systemd(monkeypatch):
    monkeypatch.setattr(systemd, "is_running", lambda: False)


@pytest.fixture
def parts(tmp_path):
    """What is wanted of each part; `settled` is a line for each time that the deadline program ran."""
    confdir = tmp_path / "services"
    confdir.mkdir()
    (confdir / "sshd").write_text(SERVICE)
    program = tmp_path / "deadline"
    program.write_text(f"#!/bin/sh\necho $1 >>{tmp_path}/settled\n")
    program.chmod(0o755)
    return {
        "provisioning": {"keys": [ALICE], "users": ["bob"]},
        "programs": {"files": [{"path": str(tmp_path / "guard"), "content": "guard\n", "mode": "0755"}]},
        "rollout": {"pam": [{"service": "sshd", "confdir": str(confdir), "content": CONTENT}]},
        "enrollment": {
            "files": [{"path": str(tmp_path / "policy"), "content": "policy\n"}],
            "overdue_group": "mfa-late",
            "deadline_program": str(program),
        },
    }


@pytest.fixture
def run(host, tmp_path):
    def run(check=False, diff=False, **options):
        options.setdefault("unknown_first_factor", "accept")  # a private /etc has no sshd to ask
        return host.run("totp_host", check=check, diff=diff, **options)

    yield run
    rollout = Rollout(str(host.path))
    if rollout.folder.path.exists():
        rollout.settle()


def confirm(host, result):
    done = host.run("totp_rollout", phase="confirm", rollout_id=result["rollout_id"])
    assert done["confirmed"], done


def done_parts(result):
    return [part for part in PARTS if part in result]


def all_of_it(host, run, parts, **options):
    """As the action does it."""
    first = run(**parts, **options)
    assert done_parts(first) == PARTS[:3] and "rollout_id" in first["rollout"], first
    confirm(host, first["rollout"])
    return first, run(enrollment=parts["enrollment"], **options)


def test_check_run_check_run(host, run, parts, tmp_path):
    before = host.snapshot()
    predicted = run(check=True, diff=True, **parts)
    assert host.snapshot() == before and not (tmp_path / "guard").exists() and not (tmp_path / "policy").exists()
    first, second = all_of_it(host, run, parts, diff=True)
    assert predicted["changed"] and first["changed"] and second["changed"]
    assert predicted["diff"] == first["diff"] + second["diff"]
    assert host.keys("alice") == host.keys("bob") == "p" and (tmp_path / "guard").read_text() == "guard\n"
    assert CONTENT in (tmp_path / "services/sshd").read_text() and (tmp_path / "policy").exists()
    assert grp.getgrnam("mfa-late").gr_mem == [] and (tmp_path / "settled").read_text() == "deadline\n"
    for check in (True, False):
        again = run(check=check, diff=True, **parts)
        assert done_parts(again) == PARTS and not again["changed"] and again["diff"] == []
        assert not any(again[part]["changed"] for part in PARTS)
    assert (tmp_path / "settled").read_text() == "deadline\n"


def test_the_diff_is_that_of_each_part_in_order(run, parts):
    words, program, service, policy = run(check=True, diff=True, **parts)["diff"]
    assert "alice: " in words["prepared"] and "guard: absent -> 0755" in program["prepared"]
    assert CONTENT in service["after"] and "policy: absent -> 0644" in policy["prepared"]
    assert "diff" not in run(check=True, **parts)


def test_new_members_end_the_call_and_the_rest_is_done_in_the_next_one(host, run, parts, tmp_path):
    host.accounts.add_group("mfa-enforced")
    parts["provisioning"] = {"keys": [{**ALICE, "state": "validated"}]}
    connection = {"uid": pwd.getpwnam("bob").pw_uid, "logs_in": True, "controller": "ops@controller"}
    first = run(**parts, _connection=connection)
    assert done_parts(first) == ["provisioning"] and first["provisioning"]["joining"] == ["alice"] and first["changed"]
    assert not (tmp_path / "guard").exists() and (tmp_path / "services/sshd").read_text() == SERVICE
    confirm(host, first["provisioning"])
    rest = {part: parts[part] for part in PARTS[1:]}
    second = run(**rest, _connection=connection)
    assert done_parts(second) == ["programs", "rollout"] and host.members() == {"alice"}


@pytest.mark.parametrize("check", [True, False])
def test_the_account_of_the_connection_is_never_enforced(host, run, parts, check):
    parts["provisioning"] = {"keys": [{**ALICE, "state": "validated"}]}
    before = host.snapshot()
    result = run(check=check, **parts, _connection={"uid": pwd.getpwnam("alice").pw_uid, "logs_in": True})
    assert result["failed"] and "alice, which this run connects with" in result["msg"]
    assert not result["changed"] and done_parts(result) == [] and host.snapshot() == before


BREAK = {
    "provisioning": (lambda part: part.update(unknown_users="perhaps"), "unknown_users: must be one of error, skip"),
    "programs": (lambda part: part["files"][0].update(path="guard"), "path: guard is not absolute"),
    "rollout": (lambda part: part["pam"][0].update(content="auth nonsense\n"), "could never log in"),
    "enrollment": (lambda part: part["files"][0].update(mode="0777"), "lets everybody write"),
}


@pytest.mark.parametrize("broken", PARTS)
@pytest.mark.parametrize("check", [True, False])
def test_after_an_error_later_parts_are_not_done_and_earlier_ones_are_told(host, run, parts, broken, check, tmp_path):
    change, message = BREAK[broken]
    change(parts[broken])
    if broken == "enrollment" and not check:
        confirm(host, run(rollout=parts.pop("rollout"))["rollout"])
    result = run(check=check, **parts)
    earlier = [part for part in PARTS[: PARTS.index(broken)] if part in parts]
    assert result["failed"] and message in result["msg"] and done_parts(result) == earlier
    assert all(result[part]["changed"] for part in earlier)
    made = bool(earlier) and not check
    assert result["changed"] == (made or (broken == "enrollment" and not check))
    assert ("Done before that: the keys and the enforced group" in result["msg"]) == made
    assert not (tmp_path / "policy").exists()
    assert broken == "enrollment" or (tmp_path / "services/sshd").read_text() == SERVICE


def test_a_deadline_that_cannot_be_applied_is_told(run, parts, tmp_path):
    (tmp_path / "deadline").write_text("#!/bin/sh\necho the policy is broken >&2\nexit 1\n")
    result = run(enrollment=parts["enrollment"])
    assert result["failed"] and result["changed"] and "deadline: the policy is broken" in result["msg"]
    assert "group mfa-late was made and the files of enrollment were written" in result["msg"]


def test_only_if_exists(run, parts, tmp_path):
    there = tmp_path / "there"
    wish = {**parts["enrollment"], "only_if_exists": str(there)}
    for check in (True, False):
        assert not run(check=check, enrollment=wish)["changed"] and not (tmp_path / "policy").exists()
    there.touch()
    assert run(enrollment=wish)["changed"] and (tmp_path / "policy").exists()


def test_a_broken_policy_of_the_host_does_not_keep_it_from_being_written_anew(run, parts, tmp_path):
    (tmp_path / "etc/fleetmfa").mkdir()
    (tmp_path / "etc/fleetmfa/policy.conf").write_text("nonsense")
    assert run(enrollment=parts["enrollment"], unknown_first_factor=None)["changed"]
    assert run(provisioning={"users": ["bob"]}, unknown_first_factor=None)["failed"]


def test_nothing_to_do_is_refused(run):
    assert (
        "one of the following is required: provisioning, programs, rollout, security_keys, enrollment" in run()["msg"]
    )


@pytest.mark.parametrize("unknown_users", ["error", "perhaps"])
def test_no_secret_is_in_the_result(run, parts, unknown_users):
    """At -vvvv, in the invocation too, whether it goes well or not."""
    parts["provisioning"]["unknown_users"] = unknown_users
    result = run(diff=True, _ansible_verbosity=4, **parts)
    assert bool(result.get("failed")) == (unknown_users == "perhaps")
    assert SECRET not in json.dumps(result) and CODE not in json.dumps(result)
