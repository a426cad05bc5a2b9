# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Host keys as OpenSSH's known_hosts files name them. Private to the collection.

Read here, since paramiko knows neither patterns, nor a second key of one type, nor @revoked. Certificates are not supported.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from pathlib import Path
from typing import Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

DEFAULT_FILES = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
_REVOKED = "@revoked"


class HostKeys(NamedTuple):
    """The known keys of one host, as pairs of type and base64 text."""

    good: frozenset[tuple[str, str]]
    revoked: frozenset[tuple[str, str]]

    @property
    def types(self) -> set[str]:
        return {kind for kind, _key in self.good}


class _Line(NamedTuple):
    marker: str
    names: list[str]
    key: tuple[str, str]


class KnownHosts:
    def __init__(self, paths: Iterable[str] | None):
        """Without paths, the files of OpenSSH, as far as they are there."""
        self._lines: list[_Line] = []
        for path in DEFAULT_FILES if paths is None else paths:
            try:
                text = Path(path).expanduser().read_text(errors="replace")
            except OSError as error:
                if paths is None:
                    continue
                raise FleetMfaError(f"known_hosts: {path} cannot be read: {error.strerror}") from None
            self._lines.extend(_lines(text))

    def keys_of(self, address: str, port: int) -> HostKeys:
        name = address.lower() if port == 22 else f"[{address.lower()}]:{port}"
        found = [line for line in self._lines if _names(line.names, name)]
        return HostKeys(
            frozenset(line.key for line in found if not line.marker),
            frozenset(line.key for line in found if line.marker == _REVOKED),
        )


def _lines(text: str) -> Iterable[_Line]:
    for line in text.splitlines():
        fields = line.split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) >= 3 and not fields[0].startswith("#"):
            yield _Line(marker, fields[0].split(","), (fields[1], fields[2]))


def _names(patterns: list[str], name: str) -> bool:
    """Whether a host is meant; one pattern with a ! before it is enough that it is not."""
    if any(pattern.startswith("!") and _matches(pattern[1:], name) for pattern in patterns):
        return False
    return any(_matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        return _is_hash_of(pattern, name)
    # Brackets are part of names with a port, not of patterns.
    return fnmatch.fnmatchcase(name, pattern.lower().replace("[", "[[]"))


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in hashed.split("|")[2:4])
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
