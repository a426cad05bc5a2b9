# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Users files of pam_oath, as its man page describes them and as it rewrites them."""

from __future__ import annotations

import base64
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.oath_file import oath_keys
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import token_at
from ansible_collections.fleetmfa.ssh.tests.support.pam_logins import SERVICE, PamLogin

RAW = b"12345678901234567890"
HEX = RAW.hex()
NOW = 1_790_000_000


def read(text):
    return oath_keys("/etc/users.oath", text.encode("latin-1"), NOW)


def one(line):
    keys, refused = read(line)
    assert len(keys) == 1 and not refused, refused
    return keys[0]


def why(line):
    keys, refused = read(line)
    assert not keys and len(refused) == 1
    assert HEX not in repr(refused)
    return refused[0].why


def used_line(step, moment, kind="HOTP/T30/6"):
    local = time.strftime("%Y-%m-%dT%H:%M:%SL", time.localtime(moment))
    return f"{kind}\talice\t-\t{HEX}\t0\t{token_at(RAW, step)}\t{local}\n"


def test_a_user_who_never_logged_in():
    found = one(f"# users\n\nHOTP/T30/6 alice - {HEX}\n")
    assert found["secret"] == base64.b32encode(RAW).decode() and found["period"] == 30
    assert found["user"] == "alice" and found["source"] == "/etc/users.oath, line 3"
    assert found["last_used"] is None and found["used"] == [] and found["codes"] == []


@pytest.mark.parametrize(
    ("kind", "period"), [("HOTP/T30", 30), ("HOTP/T30/6", 30), ("HOTP/T60", 60), ("HOTP/T60/6", 60)]
)
def test_kinds(kind, period):
    assert one(f"{kind} alice - {HEX}")["period"] == period


@pytest.mark.parametrize("off", [0, 1, -3, 20])
def test_the_last_token_tells_its_step_and_the_drift(off):
    found = one(used_line(NOW // 30 + off, NOW))
    assert found["used"] == [NOW // 30 + off] and found["drift"] == off and found["last_used"] == NOW


def test_a_token_of_another_secret_is_of_no_step():
    found = one(used_line(NOW // 30 + 5000, NOW))
    assert found["used"] == [] and found["drift"] is None and found["last_used"] == NOW


def test_a_pin_is_told():
    assert "PIN" in one(f"HOTP/T30/6 alice 1234 {HEX}")["notes"][0]
    assert "1234" not in repr(one(f"HOTP/T30/6 alice 1234 {HEX}")["notes"])
    assert one(f"HOTP/T30/6 alice + {HEX}")["notes"] == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"HOTP alice - {HEX}", "counts logins (HOTP)"),
        (f"HOTP/E/6 alice - {HEX}", "counts logins (HOTP)"),
        (f"HOTP/T30/8 alice - {HEX}", "other than 6 digits"),
        (f"HOTP/T45 alice - {HEX}", "neither 30 nor 60"),
        (f"MOTP alice - {HEX}", "no kind of key"),
        (f"HOTP/T30 alice - {HEX[:20]}", "80 bits"),
        (f"HOTP/T30 alice - {HEX}x", "not hexadecimal"),
        ("HOTP/T30 alice -", "has not the four fields"),
        (f"HOTP/T30 {HEX} - alice", "not hexadecimal"),
    ],
)
def test_what_cannot_be_imported(line, told):
    assert told in why(line)


def test_a_name_is_shown_only_if_it_can_be_one():
    for name in (HEX, "\x1b[2J", "A2345672345672345672345672"):
        assert [one.user for one in read(f"HOTP/E {name} - {HEX}")[1]] == [""]
    assert [one.user for one in read(f"HOTP/E somebody - {HEX}")[1]] == ["somebody"]


@given(st.binary(max_size=200) | st.text(st.sampled_from("HOTP/E368 -\n\tL:a" + HEX[:8]), max_size=80).map(str.encode))
def test_any_content_is_read_or_refused(content):
    oath_keys("/etc/users.oath", content + b"\n" + f"HOTP/T30 alice - {HEX}".encode() + b" " + content, NOW)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: pam_oath changes the owner of the file")
def test_what_pam_oath_has_written(tmp_path):
    if not any(os.path.exists(f"/usr/lib/{name}/security/pam_oath.so") for name in os.listdir("/usr/lib")):
        pytest.skip("needs libpam-oath on this machine")
    file, services = tmp_path / "users.oath", tmp_path / "pam.d"
    file.write_text(f"HOTP/T30/6 nobody - {HEX}\n")
    file.chmod(0o600)
    services.mkdir()
    (services / SERVICE).write_text(f"auth required pam_oath.so usersfile={file} window=20\n")
    (services / "other").write_text("auth required pam_deny.so\n")
    step = int(time.time()) // 30 + 2
    login = PamLogin(services, "nobody")
    assert login.has_prompt()
    login.answer(token_at(RAW, step))
    assert login.succeeds()
    (found,), refused = oath_keys(str(file), file.read_bytes(), time.time())
    assert not refused and found["used"] == [step] and abs(found["last_used"] - time.time()) < 3600
