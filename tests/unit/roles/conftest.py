# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.etcd_cluster import EtcdCluster
from ansible_collections.fleetmfa.ssh.tests.support.fleet_claims import Fleet
from ansible_collections.fleetmfa.ssh.tests.support.guarded_host import SHELLS, GuardedHost
from ansible_collections.fleetmfa.ssh.tests.support.remembered_logins import from_sshd


@pytest.fixture(params=SHELLS)
def host(tmp_path, request):
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    _need_pam()
    return GuardedHost(tmp_path, request.param)


@pytest.fixture
def remembering(host):
    return from_sshd(host)


@pytest.fixture
def need_pam():
    _need_pam()


def _need_pam():
    if os.geteuid() != 0:
        pytest.skip("needs root, whose key files the PAM module reads")
    if not shutil.which("flock") or not list(Path("/lib").glob("*/security/pam_google_authenticator.so")):
        pytest.skip("needs libpam-google-authenticator and flock(1)")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster whose members all run; not for tests that harm one."""
    yield from _started(tmp_path_factory.mktemp("etcd"))


@pytest.fixture
def own_cluster(tmp_path):
    """A cluster for one test, which may do to its members whatever it wants."""
    yield from _started(tmp_path / "etcd")


def _started(folder):
    _need_pam()
    if not EtcdCluster.is_installed():
        pytest.skip("needs etcd")
    started = EtcdCluster(folder)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture
def fleet(tmp_path, cluster):
    return Fleet(tmp_path, cluster)


@pytest.fixture
def own_fleet(tmp_path, own_cluster):
    return Fleet(tmp_path, own_cluster)
