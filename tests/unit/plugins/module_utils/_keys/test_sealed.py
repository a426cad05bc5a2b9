# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What goes from a module to its action without being shown on the way."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.sealed import new_seal, sealed, unsealed
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import hidden, is_secret


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\0text", "Grüße".encode() * 10_000])
def test_what_was_sealed_comes_out(content):
    key = new_seal()
    text = sealed(key, content)
    assert unsealed(key, text) == content
    assert len(content) < 4 or content not in base64.b64decode(text)


def test_equal_content_looks_different_with_each_key():
    assert sealed(new_seal(), b"content") != sealed(new_seal(), b"content")


def test_another_key_and_a_changed_text():
    key = new_seal()
    text = sealed(key, b"some content")
    for wrong_key, wrong in ((new_seal(), text), (key, _with_other_byte(text, 40)), (key, _with_other_byte(text, 0))):
        with pytest.raises(FleetMfaError, match="was changed on the way"):
            unsealed(wrong_key, wrong)


def _with_other_byte(text, place):
    found = bytearray(base64.b64decode(text))
    found[place] ^= 1
    return base64.b64encode(found).decode()


@pytest.mark.parametrize("key", ["", "00", "xx:" * 32, "a key of another kind"])
def test_a_key_that_is_none(key):
    with pytest.raises(FleetMfaError, match="the action makes it"):
        sealed(key, b"content")


def test_a_key_is_not_taken_for_a_secret_in_a_wrong_place():
    assert not any(is_secret(key) or hidden({"seal": key}) for key in (new_seal() for _ in range(200)))
