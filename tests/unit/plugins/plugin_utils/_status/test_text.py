# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import datetime

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.hosts import host_status
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.lines import folded
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._status.text import WIDTH, status_text

NOW = datetime.datetime(2026, 11, 26, 8, 0, tzinfo=datetime.timezone.utc)
DEAD = {"id": "key_dead", "severity": "critical", "evidence": ["…"], "remedy": "Make a new key."}


def report(user, status="validated", **values):
    known = {"user": user, "status": status, "state": "validated", "enforced": status == "validated", "revoked": False}
    times = {"since": "2026-11-01T08:00:00Z", "last_mfa_login": None, "enrollment_deadline": None}
    return {**known, **times, "devices": ["first"], "recovery_codes_left": 5, "problems": [], **values}


NO_LIST = {"users": [report("alice", devices=10**9)]}


def text(found, attention=False):
    return status_text([host_status(name, result) for name, result in found.items()], [], NOW, attention)


def test_one_line_where_all_is_the_same_and_one_for_each_difference():
    found = {f"web{number}": {"users": [report("alice"), report("bob")]} for number in range(1, 11)}
    found["web4"]["users"][1] = report("bob", "pending", enrollment_deadline="2026-11-28", recovery_codes_left=3)
    found["web7"]["users"][0]["last_mfa_login"] = "2026-11-25T07:30:00Z"
    lines = text(found).splitlines()
    assert "10 hosts, 2 users: 1 validated, 1 different on some hosts" in lines[0]
    assert [line.split() for line in lines[3:6]] == [
        ["alice", "all", "validated", "2026-11-01", "2026-11-25", "07:30", "5"],
        ["bob", "web4", "pending", "2026-11-01", "3", "2026-11-28"],
        ["bob", "web[1:3]", "web[5:10]", "validated", "2026-11-01", "5"],
    ]
    assert [line.split()[:2] for line in text(found, attention=True).splitlines()[3:]] == [["bob", "web4"]]


def test_how_many_devices_if_anybody_has_two():
    found = {"web1": {"users": [report("alice", devices=["first", "tablet"]), report("bob")]}}
    found["web2"] = {"users": [report("alice"), report("carol", "pending", devices=[])]}
    lines = text(found).splitlines()
    assert "DEVICES" in lines[2].split() and "DEVICES" not in text({"web2": found["web2"]})
    assert [line.split()[-2:] for line in lines[3:6]] == [["1-2", "5"], ["1", "5"], ["0", "5"]]


def test_what_needs_attention():
    users = [report(name, name.replace(" ", "_")) for name in ("denied", "not asked", "overdue", "exempt", "pending")]
    users += [report("leaver", "denied", revoked=True), report("broken", problems=[DEAD])]
    shown = text({"web1": {"users": users}}, attention=True)
    table = shown.split("\n\n")[1].splitlines()[1:]
    assert [line.split("  ")[0] for line in table] == ["broken", "denied", "not asked", "overdue"]
    assert "leaver" not in shown and "critical key_dead: broken on web1. Make a new key." in shown


def test_until_when_somebody_is_locked_or_exempt():
    """In the table in a word, below it with the end; a user who is denied anyway is no matter of a lock."""
    end = {"locked": True, "locked_until": "2026-11-26T09:30:00Z"}
    first = [report("alice", **end), report("bob", locked=True), report("carol", suspended=True)]
    first += [report("dave", suspended=True, **end), report("erin", "exempt", exempt_until="2027-03-31")]
    first += [report("frank", "exempt", exempt_until=None), report("gone", "denied", locked=True)]
    found = {
        "web1": {"users": first},
        "web2": {"users": [report("alice"), report("erin", "exempt", exempt_until="2027-03-31")]},
    }
    shown = text(found)
    _summary, table, below = shown.split("\n\n")
    states = {tuple(line.split()[:3]) for line in table.splitlines()[1:]}
    assert {("alice", "web1", "locked"), ("alice", "web2", "validated"), ("bob", "web1", "locked")} <= states
    assert {("carol", "web1", "suspended"), ("frank", "web1", "exempt"), ("gone", "web1", "denied")} <= states
    assert below.splitlines() == [
        "Exempt until 2027-03-31, the last day: erin on all.",
        "Locked, no prompt until 2026-11-26 09:30: alice on web1.",
        "Locked, no prompt until an operator unlocks: bob on web1.",
        "Suspended until a recovery code is given or an operator unlocks: carol on web1.",
        "Suspended, no prompt until 2026-11-26 09:30: dave on web1.",
    ]
    assert max(map(len, shown.splitlines())) <= WIDTH
    table = text(found, attention=True).split("\n\n")[1]
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["alice", "bob", "carol", "dave", "gone"]


def test_what_a_host_made_up_as_an_end_controls_no_terminal():
    one = report("erin", "exempt", exempt_until="\x1b[2Jnever")
    assert "\x1b" not in text({"web1": {"users": [one]}})
    assert "NOT REACHED" in text({"web1": {"users": [report("erin", "exempt", exempt_until=3)]}})


def test_a_hundred_columns():
    users = [report(f"user{number}", "not_provisioned", problems=[DEAD]) for number in range(100)]
    found = {f"web{number}.dc{number % 3}.example.com": {"users": users[number % 2 :]} for number in range(10)}
    shown = text(found)
    assert max(map(len, shown.splitlines())) <= WIDTH and "user99" in shown


def test_a_host_that_makes_its_result_up():
    for result in (
        None,
        "x",
        {"users": "all"},
        {"users": [{"user": "alice"}]},
        NO_LIST,
        {"failed": True, "msg": "\x1b[2J"},
    ):
        shown = text({"web1": result, "web2": {"users": [report("a\x1b[2Jlice")], "last_sync": "\x1b[2J"}})
        assert "NOT REACHED  web1: " in shown and "\x1b" not in shown and "a?[2Jlice" in shown


def test_folded():
    assert folded(["db1", "web10.example.com", "web9.example.com", "web11.example.com", "mail", "web01", "a1b2"]) == [
        "a1b2",
        "db1",
        "mail",
        "web01",
        "web[9:11].example.com",
    ]
