# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Each program is built once in a run, though each host has a process of its own that needs it."""

from __future__ import annotations

import base64
import io
import multiprocessing
import zipfile

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError

from ansible_collections.fleetmfa.ssh.plugins.lookup import host_program

NAME = "fleetmfa.ssh.host_program"
WORKERS = 4
PYTHON = "/usr/bin/python3"
processes = multiprocessing.get_context("fork")  # as Ansible makes its own


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """What Ansible makes for each run, and its workers share."""
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


def look_up(*names):
    """The plugin as its loader would make it."""
    lookup = host_program.LookupModule()
    lookup._load_name = lookup.ansible_name = NAME
    documented = yaml.safe_load(host_program.DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", NAME, documented)
    return lookup.run(list(names), {})


def test_a_program_that_python_runs(run_folder):
    (program,) = look_up("totp-claim")
    content = base64.b64decode(program)
    assert content.startswith(f"#!{PYTHON} -IS\n".encode())
    assert "__main__.py" in zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_what_does_not_exist(run_folder):
    with pytest.raises(AnsibleLookupError, match="choose from mfa-enroll"):
        look_up("mfa-enrol")


def test_each_interpreter_has_a_program_of_its_own(run_folder):
    programs = {host_program._built("_claims.program", python) for python in (PYTHON, "/opt/python3")}
    assert len(programs) == 2


def test_one_worker_builds_while_the_others_wait(run_folder, monkeypatch):
    built, got = processes.Queue(), processes.Queue()
    here = processes.Barrier(WORKERS)

    def build(entry, interpreter):
        built.put(entry)
        return b"program"

    def work():
        here.wait()
        got.put(host_program._built("_claims.program", PYTHON))

    monkeypatch.setattr(host_program, "build_program", build)
    workers = [processes.Process(target=work) for _number in range(WORKERS)]
    for worker in workers:
        worker.start()
    assert [got.get(timeout=300) for _worker in workers] == [b"program"] * WORKERS
    for worker in workers:
        worker.join()
    assert [built.get(timeout=300)] == ["_claims.program"] and built.empty()


def test_an_unfinished_program_is_built_again(run_folder, monkeypatch):
    class Killed(BaseException):
        pass

    def die(_path, _target):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(host_program.Path, "replace", die)
        with pytest.raises(Killed):
            host_program._built("_claims.program", PYTHON)
    assert host_program._built("_claims.program", PYTHON).startswith(b"#!")
