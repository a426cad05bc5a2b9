# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""People of a key store, by hand and by hypothesis."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

from hypothesis import strategies as st

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.ids import code_id
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import (
    Access,
    Device,
    DriftSeen,
    HistoryEvent,
    Person,
    PersonKey,
    Proven,
)

START = 1_790_000_000
HOSTS = ["web1", "web2", "db1"]
CODES = ["11111111", "22222222", "33333333"]


def secret(name: str) -> str:
    """The same secret for the same name."""
    return base64.b32encode(hashlib.sha256(name.encode()).digest()[:20]).decode()


def spent(name: str, *codes: str) -> frozenset[str]:
    """The ids of these recovery codes of the key with this secret."""
    return frozenset(code_id(decode_secret(secret(name)), code) for code in codes)


def key(name: str = "phone", **fields) -> PersonKey:
    return PersonKey(**{"secret": secret(name), "created": START, **fields})


def person(*keys: PersonKey, user: str = "alice", **fields) -> Person:
    return Person(user, {one.id: one for one in keys}, **fields)


def device(*keys: PersonKey, revoked_through: int = 0) -> Device:
    return Device({one.id: one for one in keys}, revoked_through)


_SOME_HOSTS = st.frozensets(st.sampled_from(HOSTS), min_size=1)
_TIMES = st.integers(START, START + 3)


@st.composite
def _keys(draw) -> PersonKey:
    name = draw(st.sampled_from(["one", "two", "three"]))
    used = spent(name, *draw(st.frozensets(st.sampled_from(CODES))))
    drawn = key(
        name,
        issuer=draw(st.sampled_from(["", "Fleet", "SSH"])),
        account=draw(st.sampled_from(["", "alice"])),
        generation=draw(st.integers(1, 3)),
        created=draw(_TIMES),
        validated=draw(st.none() | st.builds(Proven, _TIMES, st.sampled_from(HOSTS))),
        spent=used,
        burnt=draw(st.dictionaries(st.integers(0, 3), _SOME_HOSTS)),
        drift=draw(st.none() | st.builds(DriftSeen, _TIMES, st.integers(-60, 60))),
        access=draw(st.none() | st.builds(Access, _TIMES, st.just(0) | _TIMES)),
        expiring=draw(st.dictionaries(st.sampled_from(sorted(spent(name, *CODES))), _TIMES)),
    )
    left = drawn.without_spent(draw(st.frozensets(st.sampled_from(CODES))), used)
    return replace(drawn, codes=left)


_EVENTS = st.builds(HistoryEvent, _TIMES, st.sampled_from(["root@web1", "operator"]), st.just("validated"), st.just(""))
_DEVICES = st.dictionaries(
    st.sampled_from(["tablet", "spare"]),
    st.builds(
        lambda keys, revoked: device(*keys, revoked_through=revoked), st.lists(_keys(), max_size=2), st.integers(0, 3)
    ),
)
# Records of alice, few enough different values that two of them often disagree about the same thing.
PEOPLE = st.builds(
    lambda keys, revoked_through, history, rotate_through, devices: person(
        *keys, revoked_through=revoked_through, history=history, rotate_through=rotate_through, devices=devices
    ),
    st.lists(_keys(), max_size=3),
    st.integers(0, 3),
    st.frozensets(_EVENTS),
    st.integers(0, 3),
    _DEVICES,
)
