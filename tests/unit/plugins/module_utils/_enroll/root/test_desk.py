# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import desk as enroll_desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.desk import Desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.overdue import settle_all
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, step_at, token_at
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import Exemption
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import CODES, SECRET, policy, provision

KEY = decode_secret(SECRET)
NOW = 1_800_000_015.0  # in the middle of a step


def token(steps=0, now=NOW):
    return token_at(KEY, step_at(now) + steps)


@pytest.fixture
def log(monkeypatch):
    """What goes to the system log."""
    lines = []
    monkeypatch.setattr(audit.syslog, "syslog", lambda _priority, line: lines.append(line))
    return lines


@pytest.fixture
def host(tmp_path, accounts, log):
    """Alice, bob and carol; alice has a pending key."""
    accounts.add_group("mfa-enforced")
    accounts.add_group("mfa-overdue")
    return provision(tmp_path, "alice", since=NOW - 86400)


@pytest.fixture
def desk(tmp_path, host):
    """desk("alice", enrollment_overdue="deny", now=...) for a request of hers."""

    def desk_(user="alice", now=NOW, **changed):
        return Desk(policy(tmp_path, **changed), user, now)

    return desk_


def ask(desk, request, **values):
    return desk.answer({"request": request, **values})


def test_the_whole_way(desk, host, log):
    key = ask(desk(), "key")
    assert key == {"secret": SECRET, "issuer": "SSH", "account": "alice", "period": 30}
    assert ask(desk(), "first", token=token(-1)) == {}
    result = ask(desk(), "validate", first=token(-1), second=token())
    assert result == {"recovery_codes": CODES, "enforced": True, "exempt": False}
    assert host.pending("alice") is None and EnforcedGroup().members == {"alice"}
    status = ask(desk(), "status")
    assert status["validated"] and status["enforced"] and not status["may_enroll"] and status["recovery_codes"] == 2
    assert log == [
        "user alice: pending key shown",
        "user alice: first token accepted",
        "user alice: key validated by two tokens, clock drift 0 s",
        "user alice: joined mfa-enforced and will be asked for a token at the next login",
    ]


def test_status_of_a_lock_and_of_an_exemption(desk, host):
    """The user's own only: another user's record says nothing of it."""
    entry = Exemption("user", "alice", until=datetime.date(2027, 3, 31))
    told = ask(desk(exempt_users=["alice"], exemptions=[entry]), "status")
    assert told["exempt"] and told["exempt_until"] == "2027-03-31"
    assert ask(desk(exemptions=[entry]), "status")["exempt_until"] is None  # it has ended
    assert (told["locked"], told["locked_seconds"], told["suspended"]) == (False, None, False)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    record = Path(host.path, "guard/alice")
    record.parent.mkdir(exist_ok=True)
    record.write_text(f"locked {boot} {int(float(Path('/proc/uptime').read_text().split()[0]))} 600\nwrong 10 0\n")
    told = ask(desk(), "status")
    assert told["locked"] and 590 <= told["locked_seconds"] <= 600 and not told["suspended"]
    assert not ask(desk("bob"), "status")["locked"]
    record.write_text("wrong 100 0\n")
    assert ask(desk(), "status")["suspended"]


def test_a_validated_key_is_never_shown(desk):
    ask(desk(), "validate", first=token(-1), second=token())
    assert ask(desk(), "key") == {"refused": "no_pending_key", "seconds": 0}
    assert SECRET not in str(ask(desk(), "status"))


def test_a_user_without_a_key_gets_one_if_one_is_meant_for_the_user(desk, host):
    made = ask(desk("bob"), "key")
    assert len(made["secret"]) == 32 and made["account"] == "bob"
    assert ask(desk("bob"), "key") == made
    assert len(host.pending("bob").recovery_codes) == 5


def test_a_member_of_a_group_in_the_policy_gets_one(desk):
    assert len(ask(desk("bob", users=["%bob"]), "key")["secret"]) == 32


@pytest.mark.parametrize(
    ("user", "changed"),
    [
        ("nobody", {}),
        ("bob", {"users": ["%alice", "%no-such-group"]}),
        ("bob", {"exempt_users": ["bob"]}),
        ("bob", {"exempt_groups": ["bob"]}),
        ("bob", {"users": ["alice"]}),
    ],
)
def test_nobody_else_gets_a_key(desk, host, user, changed):
    assert ask(desk(user, **changed), "key") == {"refused": "no_pending_key", "seconds": 0}
    assert not ask(desk(user, **changed), "status")["may_enroll"]
    assert host.pending(user) is None


@pytest.mark.parametrize(
    ("request_name", "values"),
    [("key", {}), ("first", {"token": token()}), ("validate", {"first": token(-1), "second": token()})],
)
def test_root_is_left_to_operators(desk, tmp_path, host, request_name, values):
    """sshd replaces what root types at a prompt by junk, unless PermitRootLogin is yes: root would be locked out."""
    provision(tmp_path, "root")
    with pytest.raises(FleetMfaError, match="root cannot enroll here"):
        ask(desk("root"), request_name, **values)
    assert host.validated("root") is None and EnforcedGroup().members == set()


def test_an_exempt_user_may_validate_and_is_not_enforced(desk):
    exempt = {"exempt_users": ["alice"]}
    result = ask(desk(**exempt), "validate", first=token(-1), second=token())
    assert result["exempt"] and not result["enforced"]
    assert EnforcedGroup().members == set()


def test_the_loser_of_two_keys_is_told_once(desk, host, log):
    ask(desk(), "validate", first=token(-1), second=token())
    assert ask(desk(), "status")["displaced"] is None
    host.converge_validated("alice", lambda key: key and key.with_meta(displaced="web1"))
    assert [ask(desk(), "status")["displaced"] for _time in range(2)] == ["web1", "web1"]
    assert ask(desk(), "seen") == {} and ask(desk(), "status")["displaced"] is None
    assert "told that another key" in log[-1]
    assert ask(desk(user="bob"), "seen") == {} and host.validated("bob") is None


def test_a_help_desk_code_that_has_ended_shows_no_new_key(desk, host, tmp_path):
    ask(desk(), "validate", first=token(-1), second=token())
    key = host.validated("alice")
    (name,) = key.code_ids(CODES[:1])
    host.converge_validated("alice", lambda key: key and key.with_expiring({name: int(NOW) + 60}))
    provision(tmp_path, "alice")
    assert ask(desk(now=NOW + 61), "new_key", token=CODES[0])["refused"] == "wrong"
    assert "secret" in ask(desk(now=NOW + 61), "new_key", token=CODES[1])


def test_a_group_that_cannot_be_joined_does_not_cost_the_recovery_codes(desk, log):
    result = ask(desk(group="no-such-group"), "validate", first=token(-1), second=token())
    assert result == {"recovery_codes": CODES, "enforced": False, "exempt": False}
    assert any("is NOT enforced yet" in line for line in log)


def test_wrong_tokens_are_limited_and_logged_without_the_token(desk, host, log):
    for _try in range(5):
        assert ask(desk(), "first", token="000000")["refused"] == "wrong"
    refused = ask(desk(), "first", token=token())
    assert refused["refused"] == "too_many_tries" and 0 < refused["seconds"] <= 600
    assert host.pending("alice") is not None
    assert log[0] == "user alice: token refused (wrong)" and "000000" not in str(log)


def test_new_recovery_codes_take_a_token_and_use_it_up(desk, host, log):
    ask(desk(), "validate", first=token(-1), second=token())
    assert ask(desk(), "recovery_codes", token=token())["refused"] == "already_used"
    result = ask(desk(), "recovery_codes", token=token(1))
    assert len(result["recovery_codes"]) == 5 and not set(result["recovery_codes"]) & set(CODES)
    assert host.validated("alice").recovery_codes == result["recovery_codes"]
    assert step_at(NOW) + 1 in host.validated("alice").used_steps
    assert ask(desk(), "recovery_codes", token=token(1))["refused"] == "already_used"
    assert not set(result["recovery_codes"]) & set(" ".join(log).split())


def test_forgetting_where_a_token_was_given_is_for_the_user_alone(desk, host, log):
    records = {user: Path(host.path, "guard", user) for user in ("alice", "bob")}
    for record in records.values():
        record.parent.mkdir(exist_ok=True)
        record.write_text(f"remembered {'a' * 64} x 5 6\nwrong 3 3\nclaimed 3\n")
    assert (host.remembered("alice"), host.remembered("bob")) == (1, 1)
    assert ask(desk(), "forget") == {}
    assert records["alice"].read_text() == "wrong 3 3\nclaimed 3\n", "a lock is not lifted by it"
    assert (host.remembered("alice"), host.remembered("bob")) == (0, 1)
    assert log == ["user alice: remembered logins forgotten: each login asks for a token again"]
    assert ask(desk("carol"), "forget") == {}, "there is nothing to forget"
    with pytest.raises(FleetMfaError):
        ask(desk(), "forget", user="bob")


def test_a_token_that_a_login_has_just_claimed_gives_no_codes(desk, host, tmp_path):
    """The key file does not show it yet when the answer is judged."""
    ask(desk(), "validate", first=token(-1), second=token())
    records = Path(host.path) / "guard" / "alice"
    records.write_text(f"over 77 5\nclaimed 3 {step_at(NOW) + 1}\n")
    assert ask(desk(), "recovery_codes", token=token(1))["refused"] == "already_used"
    assert host.validated("alice").recovery_codes == CODES
    records.write_text("over 77 5\nclaimed 3\n")
    assert ask(desk(), "recovery_codes", token=token(1))["recovery_codes"]
    assert records.read_text() == f"over 77 5\nclaimed 3 {step_at(NOW) + 1}\n"


def test_guessing_a_token_for_new_codes_is_limited(desk, host):
    ask(desk(), "validate", first=token(-1), second=token())
    before = host.validated("alice").recovery_codes
    for _try in range(5):
        assert ask(desk(), "recovery_codes", token="000000")["refused"] == "wrong"
    assert ask(desk(), "recovery_codes", token=token(1))["refused"] == "too_many_tries"
    assert host.validated("alice").recovery_codes == before
    assert "recovery_codes" in ask(desk(now=NOW + 700), "recovery_codes", token=token(now=NOW + 700))


def test_without_a_validated_key_there_are_no_new_codes(desk):
    assert ask(desk(), "recovery_codes", token=token())["refused"] == "no_validated_key"


@pytest.mark.parametrize(
    "question",
    [
        None, [], "status", 7, {}, {"request": None}, {"request": ["status"]}, {"request": "answer"},
        {"request": "_new_key"}, {"request": "__class__"}, {"request": "first"}, {"request": "first", "token": 123456},
        {"request": "status", "user": "bob"}, {"request": "validate", "first": "1"},
    ],
)  # fmt: skip
def test_senseless_requests(desk, question):
    with pytest.raises(FleetMfaError, match="does not know this request"):
        desk().answer(question)


class TestOverdue:
    LONG_AGO = NOW - 30 * 86400

    @pytest.fixture
    def late(self, tmp_path, host):
        provision(tmp_path, "bob", since=self.LONG_AGO)

    def settle(self, tmp_path, mode="deny", **changed):
        settle_all(policy(tmp_path, enrollment_overdue=mode, **changed), datetime.date.fromtimestamp(NOW))
        return EnforcedGroup("mfa-overdue").members

    def test_who_let_the_time_pass_and_nobody_else(self, tmp_path, late, log):
        assert self.settle(tmp_path) == {"bob"}
        assert "user bob: enrollment is overdue; from now on: deny" in log
        assert self.settle(tmp_path) == {"bob"} and len(log) == 1

    def test_the_date_of_a_key_of_its_own_counts(self, tmp_path, late):
        """As of a key that an operator has given in place of a lost one; before that date bob is not overdue."""
        for days, overdue in ((1, set()), (0, {"bob"})):
            date = datetime.date.fromtimestamp(NOW) + datetime.timedelta(days=days)
            state = StateDir(str(tmp_path / "state"))
            state.save_pending("bob", state.pending("bob").with_meta(deadline=date.isoformat()))
            assert self.settle(tmp_path, user_extensions={"bob": 60}) == overdue

    def test_a_longer_period_takes_out_again(self, tmp_path, late):
        assert self.settle(tmp_path) == {"bob"}
        assert self.settle(tmp_path, user_extensions={"bob": 60}) == set()

    @pytest.mark.parametrize(
        "changed", [{"mode": "allow"}, {"exempt_users": ["bob"]}, {"exempt_groups": ["bob"]}, {"enrollment_days": 365}]
    )
    def test_who_is_not(self, tmp_path, late, changed):
        assert self.settle(tmp_path, **changed) == set()

    def test_switching_to_allow_lets_everybody_in_again(self, tmp_path, late):
        assert self.settle(tmp_path) == {"bob"}
        assert self.settle(tmp_path, mode="allow") == set()

    @pytest.mark.parametrize("name", ["root", "toor"])
    def test_never_root(self, tmp_path, host, name):
        if name != "root":
            with Path("/etc/passwd").open("a", encoding="utf-8") as handle:
                handle.write(f"{name}:x:0:0::/root:/bin/bash\n")
        provision(tmp_path, name, since=self.LONG_AGO)
        assert self.settle(tmp_path) == set()

    def test_never_who_is_validated(self, tmp_path, late, desk):
        ask(desk("bob", enrollment_overdue="deny"), "validate", first=token(-1), second=token())
        assert self.settle(tmp_path) == set()

    def test_never_who_has_a_new_key_beside_a_validated_one(self, tmp_path, late, desk, host):
        ask(desk("bob"), "validate", first=token(-1), second=token())
        provision(tmp_path, "bob", since=self.LONG_AGO)
        assert host.pending("bob") and host.validated("bob")
        assert self.settle(tmp_path) == set()

    def test_a_broken_key_file_keeps_nobody_from_the_deadline(self, tmp_path, late, log):
        link = Path(tmp_path, "state", "pending", "alice")
        link.unlink()
        link.symlink_to("/etc/shadow")
        assert self.settle(tmp_path) == {"bob"}
        assert any("user alice: left unchanged" in line for line in log)

    def test_status_puts_the_group_right_for_its_user(self, tmp_path, late, desk):
        status = ask(desk("bob", enrollment_overdue="enroll_only"), "status")
        assert status["overdue"] and status["days_left"] == 0 and EnforcedGroup("mfa-overdue").members == {"bob"}
        status = ask(desk("bob", enrollment_overdue="enroll_only", user_extensions={"bob": 60}), "status")
        assert not status["overdue"] and EnforcedGroup("mfa-overdue").members == set()

    def test_validation_ends_it(self, tmp_path, late, desk):
        self.settle(tmp_path)
        ask(desk("bob", enrollment_overdue="enroll_only"), "validate", first=token(-1), second=token())
        assert EnforcedGroup("mfa-overdue").members == set() and EnforcedGroup().members == {"bob"}


def test_status_waits_for_no_lock_and_the_rest_not_for_long(desk, tmp_path, host, monkeypatch):
    monkeypatch.setattr(enroll_desk, "LOCK_SECONDS", 0.1)
    with host.lock():
        assert ask(desk(), "status")["pending"]
        with pytest.raises(FleetMfaError, match="has been locked by another run"):
            ask(desk(), "key")


def test_days_left(desk):
    status = ask(desk(), "status")
    assert status["open"] and status["days_left"] == 6
    deadline = datetime.date.fromtimestamp(NOW) + datetime.timedelta(days=6)
    assert status["deadline"] == deadline.isoformat()


def test_a_member_who_lost_the_key_gets_none_here(desk, host):
    """A session that is still open may be anybody's; an operator gives the new key."""
    host.remove_pending("alice")
    EnforcedGroup("mfa-enforced").update(join=["alice"])
    assert not ask(desk(), "status")["may_enroll"]
    assert ask(desk(), "key")["refused"] == "no_pending_key"
    assert host.pending("alice") is None


def test_the_last_login_is_told_to_who_is_asked_only(desk, host):
    guard = Path(host.path, "guard/alice")
    guard.write_text("previous 1 2 192.0.2.1\nclaimed \n")
    assert ask(desk(), "status")["previous_login"] is None, "pending"
    ask(desk(), "validate", first=token(-1), second=token())
    assert ask(desk(), "status")["previous_login"] == {"time": 1, "wrong_tokens": 2, "address": "192.0.2.1"}
    assert ask(desk(last_login_notice=False), "status")["previous_login"] is None
    EnforcedGroup().update(leave=["alice"])
    assert ask(desk(), "status")["previous_login"] is None, "exempt, say"
