# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Users of security keys, by module totp_host, with the real sshd: who gets in with what before, while and after they are such users."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy import host_parts, security_key_users
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.security_key_users import FOLDER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import SECURITY_KEY_GROUP, EnforcedGroup
from ansible_collections.fleetmfa.ssh.tests.support.security_key_host import SecurityKeyHost, key_files, members
from ansible_collections.fleetmfa.ssh.tests.support.security_key_lines import security_key_lines
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd
from lab.security_key import SoftwareSecurityKey

pytestmark = needs_sshd
SECRET = "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB"
VALIDATED = {"user": "alice", "secret": SECRET, "state": "validated"}
IN, ASKED, OUT = (True, False), (False, True), (False, False)


@pytest.fixture(autouse=True)
def _without_systemd(monkeypatch):
    monkeypatch.setattr(systemd, "is_running", lambda: False)


@pytest.fixture
def keys():
    with SoftwareSecurityKey() as verified, SoftwareSecurityKey(verifies_user=False) as unverified:
        yield verified, unverified


@pytest.fixture
def line(keys):
    return keys[0].line


class Run:
    """totp_host as the role calls it; `provisioning` and `security_keys` stand in one call."""

    def __init__(self, host):
        self._host = host

    def __call__(self, users, *keys, check=False, connection=None, **options):
        listed = [{"user": user, "keys": [*lines]} for user, lines in users.items()]
        part = {"keys": [*keys], "security_key_users": [*users]}
        given = {"provisioning": part, "security_keys": {"users": listed}, "unknown_first_factor": "accept", **options}
        given = {name: value for name, value in given.items() if value is not None}
        return self._host.run("totp_host", check=check, diff=True, **given, **connection or {})

    def well(self, *arguments, **options):
        result = self(*arguments, **options)
        assert not result.get("failed"), result
        return result


@pytest.fixture
def run(host):
    yield Run(host)
    rollout = Rollout(str(host.path))
    if rollout.folder.path.exists():
        rollout.settle()


@pytest.fixture
def sshd_host(accounts, host, tmp_path):
    accounts.add_group("mfa-enforced")
    return SecurityKeyHost(tmp_path)


@pytest.fixture
def running(sshd_host):
    sshd = sshd_host.start()
    yield sshd_host
    sshd.stop()


def connected_as(user):
    return {"_connection": {"uid": pwd.getpwnam(user).pw_uid, "logs_in": True, "controller": "ops@controller"}}


def test_what_lets_a_user_in(running, run, keys):
    verified, unverified = keys
    run.well({}, VALIDATED)
    run.well({"carol": [verified.line, unverified.line]}, VALIDATED)
    assert members() == ({"carol"}, {"alice"})
    assert running.log_in("carol", verified) == IN
    assert running.log_in("carol", unverified) == OUT and running.said("user verification requirement not met")
    assert running.log_in("carol") == OUT, "an ordinary key, which sshd took before"
    assert running.log_in("alice") == ASKED and running.log_in("bob") == IN


def test_four_steps(run, sshd_host, line):
    predicted = run.well({"carol": [line]}, check=True)
    assert members() == (set(), set()) and key_files() == {}
    first = run.well({"carol": [line]})
    assert predicted["security_keys"] == first["security_keys"] and predicted["diff"] == first["diff"]
    assert first["security_keys"]["joined"] == ["carol"]
    assert key_files() == {"carol": f"{line}\n"} and members() == ({"carol"}, set())
    assert Path(FOLDER, "carol").stat().st_mode & 0o7777 == 0o644 and Path(FOLDER).stat().st_mode & 0o7777 == 0o755
    for check in (True, False):
        again = run.well({"carol": [line]}, check=check)
        assert not again["changed"] and again["diff"] == []


def test_the_diff_says_who_moves(run, sshd_host, line):
    run.well({}, VALIDATED)
    words, files = run.well({"alice": [line]}, check=True)["diff"][-2:]
    assert words["prepared"] == "alice: joins mfa-security-key\nalice: leaves mfa-enforced\n"
    assert files["prepared"].startswith("/etc/fleetmfa/security_keys/alice: absent -> 0644 ")


def test_an_enforced_user_is_asked_until_the_key_is_demanded(running, run, host, keys, monkeypatch):
    """At each step that changes anything, the user's ordinary key is not enough."""
    seen = []
    for name in ("update", "prepare"):
        whole = getattr(EnforcedGroup, name)

        def watched(self, *arguments, whole=whole, **options):
            seen.append(running.log_in("alice"))
            done = whole(self, *arguments, **options)
            seen.append(running.log_in("alice"))
            return done

        monkeypatch.setattr(EnforcedGroup, name, watched)
    run.well({}, VALIDATED)
    seen.clear()
    done = run.well({"alice": [keys[0].line]}, VALIDATED)
    assert done["security_keys"]["released"] == ["alice"] and not done["provisioning"]["users"][0]["exempt"]
    assert len(seen) > 6 and set(seen) == {ASKED, OUT} and seen[0] == ASKED and seen[-1] == OUT
    assert members() == ({"alice"}, set()) and host.keys("alice") == "v"
    assert not host.state_dir.records.users(), "the account check would deny the login"
    assert running.log_in("alice", keys[0]) == IN
    again = run.well({"alice": [keys[0].line]}, VALIDATED)
    assert not again["changed"] and again["provisioning"]["users"][0]["exempt"]


def test_a_user_of_both_groups_is_asked_and_moves_on(running, run, line, keys):
    run.well({}, VALIDATED)
    run.well({"carol": [line]}, VALIDATED)
    EnforcedGroup(SECURITY_KEY_GROUP).update(join=["alice"])
    assert running.log_in("alice") == ASKED and running.log_in("alice", keys[0]) == OUT
    run.well({"carol": [line], "alice": [line]}, VALIDATED)
    assert members() == ({"alice", "carol"}, set()) and running.log_in("alice", keys[0]) == IN


def test_who_leaves_the_list_is_asked_again(running, run, line, keys):
    run.well({"alice": [line], "carol": [line]}, VALIDATED)
    assert running.log_in("alice", keys[0]) == IN
    # Without an entry for the TOTP key, too: the run finds the validated one.
    done = run.well({"carol": [line]})
    assert done["security_keys"]["left"] == ["alice"]
    assert members() == ({"carol"}, {"alice"}) and [*key_files()] == ["carol"]
    assert running.log_in("alice") == ASKED and running.log_in("alice", keys[0]) == OUT
    assert not run.well({"carol": [line]})["changed"]


def test_between_two_calls_a_leaver_is_asked(running, run, host, line):
    """The new member of the enforced group is confirmed by a login of the controller before the rest is done."""
    run.well({"alice": [line]}, VALIDATED)
    first = run.well({}, VALIDATED, connection=connected_as("bob"))
    assert first["provisioning"]["joining"] == ["alice"] and "security_keys" not in first
    assert members() == ({"alice"}, {"alice"}) and running.log_in("alice") == ASKED
    host.run("totp_rollout", phase="confirm", rollout_id=first["provisioning"]["rollout_id"])
    run.well({}, provisioning=None, connection=connected_as("bob"))
    assert members() == (set(), {"alice"}) and running.log_in("alice") == ASKED and key_files() == {}


def test_who_has_no_validated_key_logs_in_as_before(running, run, line):
    run.well({"carol": [line]})
    run.well({})
    assert members() == (set(), set()) and running.log_in("carol") == IN


@pytest.mark.parametrize("check", [True, False])
def test_nobody_leaves_who_would_be_asked_for_nothing(run, sshd_host, line, tmp_path, check):
    """Entry point `enforce` alone does not look at keys: it is refused before sshd's lines are taken away."""
    run.well({"alice": [line]}, VALIDATED)
    programs = {"files": [{"path": str(tmp_path / "before_sshd"), "content": "text"}]}
    result = run({}, provisioning=None, programs=programs, check=check)
    assert result["failed"] and "alice would need neither a security key nor a token" in result["msg"]
    assert members() == ({"alice"}, set()) and [*key_files()] == ["alice"]
    assert not (tmp_path / "before_sshd").exists() and not result["changed"] and "programs" not in result


def test_who_leaves_is_looked_at_again_after_the_keys(run, sshd_host, line, monkeypatch):
    run.well({"alice": [line]}, VALIDATED)
    monkeypatch.setattr(host_parts, "options_of_keys", lambda options, _listed: (options, []))
    result = run({})
    assert result["failed"] and "alice would need neither a security key nor a token" in result["msg"]
    assert members() == ({"alice"}, set()) and [*key_files()] == ["alice"]


def test_an_exempt_user_may_leave(run, sshd_host, line):
    exempt = {"exempt_users": ["alice"], "exempt_groups": []}
    run.well({"alice": [line]}, VALIDATED, **exempt)
    run.well({}, provisioning=None, **exempt)
    assert members() == (set(), set())


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "sshd_security_key_not_demanded"),
        (security_key_lines().replace("verify-required", "touch-required"), "PIN or fingerprint is not required"),
        (security_key_lines().replace("Methods publickey", "Methods any"), "password let the user in without"),
        (security_key_lines().replace("/etc/fleetmfa/security_keys", "/etc/fleetmfa/other"), "there is no file"),
    ],
)
def test_nobody_joins_unless_sshd_demands_the_key(accounts, host, run, tmp_path, line, lines, said):
    accounts.add_group("mfa-enforced")
    SecurityKeyHost(tmp_path, lines)
    run.well({}, VALIDATED)
    result = run({"alice": [line], "carol": [line]}, VALIDATED)
    assert result["failed"] and said in result["msg"] and members() == (set(), {"alice"})
    assert host.state_dir.records.users() == {"alice"}


def test_a_key_that_sshd_would_not_read_shuts_nobody_out(run, sshd_host, line):
    Path("/etc/fleetmfa").mkdir()
    Path("/etc/fleetmfa").chmod(0o777)
    result = run({"carol": [line]})
    assert result["failed"] and members() == (set(), set())


@pytest.mark.parametrize("check", [True, False])
def test_the_account_of_the_connection_is_refused_before_anything_is_done(run, host, sshd_host, line, check):
    result = run({"carol": [line]}, VALIDATED, check=check, connection=connected_as("carol"))
    assert result["failed"] and "carol, which this run connects with" in result["msg"] and not result["changed"]
    assert members() == (set(), set()) and key_files() == {} and host.keys("alice") == ""


def test_an_account_that_connects_with_its_security_key_may(run, sshd_host, line):
    run.well({"carol": [line]}, connection=connected_as("bob"))
    again = run.well({"carol": [line], "bob": [line]}, check=True, connection=connected_as("carol"))
    assert again["security_keys"]["joined"] == ["bob"]


def test_users_whom_the_host_does_not_have(run, sshd_host, line):
    done = run.well({"dora": [line], "carol": [line]})
    assert done["security_keys"]["joined"] == ["carol"] and [*key_files()] == ["carol"]


def test_an_account_that_is_gone_for_now_keeps_its_file(accounts, run, sshd_host, line):
    run.well({"carol": [line]})
    accounts.remove("carol")
    assert not run.well({"carol": [line]})["changed"] and [*key_files()] == ["carol"]


def test_a_key_is_replaced(run, sshd_host, keys):
    run.well({"carol": [keys[0].line]})
    done = run.well({"carol": [keys[1].line]})["security_keys"]
    assert done["paths"] == [f"{FOLDER}/carol"] and key_files() == {"carol": f"{keys[1].line}\n"}
    assert done["joined"] == done["left"] == []


def test_a_new_user_gets_no_totp_key(run, host, sshd_host, line):
    """Of mfa_users: all."""
    part = {"human_accounts": True, "security_key_users": ["carol"]}
    done = run.well({"carol": [line]}, provisioning=part)
    assert {one["user"] for one in done["provisioning"]["users"]} == {"alice", "bob"} and host.keys("carol") == ""
    assert not run.well({"carol": [line]}, provisioning=part)["changed"]


def test_two_entries_for_one_account(run, sshd_host, line, monkeypatch):
    monkeypatch.setattr(security_key_users, "known_as", str.lower)
    result = run({"carol": [line], "CAROL": [line]}, provisioning=None)
    assert result["failed"] and "security_keys, entry 2: the account has an entry already" in result["msg"]


@pytest.mark.parametrize(
    "other", ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "no-touch-required {line}", "{line}\n{line}"]
)
def test_other_lines_are_refused_before_anything_is_done(run, host, sshd_host, line, other):
    result = run({"bob": [line], "carol": [line, other.format(line=line)]}, VALIDATED)
    assert result["failed"] and "security_keys, entry 2: key 2 is not the line of a security key" in result["msg"]
    assert members() == (set(), set()) and key_files() == {} and host.keys("alice") == ""


def test_everything_is_removed(run, host, sshd_host, line):
    run.well({"alice": [line]}, VALIDATED)
    absent = {"security_keys": {"state": "absent"}, "provisioning": None}
    assert run.well({}, check=True, **absent)["changed"] and [*key_files()] == ["alice"]
    run.well({}, **absent)
    assert members() == (set(), set()) and not Path("/etc/fleetmfa").exists()
    assert not run.well({}, **absent)["changed"]


def test_other_modules_know_who_must_not_be_asked(run, host, sshd_host, line):
    run.well({"alice": [line]}, VALIDATED)
    for module in ("totp_key", "totp_validate"):
        options = {"totp_key": {"keys": [VALIDATED]}, "totp_validate": {"validations": []}}[module]
        assert not host.run(module, **options)["changed"] and members() == ({"alice"}, set())
    assert [one["exempt"] for one in host.run("totp_key_info", users=["alice"])["users"]] == [True]
