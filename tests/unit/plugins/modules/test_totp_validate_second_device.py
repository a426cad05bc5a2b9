# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A second device is validated by two tokens of its own, after the first one."""

from __future__ import annotations

import time

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys

PHONE, TABLET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"
PENDING = {"user": "alice", "device": "tablet", "secret": TABLET}


def tokens(host, secret):
    while time.time() % 30 > 28:
        time.sleep(0.2)
    now = time.time()
    return [host.token(secret, now, -1), host.token(secret, now)]


def validate(host, two, device="tablet", **options):
    return host.run("totp_validate", validations=[{"user": "alice", "device": device, "tokens": two}], **options)


@pytest.fixture
def second(host):
    return SecondKeys(host.state_dir)


def test_two_tokens_validate_it_and_burn_both_steps(host, second):
    host.totp_key({"user": "alice", "secret": PHONE, "state": "validated"}, PENDING)
    first = host.state_dir.validated("alice")
    predicted = validate(host, ["000000", "111111"], check=True)
    assert predicted["changed"] and second.pending("alice")
    result = validate(host, tokens(host, TABLET), diff=True)
    assert result["users"] == [
        {"user": "alice", "device": "tablet", "validated": True, "changed": True, "enforced": True, "exempt": False,
         "drift_seconds": 0},
    ]  # fmt: skip
    assert result["diff"]["prepared"] == "alice: pending key of tablet validated\n"
    key = second.validated("alice")
    assert not second.pending("alice") and len(key.used_steps) == 2
    assert (host.path / "guard/alice").read_text() == "claimed s{} s{}\n".format(*key.used_steps)
    assert host.state_dir.validated("alice") == first and host.members() == {"alice"}
    assert not validate(host, ["000000", "111111"])["changed"]


def test_tokens_of_the_first_device_do_not_validate_it(host, second):
    host.totp_key({"user": "alice", "secret": PHONE, "state": "validated"}, PENDING)
    result = validate(host, tokens(host, PHONE))
    assert result["failed"] and result["users"][0]["reason"] == "wrong"
    assert not second.validated("alice") and len(second.pending("alice").meta_numbers("tries")) == 1


def test_not_before_the_first_one(host, second):
    host.totp_key({"user": "alice", "secret": PHONE}, PENDING)
    result = validate(host, tokens(host, TABLET))
    assert result["failed"] and "validate that one first" in result["msg"]
    assert not second.validated("alice") and host.members() == set()


@pytest.mark.parametrize(("device", "message"), [("spare", "no key of this device"), ("A B", "must be a short name")])
def test_not_under_another_name(host, second, device, message):
    host.totp_key({"user": "alice", "secret": PHONE, "state": "validated"}, PENDING)
    result = validate(host, tokens(host, TABLET), device=device)
    assert result["failed"] and message in result["msg"]
    assert not second.validated("alice")


def test_both_devices_in_one_call(host, second):
    host.totp_key({"user": "alice", "secret": PHONE}, PENDING)
    wishes = [{"user": "alice", "tokens": tokens(host, PHONE)}, {**PENDING, "tokens": tokens(host, TABLET)}]
    wishes[1].pop("secret")
    result = host.run("totp_validate", validations=wishes)
    assert [one["validated"] for one in result["users"]] == [True, True] and host.members() == {"alice"}
    assert second.validated("alice")
