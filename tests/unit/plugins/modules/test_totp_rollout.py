# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""totp_rollout as its action plugin calls it on a host, phase by phase. New logins are for Molecule (scenario `rollback`)."""

from __future__ import annotations

import pwd

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.own_services import DOOR_MARK, MARK
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd as system_systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.block import block

GROUP = "mfa-enforced"
CONTENT = f"""\
auth [success=ignore ignore=ignore auth_err=2 default=die] pam_succeed_if.so quiet user ingroup {GROUP}
auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${{USER}} user=root noskewadj
auth sufficient pam_succeed_if.so quiet user ingroup {GROUP}
"""
SERVICE = "auth required pam_unix.so\naccount required pam_unix.so\n"
SECRET = "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB"
FIRST, SECOND = "00000000000000a1", "00000000000000a2"


@pytest.fixture
def warnings(monkeypatch):
    """What the module warns of. Ansible itself puts it into the result or on the terminal, depending on who else is loaded."""
    given = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: given.append(text))
    return given


@pytest.fixture
def confdir(tmp_path):
    folder = tmp_path / "services"
    folder.mkdir()
    (folder / "sshd").write_text(SERVICE)
    return folder


@pytest.fixture
def run(host, confdir, monkeypatch):
    """run(rollout_id=..., phase=...) -> the module's result, on a host without systemd."""
    monkeypatch.setattr(system_systemd, "is_running", lambda: False)
    entry = {"service": "sshd", "confdir": str(confdir), "content": CONTENT}

    def run(**options):
        arguments = {"pam": [entry]} if options.get("phase", "apply") == "apply" else {}
        arguments.update(rollout_id=FIRST, confirm_timeout=3600)
        arguments.update(options)
        result = host.run("totp_rollout", **arguments)
        result.pop("invocation", None)  # up to ansible-core 2.20
        return result

    yield run
    rollout = Rollout(str(host.path))
    if rollout.folder.path.exists():
        rollout.settle()


def test_check_run_confirm_check_again_run_again(host, confdir, run, warnings):
    before = host.snapshot()
    dry = run(check=True, diff=True)
    assert host.snapshot() == before and (confdir / "sshd").read_text() == SERVICE
    wet = run(diff=True)
    assert dry["changed"] and wet["changed"] and dry["diff"] == wet["diff"]
    assert wet["files"] == [str(confdir / "sshd")] and CONTENT in (confdir / "sshd").read_text()
    assert wet["pam"] == [
        {"service": "sshd", "path": str(confdir / "sshd"), "ways_in": [["token"]], "unknown_modules": [], "notes": []}
    ]
    assert (wet["rollback_by"], wet["confirm_timeout"], wet["earlier_rollout"]) == ("process", 3600, None)
    assert run(phase="confirm") == {"changed": True, "confirmed": True}
    for check in (True, False):
        again = run(check=check, rollout_id=SECOND)
        assert not again["changed"] and not again["diff"] and "rollback_at" not in again
    assert warnings == []


def test_roll_back(confdir, run):
    run()
    assert run(phase="rollback") == {"changed": True, "rolled_back": True}
    assert (confdir / "sshd").read_text() == SERVICE
    told = run(check=True)
    assert told["earlier_rollout"]["reason"] == "request"


def test_roll_back_of_what_was_confirmed_says_so_and_leaves_it(confdir, run):
    run()
    run(phase="confirm")
    assert run(phase="rollback") == {"changed": False, "confirmed": True}
    assert CONTENT in (confdir / "sshd").read_text()


def test_a_confirmation_may_be_repeated(run):
    run()
    assert run(phase="confirm") == run(phase="confirm")


def test_next_run_reports_and_starts_from_the_old_files(run, warnings):
    run()
    waiting = run(check=True, rollout_id=SECOND)
    assert waiting["earlier_rollout"]["outcome"] == "waiting"
    assert f"roll-out {FIRST} of" in warnings[0] and "a run without check mode will roll it back" in warnings[0]
    done = run(rollout_id=SECOND)
    assert done["changed"] and done["earlier_rollout"]["id"] == FIRST
    assert "it has now been rolled back" in warnings[1]
    late = run(phase="confirm", rollout_id=FIRST)
    assert late["failed"] and "a later run may have rolled it back" in late["msg"]
    assert run(phase="confirm", rollout_id=SECOND)["confirmed"]


def test_absent_finds_lines_of_the_role_in_other_services(confdir, run):
    """In one that is no longer in use, and in a door; what others have written stays."""
    for name, mark in (("old", MARK), ("su", DOOR_MARK)):
        text = block(mark + b"\n" + CONTENT.encode(), "a test") + SERVICE.encode()
        (confdir / name).write_bytes(text)
    (confdir / "theirs").write_text(CONTENT + SERVICE)
    gone = run(state="absent", pam=[{"service": "sshd", "confdir": str(confdir)}])
    assert {path.rpartition("/")[2] for path in gone["files"]} == {"old", "su"}
    assert (confdir / "old").read_text() == (confdir / "su").read_text() == SERVICE
    assert (confdir / "theirs").read_text() == CONTENT + SERVICE


def test_absent_gives_back_the_old_file(confdir, run):
    run()
    run(phase="confirm")
    gone = run(state="absent", rollout_id=SECOND, pam=[{"service": "sshd", "confdir": str(confdir)}])
    assert gone["changed"] and (confdir / "sshd").read_text() == SERVICE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confirm_timeout": 14}, "confirm_timeout: 14 is not in the range 15 to 3600"),
        ({"confirm_timeout": 3601}, "confirm_timeout: 3601 is not in the range 15 to 3600"),
        ({"rollout_id": "x; reboot"}, "rollout_id: 'x; reboot' is not the id of a roll-out"),
        ({"rollout_id": None}, "rollout_id: '' is not the id"),
        ({"pam": [{"service": "sshd"}]}, "pam: service sshd has no content"),
        ({"phase": "confirm"}, f"there is no roll-out {FIRST} waiting for confirmation"),
        ({"phase": "rollback"}, f"there is no roll-out {FIRST} waiting for confirmation"),
    ],
)
def test_refusals(host, confdir, run, options, message):
    result = run(**options)
    assert result["failed"] and message in result["msg"]
    assert (confdir / "sshd").read_text() == SERVICE


class TestManagingAccount:
    """The account that Ansible connects with must be able to come back."""

    @pytest.fixture
    def refused(self, run, confdir):
        def refused(answers_token=False, **options):
            uid = pwd.getpwnam("alice").pw_uid
            result = run(_connection={"uid": uid, "answers_token": answers_token}, **options)
            if result.get("failed"):
                assert (confdir / "sshd").read_text() == SERVICE
                assert "exempt_users" in result["msg"] and "fleetmfa.ssh.ssh_totp" in result["msg"]
            return result.get("msg", "")

        return refused

    def test_member(self, host, refused):
        host.accounts.add_group(GROUP, ["alice"])
        assert "alice, which this run connects with, is a member of mfa-enforced" in refused()
        assert "is a member of" in refused(check=True)
        assert "is a member of" in refused(exempt_users=["alice"])  # what sshd and PAM read is the group

    def test_member_by_primary_group(self, refused, confdir):
        entry = {"service": "sshd", "confdir": str(confdir), "content": CONTENT.replace(GROUP, "alice")}
        assert "is a member of alice" in refused(group="alice", pam=[entry])

    def test_validated_and_not_exempt(self, host, refused):
        host.totp_key({"user": "alice", "secret": SECRET, "state": "validated"}, exempt_users=["alice"])
        assert "has a validated key and would become a member" in refused()

    def test_validated_and_exempt(self, host, refused):
        host.totp_key({"user": "alice", "secret": SECRET, "state": "validated"}, exempt_users=["alice"])
        assert refused(exempt_users=["alice"]) == ""

    def test_pending(self, host, refused):
        host.totp_key({"user": "alice", "secret": SECRET})
        assert refused() == ""

    def test_token_connection(self, host, refused):
        host.accounts.add_group(GROUP, ["alice"])
        assert refused(answers_token=True) == ""

    def test_taking_out_is_always_possible(self, host, run, refused, confdir):
        run()
        run(phase="confirm")
        host.accounts.add_group(GROUP, ["alice"])
        assert refused(state="absent", rollout_id=SECOND) == ""
        assert (confdir / "sshd").read_text() == SERVICE


def test_nothing_to_take_away_makes_no_folder(host, run):
    assert not run(state="absent")["changed"]
    assert not host.path.exists()


def test_what_an_earlier_roll_out_left_counts_as_changed(confdir, run, warnings):
    """It is put back first, whether this run then goes well, has nothing to do, or fails."""
    run()
    again = run(state="absent", rollout_id=SECOND)
    assert again["changed"] and not again["files"] and (confdir / "sshd").read_text() == SERVICE
    run()
    failed = run(confirm_timeout=1, rollout_id=SECOND)
    assert failed["failed"] and failed["changed"] and "earlier roll-out was rolled back" in failed["msg"]
    assert not run(confirm_timeout=1, rollout_id=SECOND)["changed"]
