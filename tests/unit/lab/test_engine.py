# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import pytest

from lab import engine, machine
from lab.console import LabError

WORKS = 'echo "${0##*/} version 1"'
NO_DAEMON = '[ "$1" = --version ] && { echo Docker version 28; exit; }; echo "Cannot connect to the daemon" >&2; exit 1'


@pytest.fixture(autouse=True)
def ordinary_machine(monkeypatch, cache):
    monkeypatch.setattr(machine, "podman_configuration", lambda: "")


def test_a_client_without_its_daemon_is_passed_over(commands):
    commands(docker=NO_DAEMON, podman=WORKS)
    assert engine.ensure() == engine.Engine("podman", ("podman",))


def test_docker_comes_first_where_both_work(commands):
    commands(docker=WORKS, podman=WORKS)
    assert engine.ensure() == engine.Engine("docker", ("docker",))


def test_podman_under_the_name_of_docker_is_podman(commands):
    commands(docker="echo podman version 5")
    assert engine.ensure() == engine.Engine("podman", ("docker",))


def test_an_engine_that_hangs_is_passed_over(commands, monkeypatch):
    monkeypatch.setattr(engine, "PROBE_SECONDS", 0.2)
    commands(docker='[ "$1" = --version ] || exec sleep 5', podman=WORKS)
    assert engine.ensure().name == "podman"


def test_podman_gets_the_configuration_the_machine_needs(commands, monkeypatch, cache):
    monkeypatch.setattr(machine, "podman_configuration", lambda: '[engine]\nruntime = "runc"\n')
    commands(podman=WORKS, env='exec env "$@"')
    assert engine.ensure().argv == ("env", f"CONTAINERS_CONF={cache}/containers.conf", "podman")
    assert (cache / "containers.conf").read_text(encoding="utf-8") == '[engine]\nruntime = "runc"\n'


def test_no_engine_and_not_root(commands, monkeypatch):
    monkeypatch.setattr(machine, "is_root", lambda: False)
    commands(docker=NO_DAEMON)
    with pytest.raises(LabError) as error:
        engine.ensure()
    assert "docker: Cannot connect to the daemon; podman: not installed" in str(error.value)
    assert "only root can install one" in str(error.value)


def test_no_engine_and_not_debian(commands, monkeypatch):
    monkeypatch.setattr(machine, "is_root", lambda: True)
    monkeypatch.setattr(machine, "is_debian", lambda: False)
    commands()
    with pytest.raises(LabError, match="podman: not installed.*Start docker or install podman"):
        engine.ensure()


def test_root_on_debian_installs_one(commands, monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "is_root", lambda: True)
    monkeypatch.setattr(machine, "is_debian", lambda: True)
    folder = commands()
    apt = f'echo "$*" >> {tmp_path}/apt; printf "#!/bin/sh\\necho podman" > {folder}/podman; chmod 755 {folder}/podman'
    commands(apt_get=apt)
    assert engine.ensure().name == "podman"
    assert "--no-install-recommends install podman runc" in (tmp_path / "apt").read_text(encoding="utf-8")


def test_verbs_about_hosts_that_are_there_install_nothing(commands, monkeypatch):
    monkeypatch.setattr(machine, "is_root", lambda: True)
    commands(apt_get="echo must not run >&2; exit 1")
    with pytest.raises(LabError, match="^no container engine works .docker: not installed; podman: not installed.$"):
        engine.require()


def test_a_failing_command_shows_the_end_of_what_it_said(commands):
    commands(fake="seq 1 40 >&2; echo 'write: no space left on device' >&2; exit 1")
    with pytest.raises(LabError) as error:
        engine.Engine("podman", ("fake",)).check("import", "x.tar")
    assert str(error.value).startswith("podman import failed:\n27\n")
    assert str(error.value).endswith("no space left on device")
