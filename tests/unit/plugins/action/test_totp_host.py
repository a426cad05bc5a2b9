# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The controller's side of totp_host: what is confirmed, what is called again, and when it stops. New logins are for Molecule."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ansible_collections.fleetmfa.ssh.plugins.action.totp_host import ActionModule

FACTS = {"uid": 4711, "logs_in": True}
WAITS = {"confirm_timeout": 120, "rollback_at": "2026-01-31T12:00:00Z"}
KEYS = {"changed": True, "users": [{"user": "alice", "enforced": True}, {"user": "bob", "enforced": True}]}
JOINED = {**KEYS, "rollout_id": "00000000000000a1", "joining": ["alice"], **WAITS}
CHANGED, SAME = {"changed": True}, {"changed": False}
ROLLED_OUT = {"changed": True, "files": ["/etc/pam.d/sshd"], "rollout_id": "00000000000000a2", **WAITS}
GIVEN = {
    "provisioning": {"keys": [{"user": "alice", "secret": "MFSWG2LPNZXW4ZLOORXGK3LPNZSXA4DB"}]},
    "programs": {"files": []},
    "rollout": {"pam": []},
    "enrollment": {"files": []},
    "group": "mfa-team",
    "state_dir": "/srv/state",
}


class _Action(ActionModule):
    """Of a host that gives these answers, one after the other; `problem` is what a new login says, `phases` what it was told."""

    def __init__(self, answers, given=None, problem=None, transport="ssh", check_mode=False, rolled_back=None):
        self._task = SimpleNamespace(args={**(GIVEN if given is None else given)}, check_mode=check_mode, timeout=0)
        self._connection = SimpleNamespace(transport=transport, ansible_name=transport)
        self._answers, self._problem = list(answers), problem
        self._rolled_back = rolled_back or {"rolled_back": True}
        self.calls, self.phases, self.asked = [], [], 0

    def connection_facts(self):
        self.asked += 1
        return FACTS

    def module(self, name, arguments):
        if name == "fleetmfa.ssh.totp_rollout":
            self.phases.append((arguments["phase"], arguments["rollout_id"], arguments["state_dir"]))
            return self._rolled_back
        assert name == "fleetmfa.ssh.totp_host"
        self.calls.append(arguments)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _confirm_by_login(self, rollout_id, seconds):
        self.phases.append(("confirm", rollout_id, seconds))
        return self._problem

    @property
    def parts(self):
        """Of each call, the parts that it was told to do."""
        return [
            [name for name in call if name in ("provisioning", "programs", "rollout", "enrollment")]
            for call in self.calls
        ]


def answer(changed=True, **parts):
    return {"changed": changed, **parts}


def test_nothing_to_confirm_is_one_call():
    action = _Action([answer(False, provisioning=SAME, programs=SAME, rollout=SAME, enrollment=SAME)])
    assert action.act() == answer(False, provisioning=SAME, programs=SAME, rollout=SAME, enrollment=SAME)
    assert action.phases == [] and action.calls == [{**GIVEN, "_connection": FACTS}] and action.asked == 1


def test_each_part_that_waits_is_confirmed_and_the_rest_is_done_then():
    first = answer(provisioning=JOINED, diff=["k"], warnings=["one"])
    second = answer(programs=CHANGED, rollout=ROLLED_OUT, diff=["p", "r"])
    action = _Action([first, second, answer(False, enrollment=SAME, warnings=["two"])])
    result = action.act()
    assert action.parts == [
        ["provisioning", "programs", "rollout", "enrollment"],
        ["programs", "rollout", "enrollment"],
        ["enrollment"],
    ]
    assert action.phases == [("confirm", "00000000000000a1", 60), ("confirm", "00000000000000a2", 60)]
    assert all(call["_connection"] == FACTS and call["group"] == "mfa-team" for call in action.calls)
    assert action.asked == 1, "the account of the connection is asked for once a task"
    assert result["changed"] and not result.get("failed")
    assert result["provisioning"]["confirmed"] and result["rollout"]["confirmed"] and result["enrollment"] == SAME
    assert result["diff"] == ["k", "p", "r"] and result["warnings"] == ["one", "two"]


def test_the_secrets_of_a_part_that_was_done_are_not_sent_again():
    action = _Action([answer(provisioning=JOINED), answer(False, programs=SAME, rollout=SAME, enrollment=SAME)])
    action.act()
    assert "MFSWG2LP" in str({**action.calls[0]}) and "MFSWG2LP" not in str({**action.calls[1]})


def test_members_who_were_not_confirmed_are_out_and_nothing_else_is_done():
    action = _Action([answer(provisioning=JOINED)], problem="Connection refused")
    result = action.act()
    assert len(action.calls) == 1 and action.phases[1] == ("rollback", "00000000000000a1", "/srv/state")
    assert result["failed"] and result["rolled_back"] and result["changed"], "their keys stay"
    assert (
        "the membership of the users to be asked for a token was applied, but could not be confirmed" in result["msg"]
    )
    assert "Connection refused" in result["msg"] and "programs" not in result
    assert [one["enforced"] for one in result["provisioning"]["users"]] == [False, True]


@pytest.mark.parametrize(("keys", "changed"), [(CHANGED, True), (SAME, False)])
def test_a_configuration_that_was_not_confirmed_is_restored_and_nothing_else_is_done(keys, changed):
    action = _Action([answer(provisioning=keys, programs=SAME, rollout=ROLLED_OUT)], problem="Permission denied")
    result = action.act()
    assert len(action.calls) == 1 and result["failed"] and result["rolled_back"]
    assert "the new configuration was applied" in result["msg"] and "the old configuration is restored" in result["msg"]
    assert not result["rollout"]["changed"] and result["changed"] == changed and "enrollment" not in result


def test_not_rolled_back_either_says_when_the_host_will():
    failed = {"failed": True, "msg": "no route"}
    action = _Action([answer(rollout=ROLLED_OUT)], {"rollout": {}, "state_dir": "/x"}, "lost", rolled_back=failed)
    result = action.act()
    assert result["failed"] and not result["rolled_back"] and result["changed"]
    assert "by itself at 2026-01-31T12:00:00Z" in result["msg"]


def test_a_part_that_fails_ends_it_with_what_was_done_before():
    failed = {"failed": True, "changed": False, "msg": "broken", "programs": SAME}
    action = _Action([answer(provisioning=JOINED), failed])
    result = action.act()
    assert len(action.calls) == 2 and result["failed"] and result["msg"] == "broken"
    assert result["changed"] and result["provisioning"]["confirmed"] and result["programs"] == SAME


def test_a_host_that_is_lost_later_is_told_with_what_was_done():
    action = _Action([answer(provisioning=JOINED), AnsibleConnectionFailure("lost.")])
    with pytest.raises(AnsibleConnectionFailure, match="confirm_timeout.*before that, and confirmed: the keys and the"):
        action.act()


def test_check_mode_confirms_nothing():
    action = _Action([answer(provisioning=JOINED)], check_mode=True)
    assert action.act() == answer(provisioning=JOINED) and action.phases == []


def test_pam_and_sshd_need_a_login_before_anything_is_done():
    action = _Action([], transport="local")
    with pytest.raises(AnsibleActionFail, match="confirm_without_login"):
        action.act()
    assert action.calls == []
    keys_alone = _Action([answer(False, provisioning=SAME)], {"provisioning": GIVEN["provisioning"]}, transport="local")
    assert keys_alone.act() == answer(False, provisioning=SAME)
    permitted = {**GIVEN, "confirm_without_login": True}
    assert _Action([answer(False, provisioning=SAME)], permitted, transport="local").act() == answer(
        False, provisioning=SAME
    )
