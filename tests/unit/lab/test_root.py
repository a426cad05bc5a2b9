# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import subprocess
import threading
import time

import pytest
import yaml

from lab.console import LabError
from lab.root import Root


@pytest.fixture
def started(tmp_path):
    """The file in which an "engine", which runs everything on this machine, writes the process id of each `exec`."""
    engine = tmp_path / "engine"
    engine.write_text(
        f'#!/bin/sh\ntest -e {tmp_path}/down && exit 1\necho $$ >> {tmp_path}/started\nshift 3\nexec "$@"\n'
    )
    engine.chmod(0o755)
    return tmp_path / "started"


@pytest.fixture
def root(started, tmp_path):
    inventory = {"vars": {"lab_engine": [str(tmp_path / "engine")]}, "hosts": {"debian12": {"lab_container": "c"}}}
    (tmp_path / "lab.yml").write_text(yaml.safe_dump({"all": inventory}))
    return Root(tmp_path / "lab.yml", "debian12")


def test_commands_of_one_host_share_a_process(root, started):
    done = root.run("sh", "-c", "cat; echo problem >&2; exit 3", stdin=b"\xff\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"\xff\n", b"problem\n")
    assert root.output("echo one\necho two") == "one\ntwo\n"
    assert len(started.read_text().split()) == 1


def test_a_failing_command_of_a_script_is_named(root):
    with pytest.raises(LabError, match=r"c: echo seen; false; echo not(.|\n)*seen"):
        root.output("echo seen; false; echo not")


def test_killed_command(root):
    assert root.run("sh", "-c", "kill -TERM $$").returncode == 128 + 15


def test_what_runs_in_the_background_is_not_waited_for(root):
    began = time.monotonic()
    background = int(root.output("sleep 600 & echo $!"))
    assert time.monotonic() - began < 300
    subprocess.run(["kill", str(background)], check=True)


def test_several_at_once(root, tmp_path):
    """Each waits for a file that only the last one makes."""
    script = f"until test -e {tmp_path}/go; do sleep 0.1; done"
    waiting = [threading.Thread(target=root.output, args=(script,)) for _ in range(2)]
    for one in waiting:
        one.start()
    root.output(f"touch {tmp_path}/go")
    for one in waiting:
        one.join(300)
        assert not one.is_alive()


def test_host_that_was_restarted_meanwhile(root, started):
    assert root.output("echo before") == "before\n"
    subprocess.run(["kill", "-KILL", started.read_text().strip()], check=True)
    assert root.output("echo after") == "after\n"


def test_host_that_ends_during_a_command(root):
    assert root.run("sh", "-c", "kill -KILL $PPID").returncode == 137
    assert root.output("echo after") == "after\n"


def test_host_that_is_down(root, tmp_path):
    (tmp_path / "down").touch()
    with pytest.raises(LabError, match="is it running"):
        root.output("true")
