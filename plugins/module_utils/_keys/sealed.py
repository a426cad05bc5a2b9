# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Seals what a module returns to its action, so that nothing between them shows it. Private to the collection.

With -vvv ansible-core prints what a module writes, and with ANSIBLE_DEBUG=1 too, whatever `no_log` says. A module that
returns secrets therefore encrypts them with a key that its action made for this one call. The standard library has no
cipher, but SHAKE-256, whose output is a key stream (FIPS 202), and HMAC-SHA-256 against changes on the way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

_KEY_BYTES, _TAG_BYTES = 32, 32


def new_seal() -> str:
    """A key for one call. Never use it for two: the key streams would be the same. Colons, so that it does not look
    like a TOTP secret in a wrong place."""
    return ":".join(f"{byte:02x}" for byte in secrets.token_bytes(_KEY_BYTES))


def sealed(key: str, content: bytes) -> str:
    encrypted = _with_stream(key, content)
    return base64.b64encode(_tag(key, encrypted) + encrypted).decode("ascii")


def unsealed(key: str, text: str) -> bytes:
    found = base64.b64decode(text)
    tag, encrypted = found[:_TAG_BYTES], found[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(key, encrypted)):
        raise FleetMfaError("what the host returned was changed on the way; run again")
    return _with_stream(key, encrypted)


def _with_stream(key: str, content: bytes) -> bytes:
    stream = hashlib.shake_256(b"fleetmfa stream " + _bytes(key)).digest(len(content))
    return (int.from_bytes(content, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(content), "big")


def _tag(key: str, encrypted: bytes) -> bytes:
    return hmac.new(b"fleetmfa tag " + _bytes(key), encrypted, hashlib.sha256).digest()


def _bytes(key: str) -> bytes:
    try:
        found = bytes.fromhex(key.replace(":", ""))
    except ValueError:
        found = b""
    if len(found) != _KEY_BYTES:
        raise FleetMfaError(
            "seal: the action makes it; run the task on the controller's side, and leave the option out"
        )
    return found
