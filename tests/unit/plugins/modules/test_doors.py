# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""su, sudo and login with a token: the real programs and the real libpam, on the machine's own services in a private /etc."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.own_services import DOOR_MARK as MARK
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy import managing_connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd as system_systemd
from ansible_collections.fleetmfa.ssh.tests.support.door_host import PASSWORD, SECRET, DoorHost

DOORS = ("login", "su", "su-l", "sudo", "sudo-i")
WRONG = "000000"


@pytest.fixture
def doors(host, tmp_path, monkeypatch):
    missing = [name for name in DOORS if not Path("/etc/pam.d", name).is_file()]
    if missing or not shutil.which("sudo") or not list(Path("/lib").glob("*/security/pam_google_authenticator.so")):
        pytest.skip(f"needs su, sudo, login and libpam-google-authenticator (missing: {missing})")
    monkeypatch.setattr(system_systemd, "is_running", lambda: False)
    yield DoorHost(host, tmp_path)
    rollout = Rollout(str(host.path))
    if rollout.folder.path.exists():
        rollout.settle()


def services() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("/etc/pam.d").iterdir() if path.is_file()}


@pytest.fixture
def covered(doors):
    result = doors.rollout(*map(doors.entry, DOORS))
    assert not result.get("failed"), result
    return doors


def test_put_in_and_taken_away_again_without_a_trace(doors):
    before = services()
    entries = [doors.entry(name) for name in DOORS]
    dry = doors.rollout(*entries, check=True, diff=True)
    assert dry["changed"], dry
    assert services() == before
    wet = doors.rollout(*entries, diff=True)
    assert wet["changed"] and wet["diff"] == dry["diff"]
    assert {one["service"]: one["ways_in"] for one in wet["pam"]} == dict.fromkeys(DOORS, [["password", "token"]])
    changed = {name for name, text in services().items() if text != before[name]}
    assert changed == {"login", "su", "sudo", "sudo-i"}  # su-l includes su
    assert not doors.rollout(*entries)["changed"]
    gone = doors.rollout(*({"service": name, "state": "absent"} for name in DOORS))
    assert gone["changed"] and services() == before


def test_rolled_back_if_not_confirmed(doors):
    before = services()
    doors._host.run("totp_rollout", rollout_id="00000000000000a2", confirm_timeout=3600, pam=[doors.entry("su")])
    assert services() != before
    assert doors._host.run("totp_rollout", rollout_id="00000000000000a2", phase="rollback")["rolled_back"]
    assert services() == before


def test_a_door_that_leaves_the_list_while_one_that_includes_it_stays(doors):
    doors.rollout(doors.entry("su"), doors.entry("su-l"))
    result = doors.rollout({"service": "su", "state": "absent"}, doors.entry("su-l"), rollout_id="00000000000000a2")
    assert result["changed"], result
    assert b"BEGIN fleetmfa.ssh" in services()["su-l"] and b"BEGIN fleetmfa.ssh" not in services()["su"]
    assert doors.asked(doors.su("bob", "alice", "-l"), PASSWORD) == (["P", "T"], False)
    assert doors.asked(doors.su("bob", "alice"), PASSWORD) == (["P"], True)


class TestSu:
    def test_into_a_validated_account_needs_its_token_after_its_password(self, covered):
        assert covered.asked(covered.su("bob", "alice"), PASSWORD) == (["P", "T"], False)
        assert covered.asked(covered.su("bob", "alice"), PASSWORD, WRONG) == (["P", "T"], False)
        assert covered.asked(covered.su("bob", "alice"), PASSWORD, covered.token()) == (["P", "T"], True)
        assert covered.asked(covered.su("bob", "alice", "-l"), PASSWORD, covered.token()) == (["P", "T"], False)
        assert covered.asked(covered.su("bob", "alice", "-l"), PASSWORD, covered.next_token()) == (["P", "T"], True)

    def test_without_the_password_there_is_no_prompt_for_a_token_and_no_attempt(self, covered):
        before = state(covered)
        assert covered.asked(covered.su("bob", "alice"), "wrong", covered.token()) == (["P"], False)
        assert state(covered) == before

    def test_others_notice_nothing(self, covered):
        assert covered.asked(covered.su("alice", "bob"), PASSWORD) == (["P"], True)
        assert covered.asked(covered.su("alice", "root"), PASSWORD) == (["P"], True)
        assert covered.asked(covered.su("root", "alice")) == ([], True)

    def test_the_caller_cannot_send_signals_to_the_guard(self, covered):
        """kill(2) looks at the real user id, which su leaves as it was."""
        first, rest = covered.guard.read_text().split("\n", 1)
        covered.guard.write_text(f"{first}\n/usr/bin/id -ru >>{covered.folder}/ids\n{rest}")
        assert covered.asked(covered.su("bob", "alice"), PASSWORD, covered.token()) == (["P", "T"], True)
        assert (covered.folder / "ids").read_text().split() == ["0", "0"]

    @pytest.mark.parametrize("lost", ["program", "key", "module"])
    def test_fails_closed_if_a_part_is_lost(self, covered, lost):
        if lost == "program":
            covered.guard.unlink()
        elif lost == "key":
            (covered._host.path / "keys/alice").unlink()
        else:
            su = Path("/etc/pam.d/su")
            su.write_text(su.read_text().replace("pam_google_authenticator.so", "pam_google_authenticator_lost.so"))
        assert covered.asked(covered.su("bob", "alice"), PASSWORD, covered.token())[1] is False
        assert covered.asked(covered.su("alice", "bob"), PASSWORD) == (["P"], True)


class TestSudo:
    def test_asks_the_caller_once_within_its_time(self, covered):
        assert covered.asked(covered.sudo("alice"), PASSWORD) == (["P", "T"], False)
        assert covered.asked(covered.sudo("alice"), PASSWORD, WRONG) == (["P", "T"], False)
        assert covered.asked(covered.sudo("alice"), PASSWORD, covered.token()) == (["P", "T"], True)
        assert covered.asked(covered.sudo("alice")) == ([], True)
        assert covered.asked(covered.sudo("alice", "-n")) == ([], True)
        assert covered.asked(covered.sudo("alice", "-k"), PASSWORD, covered.token()) == (["P", "T"], False)
        assert covered.asked(covered.sudo("alice", "-i", "-k"), PASSWORD, covered.next_token()) == (["P", "T"], True)

    def test_others_notice_nothing(self, covered):
        assert covered.asked(covered.sudo("bob", "-k"), PASSWORD) == (["P"], True)
        assert covered.asked(covered.sudo("bob", "-k", "-n")) == ([], False)
        assert covered.asked(covered.sudo("bob", "-k", "-u", "alice"), PASSWORD) == (["P"], True)
        assert covered.asked(covered.sudo("carol", "-n")) == ([], True)
        assert covered.asked(covered.sudo("root")) == ([], True)

    def test_without_a_prompt_a_validated_caller_gets_nothing(self, covered):
        assert covered.asked(covered.sudo("alice", "-k", "-n")) == ([], False)
        assert covered.asked(covered.sudo("alice", "-k"), "wrong") == (["P"], False)

    def test_targetpw_asks_the_account_whose_password_it_asks(self, covered):
        sudoers = Path("/etc/sudoers")
        sudoers.chmod(0o640)
        sudoers.write_text("Defaults targetpw\n" + sudoers.read_text())
        sudoers.chmod(0o440)
        assert covered.asked(covered.sudo("bob", "-u", "alice"), PASSWORD, covered.token()) == (["P", "T"], True)
        assert covered.asked(covered.sudo("alice", "-u", "bob"), PASSWORD) == (["P"], True)


class TestConsole:
    def test_a_validated_account_needs_a_token_after_its_password(self, covered):
        assert covered.console("alice", PASSWORD) == (2, False)
        assert covered.console("alice", PASSWORD, WRONG) == (2, False)
        assert covered.console("alice", "wrong", covered.token()) == (1, False)
        assert covered.console("alice", PASSWORD, covered.token()) == (2, True)
        assert covered.console("alice", PASSWORD, covered.token()) == (2, False)

    def test_root_and_others_log_in_as_before(self, covered):
        assert covered.console("root", PASSWORD) == (1, True)
        assert covered.console("bob", PASSWORD) == (1, True)


class TestConsoleStaysOpen:
    """Root, or an exempt account, needs a password there."""

    @staticmethod
    def lock_root():
        shadow = Path("/etc/shadow")
        shadow.write_text(re.sub("^root:[^:]*", "root:*", shadow.read_text(), flags=re.MULTILINE))

    def test_roll_out(self, doors):
        self.lock_root()
        before = services()
        refused = doors.rollout(doors.entry("login"), exempt_users=[])
        assert (
            refused["failed"]
            and "nobody could log in at the console without one: root has no password" in refused["msg"]
        )
        assert services() == before
        assert doors.rollout(doors.entry("su"), exempt_users=[])["changed"]
        assert doors.rollout(doors.entry("login"), exempt_users=["bob"], rollout_id="00000000000000a2")["changed"]

    def test_validation(self, doors, monkeypatch):
        """A validated root would be asked at the console, too; sshd, which a private /etc lacks, would let root answer."""
        monkeypatch.setattr(managing_connection, "_may_answer", lambda _root: True)
        key = {"user": "root", "secret": SECRET, "state": "validated"}
        doors.rollout({**doors.entry("login"), "content": f"{MARK.decode()}\n{doors.lines()}"})
        refused = doors._host.totp_key(key, exempt_users=[])
        assert refused.get("failed") and "root is a member of mfa-enforced" in refused["msg"], refused
        assert doors._host.members() == {"alice"}
        assert not doors._host.totp_key(key, exempt_users=["bob"]).get("failed")


def state(doors: DoorHost) -> dict[str, bytes]:
    """What the guard and the PAM module have written."""
    folders = [doors._host.path / name for name in ("keys", "guard")]
    return {str(path): path.read_bytes() for folder in folders for path in folder.iterdir() if path.is_file()}
