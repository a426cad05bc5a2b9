# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A key that is validated on one host counts on all. The tests are the story of one fleet, in this order."""

from __future__ import annotations

import time

import pyotp
import pytest
from conftest import NAMES, STEP, fresh_token


def test_nobody_is_asked_before_somebody_validates(not_asked):
    assert [name for name in NAMES for user in ("alice", "bob") if not not_asked(name, user)] == []


def test_validated_on_one_host_is_asked_on_all(fleet, gets_in, not_asked):
    alice = fleet.validate("debian12-1", "alice")
    burnt = int(time.time() // STEP) + 1
    before = fleet.stored
    predicted = fleet.sync("all", "--check", "--diff")
    assert predicted.succeeded and fleet.stored == before, predicted.output
    run = fleet.sync("all", "--diff")
    assert run.succeeded and len(run.hosts) == 5, run.output
    assert "validated key created, joins mfa-enforced" in run.output
    assert not [text for text in (alice.secret, "secret=") if text in predicted.output + run.output]
    _step, token = fresh_token(alice, burnt)
    # Hosts do not know of each other until the next sync, so one token serves on each of them once.
    assert [name for name in NAMES if not gets_in(name, "alice", token)] == []
    assert [name for name in NAMES if gets_in(name, "alice", token)] == []
    assert [name for name in NAMES if not not_asked(name, "bob")] == []


def test_a_token_used_on_two_hosts_is_found(fleet):
    run = fleet.sync()
    assert run.succeeded and "token_used_twice" in run.output, run.output
    assert fleet.sync().changed == set(), "a run without news changes nothing"


def test_a_recovery_code_is_spent_everywhere(fleet, gets_in):
    first, second = [
        line for line in fleet.root("debian12-1", "cat /var/lib/fleetmfa/keys/alice").splitlines() if line.isdigit()
    ][:2]
    assert gets_in("debian13-1", "alice", first)
    assert fleet.sync().succeeded
    assert [name for name in NAMES if gets_in(name, "alice", first)] == []
    assert gets_in("debian11", "alice", second)


def test_parts_of_the_fleet_in_runs_of_their_own(fleet, gets_in, not_asked):
    carol = fleet.validate("debian13-2", "carol")
    burnt = int(time.time() // STEP) + 1
    assert fleet.sync("debian13-2").succeeded
    assert not_asked("debian11", "carol") and not_asked("debian12-2", "carol")
    assert fleet.sync("debian11").succeeded
    assert not_asked("debian12-2", "carol"), "a host that was away"
    _step, token = fresh_token(carol, burnt)
    assert gets_in("debian11", "carol", token)
    assert fleet.sync("all:!debian11").succeeded
    assert [name for name in NAMES if not_asked(name, "carol")] == []


def test_of_two_keys_the_one_validated_first_counts(fleet, gets_in):
    first, second = fleet.validate("debian11", "dora"), fleet.validate("debian12-2", "dora")
    burnt = int(time.time() // STEP) + 1
    run = fleet.sync()
    assert run.succeeded and "key_displaced" in run.output, run.output
    step, token = fresh_token(first, burnt)
    assert not gets_in("debian12-2", "dora", second.at(step * STEP))
    assert [name for name in NAMES if not gets_in(name, "dora", token)] == []


def test_a_new_host_knows_its_users_from_its_first_run_on(fleet, tmp_path, gets_in, not_asked):
    name = "debian13-2"
    assert fleet.play("fleetmfa.ssh.remove", name).succeeded
    assert not_asked(name, "alice") and not_asked(name, "carol")
    wrong = tmp_path / "wrong"
    wrong.write_text("another secret\n")
    refused = fleet.site(name, secret=wrong)
    assert not refused.succeeded and "vault secret" in refused.output and refused.changed == set(), refused.output
    predicted = fleet.site(name, "--check", "--diff")
    assert predicted.succeeded and "alice: validated key created" in predicted.output, predicted.output
    assert not_asked(name, "alice")
    run = fleet.site(name, "--diff")
    assert run.succeeded, run.output
    alice = pyotp.TOTP(fleet.root(name, "head -1 /var/lib/fleetmfa/keys/alice").strip())
    assert alice.secret == fleet.root("debian11", "head -1 /var/lib/fleetmfa/keys/alice").strip()
    assert alice.secret not in refused.output + predicted.output + run.output
    _step, token = fresh_token(alice, int(time.time() // STEP) + 1)
    assert gets_in(name, "alice", token) and not not_asked(name, "carol") and not_asked(name, "bob")
    assert fleet.sync().succeeded
    assert fleet.site(name).changed == set(), "a run without news changes nothing"


def test_keys_that_contradict_the_store_are_refused_before_the_host_is_changed(fleet, not_asked):
    run = fleet.site("debian11", "-e", '{"mfa_keys": [{"user": "alice", "state": "absent"}]}')
    assert not run.succeeded and run.changed == set() and "entry 1, user alice: the user has a key" in run.output
    assert not not_asked("debian11", "alice")


def test_a_store_that_cannot_be_read_stops_before_a_host_is_touched(fleet, tmp_path, not_asked):
    wrong = tmp_path / "wrong"
    wrong.write_text("another secret\n")
    before = {
        name: fleet.root(name, "ls -lR --full-time /var/lib/fleetmfa/keys /var/lib/fleetmfa/pending") for name in NAMES
    }
    run = fleet.sync(secret=wrong)
    assert not run.succeeded and run.changed == set() and "vault secret" in run.output, run.output
    content = fleet.store.read_bytes()
    fleet.store.unlink()
    run = fleet.sync()
    fleet.store.write_bytes(content)
    fleet.store.chmod(0o600)
    assert not run.succeeded and run.changed == set() and "backup" in run.output, run.output
    for name in NAMES:
        assert fleet.root(name, "ls -lR --full-time /var/lib/fleetmfa/keys /var/lib/fleetmfa/pending") == before[name]
        assert not not_asked(name, "alice") and not_asked(name, "bob")
    assert fleet.sync().succeeded


@pytest.mark.parametrize("name", NAMES)
def test_the_store_never_reaches_a_host(fleet, name):
    assert fleet.root(name, "grep -rl mfa_store /etc /var/lib/fleetmfa /usr/local 2>/dev/null || true") == ""
