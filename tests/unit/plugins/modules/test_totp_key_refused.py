# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module totp_key refuses, before anything is changed."""

from __future__ import annotations

import os

import pytest

OLD = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

BAD = [
    ({"user": "ghost"}, "'ghost': there is no such account"),
    ({"user": "../alice"}, "cannot be the name"),
    ({"user": ""}, "cannot be the name"),
    ({"user": "alice\0"}, "cannot be the name"),
    ({"user": "bob", "secret": f"{OLD}="}, "'bob': the secret ends in '='"),
    ({"user": "bob", "secret": OLD[:16]}, "'bob': the secret has 80 bits"),
    ({"user": "bob", "secret": f"{OLD[:-1]}!"}, "'bob': the secret is not base32"),
    ({"user": "bob", "secret": ""}, "'bob': the secret is not base32"),
    ({"user": "bob", "recovery_codes": ["01234567"]}, "recovery_codes"),
    ({"user": "bob", "recovery_codes": ["12345678", "12345678"]}, "recovery_codes"),
    ({"user": "bob", "account": "a:b"}, "account"),
    ({"user": "bob", "state": "validated"}, "nobody would know"),
]


@pytest.mark.parametrize(("entry", "said"), BAD)
def test_one_bad_entry_stops_everything(host, entry, said):
    before = host.snapshot()
    result = host.totp_key({"user": "alice", "secret": OLD, "state": "validated"}, entry)
    assert result["failed"]
    assert said in result["msg"]
    assert host.snapshot() == before


def test_all_bad_entries_are_named_and_not_endlessly(host):
    result = host.totp_key({"user": "alice"}, {"user": "alice"}, {"user": "ghost"}, {"user": "bob", "secret": "x"})
    for name in ("alice", "ghost", "bob"):
        assert f"'{name}'" in result["msg"]
    result = host.totp_key(*({"user": f"ghost{number}"} for number in range(1000)))
    assert "1000 errors" in result["msg"]
    assert "and 980 more" in result["msg"]
    assert len(result["msg"]) < 5000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"digits": 8}, "6 digits only"),
        ({"period": 61}, "period"),
        ({"window": 0}, "window"),
        ({"window": 101}, "window"),
        ({"rate_limit_attempts": 0}, "rate_limit_attempts"),
        ({"rate_limit_seconds": 3601}, "rate_limit_seconds"),
        ({"recovery_code_count": 101}, "recovery_code_count"),
        ({"issuer": "a:b"}, "issuer"),
        ({"group": "-x"}, "group"),
    ],
)
def test_what_the_pam_module_would_not_take_is_refused(host, options, said):
    before = host.snapshot()
    result = host.totp_key({"user": "alice"}, **options)
    assert result["failed"]
    assert said in result["msg"]
    assert host.snapshot() == before


def test_links_and_pipes_in_the_way(host, tmp_path):
    host.totp_key({"user": "alice"})
    (tmp_path / "target").write_text("untouched")
    (host.path / "keys" / "bob").symlink_to(tmp_path / "target")
    os.mkfifo(host.path / "pending" / "carol")
    before = host.snapshot()
    result = host.totp_key({"user": "alice", "state": "absent"}, {"user": "bob"}, {"user": "carol"})
    assert "'bob'" in result["msg"]
    assert "'carol'" in result["msg"]
    assert host.snapshot() == before
    assert (tmp_path / "target").read_text() == "untouched"


def test_a_link_in_place_of_the_folder_of_keys(host, tmp_path):
    host.totp_key({"user": "alice"})
    (host.path / "keys").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (host.path / "keys").symlink_to(tmp_path / "elsewhere")
    result = host.totp_key({"user": "alice", "secret": OLD, "state": "validated"})
    assert "symbolic link" in result["msg"]
    assert list((tmp_path / "elsewhere").iterdir()) == []
