# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The names of claims: the same on every host that has the key, different for everything else, and nothing to guess from."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.name import ClaimingKey
from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.program import CLOCK_SECONDS, kept_seconds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import DEFAULT_PERIOD, DEFAULT_WINDOW
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, generate_secret

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def key(secret=SECRET, *lines):
    return ClaimingKey("\n".join([secret, '" TOTP_AUTH', *lines, "12345678"]).encode())


def test_it_is_the_hmac_that_the_documentation_says():
    derived = hmac.new(decode_secret(SECRET), b"fleetmfa.ssh: key for the names of claims", hashlib.sha256).digest()
    assert key().claim_name("59000000") == hmac.new(derived, b"59000000", hashlib.sha256).hexdigest()


def test_secret_and_step_decide_and_nothing_else():
    other = SECRET[:-1] + "A"
    names = {key(secret).claim_name(used) for secret in (SECRET, other) for used in ("1", "2", "r1", "r2")}
    assert len(names) == 8
    same = (SECRET.lower(), f" {SECRET} ", SECRET)
    assert {key(one, '" STEP_SIZE 60', '" RATE_LIMIT 3 30 1 2').claim_name("1") for one in same} == {
        key().claim_name("1")
    }


@pytest.mark.parametrize("bits", [128, 136, 144, 152, 160, 256])
def test_every_length_of_a_secret(bits):
    text = generate_secret()[: -(-bits // 5)]
    assert key(text).claim_name("1") != key().claim_name("1")


@pytest.mark.parametrize("content", [b"", b"\n", b"not a secret\n", b"JBSW1\n", b"\xff\xfe\n"])
def test_what_is_no_key_file(content):
    with pytest.raises(FleetMfaError, match="not a secret") as error:
        ClaimingKey(content)
    assert "JBSW" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FleetMfaError, match="FileNotFoundError"):
        ClaimingKey.read(str(tmp_path / "alice"))


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ((), DEFAULT_WINDOW * DEFAULT_PERIOD),
        (('" WINDOW_SIZE 17',), 17 * DEFAULT_PERIOD),
        (('" STEP_SIZE 60', '" WINDOW_SIZE 100'), 6000),
        (('" WINDOW_SIZE x', '"WINDOW_SIZE 9'), DEFAULT_WINDOW * DEFAULT_PERIOD),
    ],
)
def test_a_claim_is_kept_longer_than_any_host_accepts_the_token(lines, seconds):
    assert kept_seconds(key(SECRET, *lines), "59000000") == seconds + 2 * CLOCK_SECONDS


@pytest.mark.parametrize("window", range(1, 101))
def test_no_clock_within_the_limit_accepts_a_token_whose_claim_is_forgotten(window):
    """One host's clock is ahead, and takes the token at its first moment; another's is behind, and would at its last."""
    period, step = 30, 59_000_000
    first = (step - window // 2) * period - CLOCK_SECONDS
    last = (step + (window - 1) // 2 + 1) * period + CLOCK_SECONDS
    assert kept_seconds(key(SECRET, f'" WINDOW_SIZE {window}'), str(step)) >= last - first


def test_a_recovery_code_is_never_forgotten():
    assert kept_seconds(key(), "r123") is None
