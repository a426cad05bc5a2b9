# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""otpauth URIs as other systems export them, sound and unsound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._given_keys import read_entries, read_lines
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, secret

URI = f"otpauth://totp/Example:alice?secret={secret('one')}&issuer=Example"


def one(entry):
    found, refused = read_entries([entry])
    assert len(found) == 1 and not refused, refused
    return found[0]


def why(entry):
    found, refused = read_entries([entry])
    assert not found and len(refused) == 1
    assert secret("one") not in repr(refused) and refused[0].source == "keys, entry 1"
    return refused[0].why


def test_a_uri():
    key, state = one({"secret": URI})
    assert (key["user"], key["secret"], key["issuer"], key["account"]) == ("alice", secret("one"), "Example", "alice")
    assert key["period"] == 30 and state is None and key["last_used"] is None


def test_what_an_entry_says_counts():
    key, state = one({"secret": URI, "user": "bob", "issuer": "X", "account": "y", "state": "validated",
                      "recovery_codes": CODES})  # fmt: skip
    assert (key["user"], key["issuer"], key["account"], state) == ("bob", "X", "y", "validated")
    assert key["codes"] == CODES
    assert one({"secret": secret("one"), "user": "bob"}).key["issuer"] == ""


@pytest.mark.parametrize(
    "uri",
    [
        f"otpauth://totp/alice@web1?secret={secret('one')}&issuer=web1",  # google-authenticator
        f"OTPAUTH://TOTP/alice?Secret={secret('one').lower()}",
        f"otpauth://totp/Ex%20ample:%20alice%40example.com?secret={secret('one')}&algorithm=SHA1&digits=6&period=30",
        f"otpauth://totp/Example%3Aalice?secret={secret('one')}%3D%3D%3D%3D&image=https%3A%2F%2Fexample.com%2Fx.png",
        f"  otpauth://totp/Example:alice?issuer=Example&secret={secret('one')}\n",
    ],
)
def test_sound_ones(uri):
    key = one({"secret": uri}).key
    assert key["user"] == "alice" and key["secret"] == secret("one")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (URI.replace("totp", "hotp") + "&counter=1", "not for a time-based key"),
        (URI + "&algorithm=SHA256", "other than SHA1"),
        (URI + "&algorithm=SHA512", "other than SHA1"),
        (URI + "&digits=8", "other than 6 digits"),
        (URI + "&period=90", "1 to 60 seconds"),
        (URI + "&period=x", "1 to 60 seconds"),
        (URI.replace("secret", "sekret"), "has no secret"),
        (URI.replace(secret("one"), secret("one")[:16]), "80 bits"),
        (URI.replace(secret("one"), "1" + secret("one")), "not base32"),
        (f"otpauth-migration://offline?data={secret('one')}", "otpauth-migration"),
        (f"otpauth://totp/?secret={secret('one')}", "user: is missing"),
        (f"otpauth://[{secret('one')}", "malformed"),
        (f"otpauth://totp/{secret('one')}?secret={secret('one')}", "user: is not a name"),
        (f"otpauth://totp/Ex%0Aample:alice?secret={secret('one')}", "issuer must be"),
        (URI + "&issuer=A%3AB", "issuer must be"),
    ],
)
def test_unsound_ones(uri, told):
    assert told in why({"secret": uri})


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"user": "alice"}, "secret: is missing"),
        ({"secret": URI, "sekret": secret("one")}, "nothing else"),
        ({"secret": URI, "state": "rotated"}, "state: must be one of"),
        ({"secret": URI, "recovery_codes": ["1234"]}, "eight digits"),
        ({"secret": URI, "recovery_codes": ["01234567"]}, "the first not 0"),
        ({"secret": URI, "recovery_codes": "12345678"}, "must be a list"),
        ({"secret": URI, "user": "../root"}, "cannot be the name"),
        ({"secret": URI, "user": secret("one")}, "not a name"),
        ({"secret": URI, "issuer": "a:b"}, "issuer must be"),
        (URI, "must be a dictionary"),
    ],
)
def test_unsound_entries(entry, told):
    assert told in why(entry)


def test_lines_of_a_file():
    text = f"# exported\n\n{URI}\n{URI.replace('alice', 'bob')}&digits=8\nhello\n"
    found, refused = read_lines("/srv/uris", text)
    assert [given.key["user"] for given in found] == ["alice"]
    assert [(one.source, one.user) for one in refused] == [("/srv/uris, line 4", ""), ("/srv/uris, line 5", "")]
    assert "other than 6 digits" in refused[0].why and "not an otpauth URI" in refused[1].why


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    read_lines("there", f"otpauth://{text}\notpauth://totp/{text}?secret={text}\n{text}\n{URI}{text}")
    read_entries([{"secret": text}, {"secret": URI, "user": text}])
