# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""totp_key with a second device: what is refused, what is left alone, and that no change of one device locks the user out."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.guard_claims import claim_step
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import SecondKeys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret

PHONE, TABLET, OTHER = (
    "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA",
    "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK",
)
FIRST = {"user": "alice", "secret": PHONE, "state": "validated"}
SECOND = {"user": "alice", "device": "tablet", "secret": TABLET, "state": "validated"}


@pytest.fixture
def second(host):
    return SecondKeys(host.state_dir)


def refused(host, message, *keys, **options):
    before = host.snapshot()
    result = host.totp_key(*keys, **options)
    assert result.get("failed") and message in result["msg"], result
    assert not result["changed"] and host.snapshot() == before


def test_both_devices_in_one_call(host, second):
    result = host.four_steps("totp_key", keys=[FIRST, SECOND], rate_limit_attempts=5, rate_limit_seconds=60)
    assert [(one.get("device"), one["state"], one["enforced"]) for one in result["users"]] == [
        (None, "validated", True),
        ("tablet", "validated", False),
    ]
    key = second.validated("alice")
    assert key.secret == decode_secret(TABLET) and key.recovery_codes == [] and key.meta["device"] == "tablet"
    assert key.rate_limit == (5, 60) and key.uid == host.state_dir.validated("alice").uid is not None
    assert len(host.state_dir.validated("alice").recovery_codes) == 5


def test_a_host_without_a_second_device_has_nothing_of_it(host):
    host.totp_key(FIRST)
    assert not [path.name for path in host.path.iterdir() if path.name.startswith("second")]


def test_a_second_device_is_pending_first(host, second):
    host.totp_key(FIRST)
    before = host.state_dir.validated("alice")
    result = host.four_steps("totp_key", keys=[{**SECOND, "state": "present"}])
    assert result["users"] == [
        {"user": "alice", "device": "tablet", "state": "pending", "rotation_pending": False, "changed": True,
         "enforced": True, "exempt": False, "problems": []},
    ]  # fmt: skip
    assert second.pending("alice") and not second.validated("alice")
    assert host.state_dir.validated("alice") == before and host.members() == {"alice"}


def test_settings_are_those_of_the_first_key(host, second):
    """One limit counts the attempts with both."""
    host.totp_key(FIRST, rate_limit_attempts=9, window=5)
    host.totp_key(SECOND)
    assert second.validated("alice").settings == host.state_dir.validated("alice").settings


def test_revoking_the_second_device_leaves_the_first(host, second):
    host.totp_key(FIRST, SECOND)
    before = host.state_dir.validated("alice")
    host.four_steps("totp_key", keys=[{"user": "alice", "device": "tablet", "state": "absent"}])
    assert not second.has_any("alice")
    assert host.state_dir.validated("alice") == before and host.members() == {"alice"}


def test_revoking_the_first_device_leaves_the_second_as_the_first(host, second):
    host.totp_key(FIRST, SECOND)
    result = host.four_steps("totp_key", keys=[{"user": "alice", "device": "tablet", "state": "promoted"}])
    assert result["diff"]["prepared"] == "alice: second device tablet becomes the first, whose key is dead\n"
    key = host.state_dir.validated("alice")
    assert key.secret == decode_secret(TABLET) and key.generation == 2, "the key store takes the newest generation"
    assert not second.has_any("alice") and host.members() == {"alice"}
    host.four_steps("totp_key", keys=[{"user": "alice", "device": "phone2", "secret": OTHER, "state": "validated"}])
    assert second.validated("alice").secret == decode_secret(OTHER)


def test_a_promoted_device_accepts_no_token_that_was_used_before(host):
    host.totp_key(FIRST, SECOND)
    (host.path / "guard/alice").write_text("claimed s100 77\n")
    host.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    assert not claim_step(str(host.path / "guard"), "alice", 100)


def test_replacing_the_first_key_forgets_no_token_of_the_second(host):
    host.totp_key(FIRST, SECOND)
    (host.path / "guard/alice").write_text("open 1 1 second 99\nclaimed s100 77\n")
    host.totp_key({**FIRST, "secret": OTHER})
    assert (host.path / "guard/alice").read_text() == "claimed s100 100\n"


@pytest.mark.parametrize("how", ["absent", "exempt"])
def test_who_is_released_has_no_second_device_either(host, second, how):
    host.totp_key(FIRST, SECOND)
    if how == "absent":
        host.four_steps("totp_key", keys=[{"user": "alice", "state": "absent"}])
        assert not second.has_any("alice") and host.keys("alice") == ""
    else:
        host.totp_key(exempt_users=["alice"])
        assert second.has_any("alice"), "as the first key, for the day on which the exemption ends"
    assert host.members() == set()


def test_a_first_key_that_is_that_of_the_second_device_takes_its_place(host, second):
    """As when the key store makes it the person's key."""
    host.totp_key(FIRST, SECOND)
    (host.path / "guard/alice").write_text("claimed s100\n")
    host.four_steps("totp_key", keys=[{**FIRST, "secret": TABLET}])
    assert not second.has_any("alice")
    assert "100" in (host.path / "guard/alice").read_text().split()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([FIRST, {**SECOND, "secret": PHONE}], "is that of the first device"),
        ([{"user": "alice"}, SECOND], "no usable validated key of the first device"),
        ([SECOND], "no usable validated key of the first device"),
        ([FIRST, {**SECOND, "secret": None}], "no host shows the key of a second device"),
        ([FIRST, {**SECOND, "recovery_codes": ["12345678"]}], "a second device has none"),
        ([FIRST, {**SECOND, "device": "Tablet 1"}], "must be a short name such as tablet"),
        ([FIRST, {**SECOND, "device": "first"}], "first means the first device"),
        ([FIRST, SECOND, {**SECOND, "device": "spare"}], "named 2 times"),
        ([FIRST, {"user": "alice", "device": "tablet", "state": "promoted"}], "is not validated"),
        ([{"user": "alice", "state": "promoted"}], "name it in device"),
        ([{"user": "dave", "device": "tablet", "secret": TABLET}], "no such account"),
    ],
)
def test_entries_that_are_refused(host, keys, message):
    refused(host, message, *keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([{**SECOND, "device": "spare", "secret": OTHER}], "has a second device already, tablet"),
        ([{"user": "alice", "state": "absent"}, SECOND], "removes the keys of all devices"),
        ([{**SECOND, "state": "pending"}], "cannot become pending again"),
        ([FIRST, {"user": "alice", "device": "tablet", "state": "promoted"}], "take that secret out"),
    ],
)
def test_what_is_refused_beside_a_second_device(host, keys, message):
    host.totp_key(FIRST, SECOND)
    refused(host, message, *keys)


def test_the_only_device_cannot_be_removed_as_a_second_one(host):
    host.totp_key(FIRST, SECOND)
    host.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    refused(host, "the user's only device", {"user": "alice", "device": "tablet", "state": "absent"})


def test_who_has_only_an_entry_for_a_second_device_is_managed_as_a_human_account(host):
    host.totp_key(FIRST, SECOND)
    result = host.run("totp_key", keys=[SECOND], human_accounts=True)
    assert [one.get("device") for one in result["users"] if one["user"] == "alice"] == [None, "tablet"]


def test_it_is_reported(host, second):
    host.totp_key(FIRST, {**SECOND, "state": "present"})
    found = host.run("totp_key_info", users=["alice"])["users"][0]["second_device"]
    assert (found["device"], found["state"], found["since"][:2]) == ("tablet", "pending", "20")
    assert host.run("totp_key_info", users=["alice"])["users"][0]["devices"] == ["first"]
    (host.path / "second-pending/alice").unlink()
    (host.path / "second-pending/alice").symlink_to("/nowhere")
    assert host.run("totp_key_info", users=["alice"])["users"][0]["second_device"] is None


def test_devices_are_reported_by_name(host):
    def devices():
        return host.run("totp_key_info", users=["alice"])["users"][0]["devices"]

    host.totp_key(FIRST, SECOND)
    assert devices() == ["first", "tablet"]
    host.totp_key({"user": "alice", "device": "tablet", "state": "promoted"})
    assert devices() == ["tablet"]
    host.totp_key({"user": "alice", "state": "absent"})
    host.totp_key({"user": "alice"})
    assert devices() == []


def test_attempts_with_it_are_forgotten_too(host, second):
    host.totp_key(FIRST, SECOND)
    path = host.path / "second/alice"
    path.write_text(path.read_text().replace('" RATE_LIMIT 3 30', '" RATE_LIMIT 3 30 1700000000'))
    assert len(second.validated("alice").attempts) == 1
    assert host.run("totp_unlock", users=["alice"])["changed"]
    assert second.validated("alice").attempts == []
    assert not host.run("totp_unlock", users=["alice"])["changed"]


def test_a_second_key_that_vanishes_takes_the_first_one_with_it_not(host, second):
    host.totp_key(FIRST, SECOND)
    before = host.state_dir.validated("alice")
    (host.path / "second/alice").unlink()
    with pytest.raises(FleetMfaError, match="the first one stays as it was"):
        second.become_first("alice")
    assert host.state_dir.validated("alice") == before
