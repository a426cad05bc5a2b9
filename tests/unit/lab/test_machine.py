# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import machine
from lab.console import LabError

LIMITS = '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
RUNTIME = '[engine]\nruntime = "runc"\n'


@pytest.mark.parametrize(
    ("root", "capable", "hybrid", "configuration"),
    [
        (True, True, False, ""),
        (True, False, False, LIMITS),
        (True, True, True, RUNTIME),
        (True, False, True, LIMITS + RUNTIME),
        (False, False, True, ""),
    ],
)
def test_podman_is_told_only_what_the_machine_needs(monkeypatch, root, capable, hybrid, configuration):
    monkeypatch.setattr(machine, "is_root", lambda: root)
    monkeypatch.setattr(machine, "has_capability", lambda number: capable)
    monkeypatch.setattr(machine, "has_hybrid_cgroups", lambda: hybrid)
    assert machine.podman_configuration() == configuration


def test_capabilities_are_those_of_this_process():
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(next(line for line in status.splitlines() if line.startswith("CapEff:")).split()[1], 16)
    assert [machine.has_capability(number) for number in range(8)] == [bool(effective >> n & 1) for n in range(8)]


def test_a_folder_without_room_is_passed_over(monkeypatch, tmp_path):
    missing, first, second = tmp_path / "missing", tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.setattr(machine, "BUILD_BYTES", 1)
    assert machine.first_with_room([missing, first, second]) == first
    real = os.statvfs

    def noexec(folder):
        return real("/proc") if folder == first else real(folder)

    monkeypatch.setattr(os, "statvfs", noexec)
    assert machine.first_with_room([missing, first, second]) == second


def test_no_room_at_all_names_what_was_tried_and_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "BUILD_BYTES", 1 << 60)
    with pytest.raises(LabError, match=f"^no disk space: .*Tried {tmp_path}. Make room, or point TMPDIR"):
        machine.first_with_room([tmp_path])


def test_memory_is_used_only_where_there_is_enough(monkeypatch):
    tried = []
    monkeypatch.setattr(machine, "first_with_room", tried.extend)
    monkeypatch.setattr(machine, "available_memory", lambda: 2 * machine.BUILD_BYTES - 1)
    machine.build_directory()
    assert machine.SHARED_MEMORY not in tried
    monkeypatch.setattr(machine, "available_memory", lambda: 2 * machine.BUILD_BYTES)
    machine.build_directory()
    assert machine.SHARED_MEMORY in tried


def test_the_engines_storage_needs_room(tmp_path):
    with pytest.raises(LabError, match=f"^no disk space: building 3 images needs 1048576.0 GiB in {tmp_path}, .* free"):
        machine.require_space(tmp_path, 1 << 50, "building 3 images")
    machine.require_space(tmp_path, 1, "building 3 images")
    machine.require_space(tmp_path / "inside-a-vm", 1 << 50, "building 3 images")


def test_too_many_hosts_for_inotify_are_refused(monkeypatch, tmp_path):
    limit = tmp_path / "max_user_instances"
    monkeypatch.setattr(machine, "INOTIFY_INSTANCES", limit)
    machine.require_inotify_instances(1000)
    limit.write_text("128\n", encoding="ascii")
    machine.require_inotify_instances(25)
    with pytest.raises(LabError, match="26 hosts need .* 'sysctl -w fs.inotify.max_user_instances=2048' as root"):
        machine.require_inotify_instances(26)


def test_a_package_that_cannot_be_installed_is_named(commands, tmp_path):
    commands(apt_get=f'echo "$*" >> {tmp_path}/calls; echo "E: Unable to locate package" >&2; exit 100')
    with pytest.raises(LabError, match="apt-get could not install mmdebstrap:\nE: Unable to locate package"):
        machine.install(["mmdebstrap"])
    verbs = [line.split()[-1] for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines()]
    assert verbs == ["mmdebstrap", "update", "mmdebstrap"]
