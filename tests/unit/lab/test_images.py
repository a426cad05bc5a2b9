# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import dataclasses

import pytest

from lab import files, images, machine
from lab.console import LabError
from lab.distributions import DISTRIBUTIONS
from lab.engine import Engine

DEBIAN12 = DISTRIBUTIONS["debian12"]
FAKE = Engine("podman", ("fake",))


def test_the_tag_follows_every_part_of_the_recipe(monkeypatch):
    tags = {images.tag(distribution) for distribution in DISTRIBUTIONS.values()}
    tags.add(images.tag(dataclasses.replace(DEBIAN12, packages=(*DEBIAN12.packages, "vim"))))
    monkeypatch.setattr(images, "BOOTSTRAP", (*images.BOOTSTRAP, "--verbose"))
    tags.add(images.tag(DEBIAN12))
    monkeypatch.setattr(files, "script", lambda name: "")
    tags.add(images.tag(DEBIAN12))
    assert len(tags) == len(DISTRIBUTIONS) + 3
    assert all(tag.startswith("localhost/fleetmfa-lab/debian") for tag in tags)


def test_mirrors_are_those_of_the_machines_apt(commands):
    lines = (
        r"Other\thttp://other.example/\n"
        r"Debian\thttp://first.example/debian/\n"
        r"Debian\thttp://second.example/debian/\n"
        r"Debian-Security\thttp://first.example/security/\n"
    )
    commands(apt_get=f"printf '{lines}'")
    assert images._sources(DEBIAN12) == [
        "deb http://first.example/debian/ bookworm main",
        "deb http://first.example/security/ bookworm-security main",
    ]


@pytest.mark.parametrize("scripts", [{}, {"apt_get": "printf 'Ubuntu\\thttp://other.example/\\n'"}])
def test_without_a_mirror_mmdebstrap_takes_its_own(commands, scripts):
    commands(**scripts)
    assert images._sources(DEBIAN12) == []


def test_an_image_in_the_engine_is_not_built(commands):
    commands(fake='[ "$1 $2" = "image inspect" ]')
    images.ensure(FAKE, list(DISTRIBUTIONS.values()))


def test_no_registry_and_no_mmdebstrap(commands, monkeypatch, cache, tmp_path):
    monkeypatch.setattr(machine, "is_root", lambda: False)
    commands(fake=f'[ "$1" = info ] && echo {tmp_path}')
    with pytest.raises(LabError, match="debian12: no registry provided debian:12, and without mmdebstrap"):
        images.ensure(FAKE, [DEBIAN12])


def test_the_lab_gives_up_on_a_registry_that_does_not_answer(commands, monkeypatch):
    monkeypatch.setattr(images, "PULL_SECONDS", 0.2)
    commands(fake='[ "$1" = pull ] && exec sleep 5; exit 1', mmdebstrap="")
    assert images._pull(FAKE, DEBIAN12) is False


def test_after_a_failure_no_further_build_is_started(commands, cache, tmp_path):
    log = tmp_path / "built"
    commands(
        fake=f"""case $1 in
            info) echo {tmp_path} ;;
            pull) echo $3 >> {log} ;;
            run) sleep 0.3; echo "disk full" >&2; exit 1 ;;
            *) exit 1 ;;
        esac"""
    )
    with pytest.raises(LabError, match="podman run failed:\ndisk full"):
        images.ensure(FAKE, [DISTRIBUTIONS["debian11"]] + [DEBIAN12] * 9)
    assert len(log.read_text(encoding="utf-8").splitlines()) < 10


def test_a_base_image_gets_packages_and_the_setup_script(commands, cache, tmp_path):
    fake = f'echo "$*" >> {tmp_path}/calls; case $1 in info) echo {tmp_path} ;; image) exit 1 ;; esac'
    commands(fake=fake)
    images.ensure(FAKE, [DEBIAN12])
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert "libpam-google-authenticator" in calls
    assert "rm -f /etc/ssh/ssh_host_*" in calls
    assert "commit fleetmfa-build-debian12" in calls
    assert images.tag(DEBIAN12) in calls
    assert calls.splitlines()[-1].startswith("rm -f fleetmfa-build-debian12-")
