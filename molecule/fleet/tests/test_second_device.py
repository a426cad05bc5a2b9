# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A second device that was validated on one host, on other hosts, until it is lost. Real logins are the judge."""

from __future__ import annotations

import time

import pytest
from conftest import SERVERS, STEP, fresh_token

from lab.logins import login

HERE, THERE, OFF = "debian12-2", "debian13-1", "debian11"
ON = f"{HERE}:{THERE}"
ACCEPTS = ("-e", "mfa_second_device=true")


@pytest.fixture(scope="module")
def two_devices(fleet, tmp_path_factory):
    """The phone and the tablet of ines, validated on HERE. Two hosts accept second devices, the others do not."""
    run = fleet.site(ON, *ACCEPTS)
    assert run.succeeded, run.output
    phone = fleet.validate(HERE, "ines")
    assert fleet.sync(ON, *ACCEPTS).succeeded
    sheet = tmp_path_factory.mktemp("sheets") / "ines.html"
    given = {"mfa_recover_user": "ines", "mfa_recover_device": "tablet", "mfa_recover_file": str(sheet)}
    run = fleet.decide("recover", ON, mfa_second_device="true", **given)
    assert run.succeeded, run.output
    tablet = fleet.validate(HERE, "ines", "tablet")
    assert tablet.secret[:4] in sheet.read_text() and tablet.secret not in run.output
    burnt = int(time.time() // STEP) + 1
    for target, options in ((ON, ACCEPTS), (OFF, ())):
        run = fleet.sync(target, *options)
        assert run.succeeded and tablet.secret not in run.output, run.output
    return phone, tablet, burnt


def allowed(name, answer):
    """Whether one answer is enough."""
    done = login(SERVERS[name], "ines", [answer])
    assert done.asked, done
    return done.allowed


def test_a_second_device_until_it_is_lost(fleet, two_devices):
    phone, tablet, burnt = two_devices
    step, token = fresh_token(tablet, burnt)
    assert not allowed(OFF, token), "a host that accepts no second devices"
    assert allowed(THERE, token) and not allowed(THERE, token)
    assert fleet.sync(ON, *ACCEPTS).succeeded
    assert not allowed(HERE, token), "used on another host"
    assert allowed(HERE, phone.at(step * STEP)) and allowed(OFF, phone.at(step * STEP))

    assert "DEVICES" in fleet.play("fleetmfa.ssh.status", ON).output
    lost = {"mfa_revoke_users": "ines", "mfa_revoke_device": "tablet", "mfa_second_device": "true"}
    run = fleet.decide("revoke", THERE, **lost)
    assert run.succeeded, run.output
    step, token = fresh_token(tablet, step)
    assert not allowed(THERE, token)
    assert allowed(HERE, token), "not told yet"
    assert fleet.sync(ON, *ACCEPTS).succeeded
    step, token = fresh_token(tablet, step)
    assert [name for name in (HERE, THERE, OFF) if allowed(name, token)] == []
    assert [name for name in (HERE, THERE, OFF) if not allowed(name, phone.at(step * STEP))] == []
    assert fleet.sync(ON, *ACCEPTS).succeeded, "what the phone has used since"
    assert fleet.sync(ON, *ACCEPTS).changed == set()


def test_a_lost_phone_leaves_the_tablet(fleet, two_devices, tmp_path):
    phone, _tablet, _burnt = two_devices
    sheet = {"mfa_recover_file": str(tmp_path / "ines.html"), "mfa_second_device": "true"}
    assert fleet.decide("recover", ON, mfa_recover_user="ines", mfa_recover_device="spare", **sheet).succeeded
    spare = fleet.validate(THERE, "ines", "spare")
    burnt = int(time.time() // STEP) + 1
    assert fleet.sync(ON, *ACCEPTS).succeeded
    lost = {"mfa_revoke_users": "ines", "mfa_revoke_device": "first"}
    run = fleet.decide("revoke", "all", **lost)
    assert run.succeeded, run.output
    step, token = fresh_token(spare, burnt)
    assert [name for name in (HERE, THERE, OFF) if allowed(name, phone.at(step * STEP))] == []
    assert [name for name in (HERE, THERE, OFF) if not allowed(name, token)] == []
    assert not fleet.decide("revoke", "all", **{**lost, "mfa_revoke_device": "spare"}).succeeded, "the only device"
