# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The search finds a secret in every form, and does not mistake anything else for one."""

from __future__ import annotations

import base64

import pytest
from markers import Markers

SECRET, CODE, TOKEN = "JBSWY3DPEHPK3PXPMFZWIZTHNBVGW3DK", "48210375", "012345"
RAW = base64.b32decode(SECRET)
GROUPS = [SECRET[start : start + 4] for start in range(0, len(SECRET), 4)]


@pytest.fixture
def markers():
    markers = Markers()
    markers.known_secret("", SECRET)
    markers.known_code("", CODE)
    markers.known_token("", TOKEN)
    return markers


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.lower(),
        SECRET[:16],
        SECRET[16:],
        " ".join(GROUPS).lower(),
        "-".join(GROUPS),
        "%20".join(GROUPS),
        "\\n".join(GROUPS),
        f"otpauth://totp/SSH:alice?secret={SECRET}&issuer=SSH",
        RAW.hex(),
        ":".join(f"{byte:02X}" for byte in RAW),
        SECRET.encode().hex(),
        *(base64.b64encode(b"a" * before + SECRET.encode() + b"tail").decode() for before in range(4)),
        *(base64.urlsafe_b64encode(b"a" * before + RAW + b"tail").decode() for before in range(4)),
    ],
)
def test_a_secret_in_every_form(markers, form):
    assert markers.found_in(f"before {form} after".encode()) == {"secret "}


def test_a_secret_as_bytes(markers):
    assert markers.found_in(b"\0" + RAW + b"\0") == {"secret "}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f'"{CODE}"', "recovery code "),
        (f"x={CODE}, 1", "recovery code "),
        (f"['{TOKEN}']", "token "),
        ("012 345", "token "),
        (f"deadbeef={TOKEN}", "token "),
        (f"code{CODE}", "recovery code "),
    ],
)
def test_numbers(markers, text, name):
    assert markers.found_in(text.encode()) == {name}


@pytest.mark.parametrize(
    "text",
    [
        f"1{CODE}",
        f"{CODE}9",
        f"0.{TOKEN}",
        f"{TOKEN}7",
        f"12{TOKEN}",
        f"__CURSOR=s=4f{CODE}be;i=2af;x=9a4e{TOKEN}f01b",
        SECRET[:15],
        "",
    ],
)
def test_nothing_else(markers, text):
    assert markers.found_in(text.encode()) == set()
