# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Of any number of processes exactly one gets a step, and the record tells nobody anything."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.used_steps import StepsFolder

PERIOD = 300  # seconds: a test is over before a step is
LOGIN = "alice@web1:22"
fork = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def step_with_time_left():
    while PERIOD - time.time() % PERIOD < 30:
        time.sleep(1)


def test_one_of_many_processes_gets_the_step(tmp_path):
    folder = StepsFolder(tmp_path / "steps")
    with fork.Pool(8) as pool:
        taken = pool.map(_take, [tmp_path / "steps"] * 40)
    assert [step for step in taken if step is not None] == [int(time.time()) // PERIOD]
    assert 0 < folder.of_host(LOGIN).free_in(PERIOD) <= PERIOD
    assert folder.of_host("alice@web2:22").take(PERIOD) is not None, "another host has tokens of its own"


def _take(path):
    return StepsFolder(path).of_host(LOGIN).take(PERIOD)


def test_clock_set_back_costs_one_step_at_most(tmp_path):
    steps = StepsFolder(tmp_path / "steps").of_host(LOGIN)
    steps.take(100 * PERIOD)
    assert steps.free_in(PERIOD) <= PERIOD


def test_steps_that_count_as_used_are_not_taken(tmp_path):
    steps = StepsFolder(tmp_path / "steps").of_host(LOGIN)
    end = (int(time.time()) // PERIOD + 1) * PERIOD
    steps.count_until(end)
    steps.count_until(end - PERIOD)
    assert steps.take(PERIOD) is None and steps.free_in(PERIOD) > 0


def test_one_turn_at_a_time(tmp_path):
    steps = StepsFolder(tmp_path / "steps").of_host(LOGIN)
    first, second = steps.turn(), steps.turn()
    assert first.take(wait=False) and not second.take(wait=False)
    first.release()
    first.release()
    assert second.take(wait=True)


def test_folder_is_private_and_names_nobody(tmp_path):
    StepsFolder(tmp_path / "steps").of_host(LOGIN).take(PERIOD)
    files = list((tmp_path / "steps").iterdir())
    assert files and not [path for path in files if path.stat().st_mode & 0o077]
    assert not [path for path in files if "alice" in path.name or b"alice" in path.read_bytes()]
    (tmp_path / "steps").chmod(0o755)
    with pytest.raises(FleetMfaError, match="totp_state_dir: .*chmod 0700"):
        StepsFolder(tmp_path / "steps")
