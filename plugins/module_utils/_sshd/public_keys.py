# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whether a line of an authorized_keys file is a key that sshd would take. Private to the collection.

After sshauthopt_parse() and auth_check_authkey_line() of OpenSSH: a line with one unknown or misspelt option is no key.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import fnmatch
import re
import time
from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

SECURITY_KEY_TYPES = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_KEY_TYPES = (
    "ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    *SECURITY_KEY_TYPES,
)  # fmt: skip
_FLAGS = ("port-forwarding", "agent-forwarding", "x11-forwarding", "pty", "user-rc")
_KNOWN_FLAGS = {*_FLAGS, *(f"no-{flag}" for flag in _FLAGS), "restrict", "cert-authority", "no-touch-required"}
_KNOWN_FLAGS.add("verify-required")
_WITH_VALUE = {"command", "principals", "from", "expiry-time", "environment", "permitopen", "permitlisten", "tunnel"}
# One RSA key serves several signature algorithms.
_ALGORITHMS = {"ssh-rsa": ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512")}
# Options end at the first blank that no quotation marks enclose; \" inside them is a quotation mark.
OPTIONS = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+')
OPTION = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^,"])+')
_TIME_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


class Accepted(NamedTuple):
    """What sshd takes: signature algorithms (patterns), and the bits an RSA key has to have."""

    algorithms: tuple[str, ...] = ("*",)
    rsa_bits: int = 1024


class KeyLine(NamedTuple):
    """A key of a file; or, as `trouble`, why sshd passes the line over."""

    text: str = ""  # type and key, without options and comment
    is_authority: bool = (
        False  # the key of a certificate authority: it stands for certificates that cannot be seen here
    )
    trouble: str = ""


def key_line(line: str, accepted: Accepted) -> KeyLine:
    options = ""
    key = line.split(None, 2)
    if key[0] not in _KEY_TYPES:
        found = OPTIONS.match(line)
        options, rest = (found.group(), line[found.end() :]) if found else ("", "")
        key = rest.split(None, 2)
    trouble = _key_trouble(key, accepted) or _options_trouble(options)
    if trouble:
        return KeyLine(trouble=trouble)
    names = [option.lower() for option in OPTION.findall(options)]
    return KeyLine(text=" ".join(key[:2]), is_authority="cert-authority" in names)


def security_key(line: str) -> str:
    """Type and key of the line of a security key, which must have no options. A FleetMfaError says what is wrong, without the line."""
    words = line.split() if line.isprintable() else []
    if not words or words[0] not in SECURITY_KEY_TYPES:
        raise FleetMfaError(
            f"is not the line of a security key: {' or '.join(SECURITY_KEY_TYPES)}, then the key, without options"
        )
    found = key_line(line.strip(), Accepted())
    if found.trouble:
        raise FleetMfaError(found.trouble)
    return found.text


def _key_trouble(words: list[str], accepted: Accepted) -> str:
    if len(words) < 2 or words[0] not in _KEY_TYPES:
        return "is no public key"
    kind = words[0]
    try:
        parts = _parts(base64.b64decode(words[1], validate=True))
    except (binascii.Error, ValueError):
        parts = []
    if len(parts) < 2 or parts[0] != kind.encode():
        return f"is a damaged {kind} key"
    names = _ALGORITHMS.get(kind, (kind,))
    if not any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in accepted.algorithms):
        return f"is a key of type {kind}, which this sshd does not accept"
    if kind == "ssh-rsa" and (len(parts) < 3 or int.from_bytes(parts[2], "big").bit_length() < accepted.rsa_bits):
        return f"is an RSA key of fewer than {accepted.rsa_bits} bits, which this sshd does not accept"
    return ""


def _parts(blob: bytes) -> list[bytes]:
    """The strings of RFC 4251 section 5 that a key is made of."""
    parts = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            raise ValueError
        parts.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return parts


def _options_trouble(options: str) -> str:
    for option in OPTION.findall(options):
        name, equals, value = option.partition("=")
        name = name.lower()
        if name not in (_WITH_VALUE if equals else _KNOWN_FLAGS):
            return "has an option that sshd does not know"
        if equals and not (len(value) > 1 and value[0] == value[-1] == '"'):
            return f"has option {name} without quotation marks"
        if name == "expiry-time" and not _is_in_the_future(value[1:-1]):
            return "has expired (expiry-time)"
    return ""


def _is_in_the_future(text: str) -> bool:
    digits, is_utc = text.rstrip("Z"), text.endswith("Z")
    try:
        then = datetime.datetime.strptime(digits, _TIME_FORMATS.get(len(digits), "%Y%m%d"))
    except ValueError:
        return False
    zone = datetime.timezone.utc if is_utc else None
    return then.replace(tzinfo=zone).timestamp() > time.time()
