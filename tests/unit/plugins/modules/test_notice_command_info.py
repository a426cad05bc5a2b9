# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether a host could tell users with a command; what is wrong with programs is tested in _notices/test_command.py."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd


@pytest.fixture
def ask(run_module, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setattr(systemd, "is_running", lambda: True)
    return lambda *command: run_module("notice_command_info", command=list(command))


def test_a_program_of_the_distribution(ask):
    assert ask("/bin/true", "--from", "me") == {
        "changed": False, "program": "/bin/true", "invocation": {"module_args": {"command": ["/bin/true", "--from", "me"]}}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ([], "the list is empty"),
        (["true"], "true is not an absolute path"),
        (["/nonexistent"], "/nonexistent: No such file or directory; put the program there"),
        (["/tmp"], "/tmp is not a program"),  # noqa: S108
    ],
)
def test_refused(ask, command, why):
    result = ask(*command)
    assert result["failed"] and result["msg"].startswith("command (mfa_notify_command): ")
    assert why in result["msg"] or command == ["/tmp"]  # noqa: S108


def test_no_systemd(ask, monkeypatch):
    monkeypatch.setattr(systemd, "is_running", lambda: False)
    assert "systemd, which would start the program, does not run" in ask("/bin/true")["msg"]
