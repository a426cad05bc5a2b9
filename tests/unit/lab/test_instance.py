# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import dataclasses
import stat

import pytest

from lab import hosts, instance
from lab.console import LabError
from lab.engine import Engine


@pytest.fixture
def lab(monkeypatch, tmp_path, cache):
    monkeypatch.setattr(instance, "LAB", tmp_path / ".lab")
    return instance.Instance("x")


def container(name="debian12", **changes):
    base = hosts.Container(f"fleetmfa-x-{name}", str(instance.ROOT), "x", name, "debian12", running=True, port=4022)
    return dataclasses.replace(base, **changes)


@pytest.fixture
def engine(monkeypatch):
    """An engine with the containers that the test puts into the list."""
    existing = []
    calls = []
    monkeypatch.setattr(hosts, "containers", lambda engine: list(existing))

    def remove(engine, names):
        calls.extend(("remove", name) for name in names)
        existing[:] = [other for other in existing if other.name not in names]

    def start(engine, host):
        calls.append(("start", host.host))
        existing.append(dataclasses.replace(host, running=True, port=host.port or 4000 + len(existing)))

    def prepare(engine, host, public_key, users):
        return hosts.LabHost(host.host, host.distribution, host.name, host.port, "ssh-ed25519 AAAA")

    monkeypatch.setattr(hosts, "remove", remove)
    monkeypatch.setattr(hosts, "start", start)
    monkeypatch.setattr(hosts, "prepare", prepare)
    fake = Engine("podman", ("fake",))
    return fake, existing, calls


@pytest.mark.parametrize("name", ["", "A", "a_b", "../x", "a/b", "-a", "a" * 33, "a b"])
def test_a_name_that_could_leave_the_folder_is_refused(name):
    with pytest.raises(LabError, match="--instance: .* is not a valid name"):
        instance.Instance(name)


def test_only_the_default_instance_has_its_inventory_at_the_top(lab):
    assert instance.Instance("default").inventory == instance.LAB / "inventory.yml"
    assert lab.inventory == instance.LAB / "x" / "inventory.yml"


def test_up_starts_what_is_missing_and_keeps_what_runs(lab, engine):
    fake, existing, calls = engine
    stopped = container("debian12-1", running=False)
    existing += [container(), stopped]
    lab.up(fake, hosts.parse("debian12 debian12:2"), [], lab.inventory, 0)
    assert sorted(calls) == [("remove", stopped.name), ("start", "debian12-1"), ("start", "debian12-2")]
    text = lab.inventory.read_text(encoding="utf-8")
    assert all(f"    {host}:\n" in text for host in ("debian12", "debian12-1", "debian12-2"))
    calls.clear()
    lab.up(fake, hosts.parse("debian12 debian12:2"), [], lab.inventory, 0)
    assert calls == []


def test_hosts_not_asked_for_this_time_stay_in_the_inventory(lab, engine):
    fake, existing, calls = engine
    existing += [container("debian13"), container()]
    lab.up(fake, hosts.parse("debian12"), [], lab.inventory, 0)
    assert calls == []
    assert "    debian13:\n" in lab.inventory.read_text(encoding="utf-8")


def test_fixed_ports_count_from_the_base(lab, engine):
    fake, existing, _calls = engine
    lab.up(fake, hosts.parse("debian11 debian12"), [], lab.inventory, 47110)
    assert {host.host: host.port for host in existing} == {"debian11": 47110, "debian12": 47111}


def test_the_key_is_private_and_stays(lab, engine):
    fake, _existing, _calls = engine
    lab.up(fake, hosts.parse("debian12"), [], lab.inventory, 0)
    key = lab.private_key.read_bytes()
    assert stat.S_IMODE(lab.private_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(lab.folder.stat().st_mode) == 0o700
    lab.up(fake, hosts.parse("debian12"), [], lab.inventory, 0)
    assert lab.private_key.read_bytes() == key


def test_down_removes_only_its_own(lab, engine):
    fake, existing, calls = engine
    existing += [container(), container("debian13", instance="y")]
    lab.up(fake, hosts.parse("debian12"), [], lab.inventory, 0)
    (instance.LAB / "y").mkdir()
    assert lab.down(fake) == 1
    assert calls == [("remove", "fleetmfa-x-debian12")]
    assert not lab.folder.exists()
    assert (instance.LAB / "y").exists()


def test_down_of_the_last_instance_leaves_no_folder(lab, engine):
    fake, _existing, _calls = engine
    default = instance.Instance("default")
    default.up(fake, hosts.parse("debian12"), [], default.inventory, 0)
    default.down(fake)
    assert not instance.LAB.exists()


def test_an_instance_of_another_checkout_is_left_alone(lab, engine):
    fake, existing, calls = engine
    existing.append(container(root="/other"))
    assert lab.down(fake) == 0
    assert calls == []


def test_only_a_running_host_of_its_own_can_be_entered(lab, engine):
    fake, existing, _calls = engine
    existing += [container(), container("debian13", root="/other")]
    assert lab.container(fake, "debian12").name == "fleetmfa-x-debian12"
    with pytest.raises(LabError, match="x has no running host 'debian13', only: debian12"):
        lab.container(fake, "debian13")
