# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import base64
import random

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import (
    canonical_secret,
    check_label,
    decode_secret,
    generate_secret,
    matching_steps,
    otpauth_uri,
    step_at,
    token_at,
)

RFC_SECRET = b"12345678901234567890"
# RFC 4226, appendix D
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
# RFC 6238, appendix B, SHA1
TOTP = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.parametrize(("counter", "token"), list(enumerate(HOTP)))
def test_rfc_4226(counter, token):
    assert token_at(RFC_SECRET, counter) == token


@pytest.mark.parametrize(("time", "token"), list(TOTP.items()))
def test_rfc_6238(time, token):
    assert token_at(RFC_SECRET, step_at(time), digits=8) == token


def test_same_tokens_and_uris_as_pyotp():
    pyotp = pytest.importorskip("pyotp")
    for seed in range(200):
        chance = random.Random(seed)
        secret = base64.b32encode(bytes(chance.randrange(256) for _round in range(chance.choice([20, 25, 32, 64, 80]))))
        text = secret.decode().rstrip("=")
        time, period = chance.randrange(4_000_000_000), chance.choice([15, 30, 60])
        oracle = pyotp.TOTP(text, interval=period)
        assert token_at(decode_secret(text), step_at(time, period)) == oracle.at(time)
        read = pyotp.parse_uri(otpauth_uri(text, "Ex ample & Co/\u00fc?", "DOM\\al ice@h+x", period=period))
        assert (read.secret, read.issuer, read.name) == (text, "Ex ample & Co/\u00fc?", "DOM\\al ice@h+x")
        assert (read.interval, read.digits) == (period, 6)


def test_matching_steps():
    token = token_at(RFC_SECRET, 5)
    assert matching_steps(RFC_SECRET, token, range(-3, 10)) == [5]
    assert matching_steps(RFC_SECRET, token, range(6, 10)) == []


def test_generated_secrets_have_160_bits_and_differ():
    secrets = {generate_secret() for _round in range(100)}
    assert len(secrets) == 100
    assert {len(decode_secret(secret)) for secret in secrets} == {20}


@pytest.mark.parametrize(
    "text",
    [
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
        " GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n",
        "gezd-gnbv-gy3t-qojq-gezd-gnbv-gy3t-qojq",
    ],
)
def test_secrets_as_people_write_them(text):
    assert decode_secret(text) == RFC_SECRET
    assert canonical_secret(text) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ=", "padding"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ0", "not base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", "not base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ8", "not base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ\u0131", "not base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ\u017f", "not base32"),
        ("GEZDGNBVGY3TQOJQ\nGEZDGNBVGY3TQOJQ", "not base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3\0QOJQ", "not base32"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVG", "length"),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3", "length"),
        ("GEZDGNBVGY3TQOJQ", "80 bits"),
        ("GEZDGNBVGY3TQOJQGEZDGNBV", "120 bits"),
        ("GEZDGNBV" * 26, "1040 bits"),
    ],
)
def test_secrets_that_are_refused_and_not_shown(text, said):
    with pytest.raises(FleetMfaError, match=said) as caught:
        decode_secret(text)
    assert "GEZD" not in repr(caught.value)


def test_128_bits_are_enough():
    assert len(decode_secret("GEZDGNBVGY3TQOJQGEZDGNBVGY")) == 16


@pytest.mark.parametrize("text", ["", "a:b", "a\nb", "a\0", "x" * 101])
def test_labels_that_an_app_would_misread(text):
    with pytest.raises(FleetMfaError, match="issuer"):
        check_label(text, "issuer")
