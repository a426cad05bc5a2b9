# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Playbooks recover, revoke and unlock as an operator runs them: what is shown where, and what stops a run."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import stat
import subprocess
import tempfile
import termios
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, secret

WHY = {"mfa_reason": "called back at extension 4711"}


class Terminal:
    """Stands in for subprocess.run: the run has a terminal, on which somebody presses Enter, and its output goes elsewhere."""

    def __init__(self):
        self.shown = ""

    def run(self, command, *, cwd, env, **_options):
        master, slave = pty.openpty()

        def take():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        with tempfile.TemporaryFile("w+") as output:
            running = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=slave, stdout=output, stderr=output, preexec_fn=take
            )
            self._press_enter(master, running)
            running.kill()  # no effect on a run that has ended
            output.seek(0)
            done = subprocess.CompletedProcess(command, running.wait(), output.read(), "")
        os.close(master)
        os.close(slave)
        return done

    def _press_enter(self, master, running):
        deadline = time.monotonic() + 300
        while running.poll() is None and time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                before = self.shown.count("Press Enter")
                self.shown += os.read(master, 65536).decode("utf-8", "replace")
                if self.shown.count("Press Enter") > before:
                    os.write(master, b"\n")


def alice_of(hosts):
    return hosts.store.read()["alice"]


@pytest.fixture
def fleet(hosts, preparation):
    return preparation.of(hosts, alice_everywhere)


def alice_everywhere(fleet):
    """Her key was validated on the first host, and all are synced."""
    fleet.validated("web1", "alice", "one")
    fleet.sync()


def test_a_new_key_on_the_terminal_and_nowhere_else(fleet, tmp_path, monkeypatch):
    log = tmp_path / "ansible.log"
    monkeypatch.setenv("ANSIBLE_LOG_PATH", str(log))
    monkeypatch.setenv("ANSIBLE_DEBUG", "1")
    terminal = Terminal()
    output = fleet.play("fleetmfa.ssh.recover", "--diff", "-vvv", run=terminal.run, mfa_recover_user="alice", **WHY)
    new = alice_of(fleet).given_in_place
    groups = [new.secret[at : at + 4] for at in range(0, len(new.secret), 4)]
    assert " ".join(groups[:4]) in terminal.shown and "\u2584" in terminal.shown
    assert terminal.shown.rstrip().endswith("\x1b[?1049l"), "nothing stays on the screen"
    for text in (output, log.read_text()):
        assert new.secret not in text and groups[0] not in text and not any(code in text for code in new.codes)
    assert "all keys revoked, new key " in output
    for state in fleet.state.values():
        assert state.validated("alice").meta["locked"] and state.pending("alice").secret_text == new.secret
    (event,) = [event for event in alice_of(fleet).history if event.reason]
    assert event.reason == WHY["mfa_reason"] and "@" in event.who


@pytest.mark.release
def test_a_new_key_in_a_file_twice_is_once(fleet, tmp_path):
    sheet = tmp_path / "alice.html"
    options = {"mfa_recover_user": "alice", "mfa_recover_file": str(sheet), **WHY}
    checked = fleet.play("fleetmfa.ssh.recover", "--check", "--diff", **options)
    assert "alice: all keys revoked, new key" in checked and not sheet.exists()
    assert alice_of(fleet).current.validated.secret == secret("one")
    fleet.play("fleetmfa.ssh.recover", **options)
    new = alice_of(fleet).given_in_place
    assert new.secret[:4] in sheet.read_text() and stat.S_IMODE(sheet.stat().st_mode) == 0o600
    sheet.unlink()
    again = fleet.play("fleetmfa.ssh.recover", **options)
    assert "changed=0" in again and "changed=1" not in again
    assert alice_of(fleet).given_in_place == new and new.secret[:4] in sheet.read_text()


@pytest.mark.release
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mfa_recover_user": "alice", **WHY}, "no terminal to show the secret on"),
        ({"mfa_recover_user": "alice", "mfa_reason": " "}, "reason (mfa_reason): is empty"),
        ({"mfa_recover_user": "alcie", "file": True, **WHY}, "has no record in the key store"),
        ({"mfa_recover_user": "alice", "mfa_recover_mode": "show", "file": True, **WHY}, "mfa_recover_show) is false"),
        ({"mfa_recover_user": "alice", "mfa_recover_mode": "revoke", **WHY}, "must be one of new_key, help_desk_code"),
        ({"mfa_recover_user": "alice", "mfa_reason": secret("two")}, "none belongs"),
        ({"mfa_recover_user": "alice", "mfa_recover_file": "sheet", **WHY}, "must be an absolute path"),
    ],
    ids=["no terminal", "no reason", "nobody", "policy", "mode", "secret", "path"],
)
def test_refused_before_anything_is_changed(fleet, tmp_path, options, told):
    if options.pop("file", False):
        options["mfa_recover_file"] = str(tmp_path / "sheet.html")
    before = fleet.store.read()
    output = fleet.play("fleetmfa.ssh.recover", ok=False, **options)
    assert told in " ".join(output.split())
    assert fleet.store.read() == before and not list(tmp_path.glob("sheet*"))


def test_the_key_once_more_and_a_help_desk_code(fleet, tmp_path):
    shown, code = tmp_path / "alice.html", tmp_path / "code"
    options = {"mfa_recover_user": "alice", "mfa_recover_show": True, **WHY}
    fleet.play("fleetmfa.ssh.recover", mfa_recover_mode="show", mfa_recover_file=str(shown), **options)
    assert secret("one")[:4] in shown.read_text() and fleet.state["web2"].validated("alice").secret_text == secret(
        "one"
    )
    fleet.play("fleetmfa.ssh.recover", mfa_recover_mode="help_desk_code", mfa_recover_file=str(code), **options)
    (new,) = alice_of(fleet).current.validated.codes - set(CODES)
    assert f"{new[:4]} {new[4:]}" in code.read_text()
    assert all(new in state.validated("alice").recovery_codes for state in fleet.state.values())
    assert {"key shown to the operator"} < {event.what for event in alice_of(fleet).history}


def test_a_leaver_and_a_host_that_is_away(fleet):
    """The store first and once; who is away is named, and does not keep the others from it."""
    away = {
        "ansible_connection": "{{ 'ssh' if inventory_hostname == 'web1' else 'local' }}",
        "ansible_host": "127.0.0.1",
    }
    output = fleet.play("fleetmfa.ssh.revoke", ok=False, ansible_port=1, mfa_revoke_users="alice,carol", **away, **WHY)
    assert "web1 has NOT been told" in output and "carol has no record in the key store" in output
    people = fleet.store.read()
    assert people["alice"].current.denied and people["carol"].current.denied
    for user in ("alice", "carol"):
        assert fleet.state["web2"].validated(user).meta["locked"]
        assert [event.reason for event in people[user].history if event.reason] == [WHY["mfa_reason"]]
    assert fleet.state["web1"].validated("alice").secret_text == secret("one")
    fleet.sync()
    assert fleet.state["web1"].validated("alice").meta["locked"]


@pytest.mark.release
def test_unlock(fleet):
    now = int(time.time())

    def tried(key):
        return key and (key if key.meta.get("tries") else key.with_meta(tries=[now]))

    fleet.state["web2"].converge_validated("alice", tried)
    assert "mfa_reason: is empty" in fleet.play(
        "fleetmfa.ssh.unlock", ok=False, mfa_unlock_users="alice", mfa_reason=""
    )
    output = fleet.play("fleetmfa.ssh.unlock", "--diff", mfa_unlock_users="alice", **WHY)
    assert "alice: 1 attempts forgotten" in output and fleet.state["web2"].attempts("alice") == 0
    assert "unlocked" in {event.what for event in alice_of(fleet).history}
    fleet.play("fleetmfa.ssh.unlock", mfa_unlock_users="alice", mfa_store="", **WHY)
    # Only where she is not asked again.
    fleet.state["web2"].converge_validated("alice", tried)
    record = Path(fleet.state["web2"].path, "guard/alice")
    record.write_text("remembered a b 5 6\nclaimed 3\n")
    history = alice_of(fleet).history
    output = fleet.play(
        "fleetmfa.ssh.unlock", "--diff", mfa_unlock_users="alice", mfa_unlock_only_remembered="true", **WHY
    )
    assert "alice: 1 remembered logins forgotten" in output and record.read_text() == "claimed 3\n"
    assert fleet.state["web2"].attempts("alice") == 1 and alice_of(fleet).history == history


@pytest.mark.release
def test_rotation_by_age(fleet):
    def older(person):
        (key,) = person.keys.values()
        return person.with_key(replace(key, validated=key.validated._replace(when=1_700_000_000)))

    fleet.store.change(["alice"], older)
    output = fleet.sync("--diff", mfa_key_max_age=365)
    assert "the key is too old and is to be replaced" in output
    for state in fleet.state.values():
        assert state.validated("alice").secret_text == secret("one") and state.pending("alice").generation == 2
    assert "older than 365 days" in {event.reason for event in alice_of(fleet).history}
