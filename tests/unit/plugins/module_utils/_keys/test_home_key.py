# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Files that google-authenticator has made and pam_google_authenticator has rewritten, as an import reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.home_key import home_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile, KeySettings
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, secret

NOW = 1_790_000_000
STEP = NOW // 30
# Of google-authenticator 1.08, after a login; the secret is another one.
REAL = f"""{secret("one")[:26]}
" RATE_LIMIT 3 30 {NOW}
" WINDOW_SIZE 17
" DISALLOW_REUSE {STEP - 1} {STEP}
" TOTP_AUTH
11322176
45259716
"""


def key(text):
    return home_key("alice", "/home/alice/.google_authenticator", text.encode("latin-1"), NOW)


def why(text):
    with pytest.raises(FleetMfaError) as error:
        key(text)
    assert secret("one")[:16] not in str(error.value) and "11322176" not in str(error.value)
    return str(error.value)


def test_a_file_after_a_login():
    found = key(REAL)
    assert found["secret"] == secret("one")[:26] and found["period"] == 30
    assert found["codes"] == ["11322176", "45259716"]
    assert found["used"] == [STEP - 1, STEP] and found["last_used"] == STEP * 30 and found["drift"] == 0
    assert found["not_carried"] == ["WINDOW_SIZE 17", "RATE_LIMIT 3 30"] and found["notes"] == []


def test_a_file_that_was_never_used():
    found = key(REAL.replace(f" {STEP - 1} {STEP}", "").replace(f" {NOW}", ""))
    assert found["last_used"] is None and found["used"] == [] and found["drift"] is None


def test_an_attempt_is_no_use():
    assert key(REAL.replace(f" {STEP - 1} {STEP}", ""))["last_used"] is None


def test_the_period_is_carried():
    found = key(REAL.replace('" TOTP_AUTH', '" TOTP_AUTH\n" STEP_SIZE 60'))
    assert found["period"] == 60 and "STEP_SIZE" not in str(found["not_carried"])


def test_a_device_whose_clock_is_off():
    assert key(REAL.replace(f" {STEP - 1} {STEP}", f" {STEP + 5}"))["drift"] == 5
    skewed = key(REAL + '" TIME_SKEW -4\n')
    assert skewed["drift"] == -4 and "TIME_SKEW -4" in skewed["not_carried"]


def test_an_attempt_that_failed_later_tells_nothing_of_the_clock():
    assert key(REAL.replace(f"30 {NOW}", f"30 {NOW + 86400}"))["drift"] is None


def test_a_login_within_a_grace_period_is_a_use():
    found = key(REAL.replace(f" {STEP - 1} {STEP}", "") + f'" LAST0 192.0.2.1 {NOW - 50}\n')
    assert found["last_used"] == NOW - 50


def test_a_step_in_the_future_is_no_evidence():
    assert key(REAL.replace(f" {STEP - 1} {STEP}", f" {STEP + 100_000}"))["last_used"] is None


def test_without_one_time_use_nothing_is_on_record():
    found = key(REAL.replace(f'" DISALLOW_REUSE {STEP - 1} {STEP}\n', ""))
    assert found["last_used"] is None and "DISALLOW_REUSE is not set" in found["notes"][0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (REAL.replace('" TOTP_AUTH', '" HOTP_COUNTER 1'), "counts logins (HOTP)"),
        (REAL.replace('" TOTP_AUTH\n', ""), "TOTP_AUTH"),
        (REAL.replace(secret("one")[:26], secret("one")[:16]), "80 bits"),
        (REAL.replace(secret("one")[:26], secret("one")[:24] + "=="), "padding"),
        (REAL.replace(secret("one")[:26], secret("one")[:25] + "1"), "not base32"),
        (REAL + '" STEP_SIZE 120\n', "STEP_SIZE is malformed or out of range"),
        (REAL.replace("WINDOW_SIZE 17", "WINDOW_SIZE x"), "WINDOW_SIZE is malformed"),
        (REAL + "\0", "NUL byte"),
        (REAL + "".join(f"{code}\n" for code in range(20_000_000, 20_000_100)), "more than 100 recovery codes"),
        ("", "line 1"),
    ],
)
def test_what_cannot_be_imported(text, told):
    assert told in why(text)


@given(st.binary(max_size=300) | st.text(st.sampled_from('A2" \n\r17X_TOP'), max_size=60).map(str.encode))
def test_any_content_is_read_or_refused(content):
    for text in (content, REAL.encode() + content):
        try:
            found = home_key("alice", "there", text, NOW)
        except FleetMfaError:
            continue
        assert 1 <= found["period"] <= 60 and all(0 < step <= NOW for step in found["used"])


@given(
    st.sampled_from(["one", "two"]), st.sets(st.sampled_from(CODES)), st.sets(st.integers(STEP - 9, STEP)),
    st.integers(1, 100),
)  # fmt: skip
def test_what_we_write_is_read_back(name, codes, used, window):
    file = KeyFile.create(secret(name), KeySettings(window=window), "SSH", "alice", codes, NOW)
    text = file.render().replace(b'" DISALLOW_REUSE', b'" DISALLOW_REUSE ' + " ".join(map(str, used)).encode())
    found = home_key("alice", "there", text, NOW)
    assert (found["secret"], set(found["codes"]), set(found["used"])) == (secret(name), codes, used)
