# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.reload import reload_sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import commands
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import find_program, run, succeeds

SOURCES = Path(commands.__file__).parents[1]


def test_nothing_of_the_caller_comes_along(monkeypatch, tmp_path):
    monkeypatch.setenv("LD_PRELOAD", "/nonexistent.so")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    said = run("sh", "-c", "env; pwd; cat").output
    assert set(said.split()) == {"LC_ALL=C", f"PATH={commands.PATH}", "PWD=/", "/"} | (
        {"_=/usr/bin/env"} & set(said.split())
    )


def test_a_program_in_the_callers_path_is_not_taken(monkeypatch, tmp_path):
    planted = tmp_path / "gpasswd"
    planted.write_text("#!/bin/sh\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("gpasswd") != str(planted)


def test_how_it_ended():
    assert run("sh", "-c", "echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")
    assert run("sh", "-c", "printf '\\377'").output == "\ufffd"
    assert succeeds("true") and not succeeds("false")


def test_a_program_that_is_not_there_is_named():
    for name in ("fleetmfa-nothing", "/nonexistent/fleetmfa-nothing"):
        with pytest.raises(FleetMfaError, match=f"{name} was not found"):
            run(name)
        assert not succeeds(name)


def test_a_program_that_cannot_be_started_is_named(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/nonexistent/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(FleetMfaError, match=f"{program} cannot be started: No such file"):
        run(str(program))


def test_a_program_that_hangs_is_named(monkeypatch):
    monkeypatch.setattr(commands, "_SECONDS", 0.2)
    with pytest.raises(FleetMfaError, match="sleep did not end within"):
        run("sleep", "600")
    assert not succeeds("sleep", "600")


def test_planning_and_reloading_find_the_same_sshd(monkeypatch, tmp_path):
    sshd = tmp_path / "sshd"
    sshd.write_text("#!/bin/sh\necho this one; exit 1\n")
    sshd.chmod(0o755)
    monkeypatch.setattr(commands, "PATH", f"{tmp_path}:/usr/bin:/bin")
    assert Sshd().binary == str(sshd)
    with pytest.raises(FleetMfaError, match="rejects its configuration: this one"):
        reload_sshd()


def test_programs_are_run_by_one_file():
    """Each runner of its own had another search path, and other limits."""
    others = []
    for source in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if "subprocess" in names and source != Path(commands.__file__):
                others.append(os.fspath(source))
    assert others == []
