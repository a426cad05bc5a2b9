# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The hook gets one document for each event; whatever it does, nothing waits for it, piles up or is told twice."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import notices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices import delivery, program
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.words import EVENTS, document
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.folder import RolloutFolder

PID = 'echo $$ >>"$0.pids"; cat >/dev/null'


@pytest.fixture
def tell(told, accounts):
    """tell("alice", "validated", ...) records an event."""
    accounts.add_group("mfa-enforced", ["alice"])
    return StateDir(str(told.state_dir)).notices.tell


def pids(told):
    path = Path(f"{told.hook}.pids")
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_document(told, tell):
    before = int(time.time())
    tell("alice", "validated", replaced=False)
    (got,) = told.send()
    assert got.pop("text").startswith(f"Your key was validated on {os.uname().nodename}. From now on you are asked")
    assert before - 1 <= time.mktime(time.strptime(got["time"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert {**got, "time": "", "id": ""} == {
        "version": 1, "id": "", "event": "validated", "user": "alice", "host": os.uname().nodename, "time": "",
        "by": "operator", "device": None, "enforced": True, "details": {"replaced": False},
    }  # fmt: skip
    assert told.waiting() == [] and told.send() == []


def test_nobody_is_told_without_the_settings(told, tell):
    Path(notices.SETTINGS_PATH).unlink()
    tell("alice", "validated", replaced=False)
    assert told.waiting() == []


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_has_words_with_and_without_its_details(event):
    details = {"recovery_codes": 3, "address": "192.0.2.1", "wrong_tokens": 10, "until": "2026-01-31T09:00:00Z",
               "deadline": "2026-02-01", "days_left": 7, "overdue": "deny", "rotation": True}  # fmt: skip
    needed = {"deadline": "2026-02-01", "days_left": 7} if event == "deadline_near" else {}
    for given in (details, needed):
        notice = {"event": event, "user": "alice", "time": 0, "by": "host", "details": given}
        text = document(notice, "web1", False, "1")["text"]
        assert "web1" in text and "{" not in text and "None" not in text


def test_nothing_but_known_details_leaves_the_host(told, tell):
    tell("alice", "validated", replaced=True, secret="JBSWY3DPEHPK3PXP")
    assert told.send()[0]["details"] == {"replaced": True}


def test_environment_and_descriptors_of_the_hook(told, tell, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "/nonexistent")
    inherited = 77
    os.dup2(os.open("/etc/passwd", os.O_RDONLY), inherited)
    told.write_hook('{ env; pwd; ls /proc/$$/fd; ps -o sid= -p $$; echo $$; } >"$0.saw" 2>&1; cat >/dev/null')
    tell("alice", "validated")
    told.send()
    os.close(inherited)
    saw = Path(f"{told.hook}.saw").read_text()
    assert "LD_PRELOAD" not in saw and "\n/\n" in saw and f"\n{inherited}\n" not in saw and "\n0\n" in saw
    *_, session, pid = saw.split()
    assert session == pid, "a session of its own"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("sleep 600", "did not end within 1 seconds and was killed"),
        ("cat >/dev/null; exit 3", "ended with status 3"),
        ("exit 0", None),  # without reading
        ("yes | head -c 50000000; cat >/dev/null", None),
        ("yes | head -c 50000000 >&2; exit 0", None),
        ("trap '' TERM HUP; sleep 600 & sleep 600", "did not end within 1 seconds and was killed"),
    ],
)
def test_what_a_hook_may_do(told, tell, logged, monkeypatch, script, why):
    monkeypatch.setattr(delivery, "MOST_SECONDS", 1.0 if why and "killed" in why else 60.0)
    told.write_hook(f'echo $$ >>"$0.pids"; {script}')
    tell("alice", "validated")
    started = time.monotonic()
    told.send()
    assert time.monotonic() - started < 300  # the hook would sleep for 600
    assert logged == ([f"user alice: validated: not told: {told.hook} {why}"] if why else [])
    assert told.waiting() == [] and not any(map(is_alive, pids(told)))


def test_what_a_killed_hook_has_started_is_killed_too(told, tell, logged, monkeypatch):
    monkeypatch.setattr(delivery, "MOST_SECONDS", 1.0)
    told.write_hook('sleep 600 & echo $! >>"$0.pids"; wait')
    tell("alice", "validated")
    told.send()
    (child,) = pids(told)
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(child)


def test_a_missing_hook_and_one_that_is_no_program(told, tell, logged):
    told.hook.unlink()
    tell("alice", "validated")
    told.send()
    assert logged == [
        f"1 notices are not told: mfa_notify_command: {told.hook}: No such file or directory; put the program there"
    ]
    logged.clear()
    told.hook.write_text("no program\n")
    told.hook.chmod(0o755)
    tell("alice", "validated")
    told.send()
    assert logged == [f"user alice: validated: not told: {told.hook} cannot be started: Exec format error"]


def test_a_hook_that_others_can_change_is_not_run(told, tell, logged):
    told.write_hook(PID)
    os.chown(told.hook, 20000, -1)
    tell("alice", "validated")
    told.send()
    assert len(logged) == 1 and "does not belong to root" in logged[0] and pids(told) == []
    assert told.waiting() == [], "or systemd would start the program again and again"


@pytest.mark.parametrize("name", ["-oi", "a b", "$(id)", "x;id", "ünicode", "D\\ann", "a'b\"c", "bad\udcff"])
def test_odd_names(told, tell, name):
    tell(name, "validated")
    (got,) = told.send()
    assert got["user"] == name.replace("\udcff", "\ufffd")


def test_many_at_once_need_few_processes(told, tell, monkeypatch):
    """As after a run that validates everybody."""
    monkeypatch.setattr(delivery, "_PAUSE", 0)
    told.write_hook(
        'mkdir "$0.$$"; ls -d "$0".[0-9]* | wc -l >>"$0.at_once"; cat >/dev/null; rmdir "$0.$$"; echo x >>"$0.count"'
    )
    for number in range(300):
        tell(f"user{number}", "validated")
    threads = threading.active_count()
    told.send()
    assert len(Path(f"{told.hook}.count").read_text().split()) == 300 and told.waiting() == []
    at_once = {int(line) for line in Path(f"{told.hook}.at_once").read_text().split()}
    assert max(at_once) <= delivery.AT_ONCE and threading.active_count() == threads


def test_the_folder_is_limited(told, tell, logged, monkeypatch):
    monkeypatch.setattr(notices, "MOST_WAITING", 5)
    state = StateDir(str(told.state_dir))
    for number in range(8):
        state.notices.tell(f"user{number}", "validated")
    StateDir(str(told.state_dir)).notices.tell("another", "validated")
    assert len(told.waiting()) == 5 and len(logged) == 4
    assert logged[0] == "user user5: validated: not told: more than 5 notices are waiting"


def test_recording_never_fails(told, tell, logged):
    told.state_dir.mkdir()
    (told.state_dir / "notices").write_text("no folder\n")
    tell("alice", "validated")
    assert len(logged) == 1 and logged[0].startswith("user alice: validated: not told: cannot make")


def test_several_senders_tell_once_and_need_no_more_processes(told, tell):
    told.write_hook('mkdir "$0.$$"; ls -d "$0".[0-9]* | wc -l >>"$0.at_once"; sleep 0.3; cat >>"$0.got"; rmdir "$0.$$"')
    senders = [threading.Thread(target=program.main, args=(["send", notices.SETTINGS_PATH],)) for _ in range(4)]
    for sender in senders:
        for number in range(4):
            tell(f"{sender.name}-{number}", "validated")
        sender.start()
        while told.waiting() and sender is senders[0]:
            time.sleep(0.01)
    for sender in senders:
        sender.join()
    assert len(told.got()) == len(senders) * 4 and not told.waiting()
    assert max(map(int, Path(f"{told.hook}.at_once").read_text().split())) <= delivery.AT_ONCE


def test_a_notice_older_than_a_day_is_dropped(told, tell, logged, monkeypatch):
    tell("alice", "locked")
    later = time.time() + 25 * 3600
    monkeypatch.setattr(delivery.time, "time", lambda: later)
    assert told.send() == [] and logged == ["user alice: locked: not told, since it is older than a day"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"event": "validated"}', '{"event": "no_event", "user": "a", "time": 9e9}']
)
def test_a_broken_notice_stops_nothing(told, tell, logged, content):
    tell("alice", "validated")
    (told.state_dir / "notices/new/0").write_text(content)
    assert [one["user"] for one in told.send()] == ["alice"]
    assert len(logged) == 1 and "is dropped" in logged[0]


def test_nobody_is_told_of_what_a_rollout_may_take_back(told, tell, accounts, monkeypatch):
    """Bob joins in a roll-out; then it is rolled back."""
    waits = iter([{"id": "1"}, {"id": "1"}, None])
    monkeypatch.setattr(RolloutFolder, "facts", lambda _self, _state: next(waits, None))
    monkeypatch.setattr(delivery, "_PAUSE", 0.01)
    tell("bob", "enforced")
    tell("bob", "validated")
    (got,) = told.send()
    assert (got["event"], got["enforced"]) == ("validated", False)
    assert next(waits, "asked") == "asked"


def test_a_sender_waits_for_a_run_that_changes_keys(told, tell):
    state = StateDir(str(told.state_dir))
    with state.lock():
        tell("alice", "validated")
        sender = threading.Thread(target=told.send)
        sender.start()
        time.sleep(0.5)
        assert told.waiting(), "told before the run has done what it does"
    sender.join()
    assert not told.waiting()


def test_nothing_is_in_arguments_or_the_log(told, tell, logged):
    told.write_hook('tr "\\0" " " </proc/$$/cmdline >"$0.cmdline"; cat >/dev/null; exit 1')
    tell("alice", "recovery_code_used", recovery_codes=3, address="192.0.2.1")
    told.send()
    assert Path(f"{told.hook}.cmdline").read_text().split() == ["/bin/sh", str(told.hook)]
    assert json.dumps(logged).count("192.0.2.1") == 0


@pytest.mark.parametrize(
    "settings", ["", "state_dir = /nonexistent\n", "command = []\nstate_dir = /x\ngroup = g\n", "command = [1"]
)
def test_settings_that_cannot_be_read_are_told_once_a_minute(told, tell, logged, monkeypatch, settings):
    slept = []
    monkeypatch.setattr(program.time, "sleep", slept.append)
    tell("alice", "validated")
    Path(notices.SETTINGS_PATH).write_text(settings)
    assert program.main(["send", notices.SETTINGS_PATH]) == 1
    assert slept == [program.FAILED_SECONDS] and len(logged) == 1 and "run the role again" in logged[0]
    assert len(told.waiting()) == 1


def test_a_notice_that_cannot_be_taken_out_is_not_told(told, tell, logged, monkeypatch):
    """On a file system that has become read-only, it would be told again and again."""
    monkeypatch.setattr(program.time, "sleep", lambda _seconds: None)
    tell("alice", "validated")

    def unlink(_path):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(delivery.os, "unlink", unlink)
    assert program.main(["send", notices.SETTINGS_PATH]) == 1
    monkeypatch.undo()
    assert told.got() == [] and len(told.waiting()) == 1
