# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An otpauth URI in place of a secret."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import GivenKey, given_key
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import otpauth_uri

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
URI = f"otpauth://totp/Example%20Inc:alice@example.com?secret={SECRET}&issuer=Example%20Inc"


def test_a_secret_is_a_secret():
    assert given_key(SECRET) == GivenKey(SECRET)


def test_what_we_write_we_read():
    assert given_key(otpauth_uri(SECRET, "Example: Inc", "alice@x", period=60)) == (
        SECRET,
        "Example: Inc",
        "alice@x",
        60,
    )


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        (URI, (SECRET, "Example Inc", "alice@example.com", 30)),
        (f" {URI}&algorithm=sha1&digits=6&period=45 \n", (SECRET, "Example Inc", "alice@example.com", 45)),
        (f"otpauth://totp/alice?secret={SECRET}", (SECRET, None, "alice", 30)),
        (f"otpauth://totp/Lab:%20alice?secret={SECRET}====", (SECRET, "Lab", "alice", 30)),
        (f"OTPAUTH://TOTP/?SECRET={SECRET}", (SECRET, None, None, 30)),
    ],
)
def test_uris(uri, key):
    assert given_key(uri) == key


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (URI.replace("totp", "hotp"), "time-based"),
        (URI.replace("secret", "secrets"), "no secret"),
        (f"{URI}&algorithm=SHA256", "SHA1"),
        (f"{URI}&digits=8", "6 digits"),
        (f"{URI}&period=0", "1 to 60"),
        (f"{URI}&period=x", "1 to 60"),
        ("otpauth:", "time-based"),
    ],
)
def test_uris_that_no_host_can_take(uri, told):
    with pytest.raises(FleetMfaError, match=told) as error:
        given_key(uri)
    assert SECRET not in str(error.value)
