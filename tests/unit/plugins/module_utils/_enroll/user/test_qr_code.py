# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Read by a real decoder (zbarimg) from a picture of a terminal window, on dark and light ground."""

from __future__ import annotations

import shutil

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user import qr_code
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.qr_code import (
    PALETTE_8,
    PALETTE_256,
    ascii_lines,
    half_block_lines,
    qr_modules,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import otpauth_uri
from dev.terminal_window import DARK, LIGHT, Window

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
URI = otpauth_uri(SECRET, "Example Fleet", "alice@example.org")

pytestmark = pytest.mark.skipif(not shutil.which("zbarimg"), reason="needs zbarimg (zbar-tools)")


def seen(lines, theme, tmp_path, columns=110, rows=60):
    picture = tmp_path / "picture"
    picture.write_text("\n".join(lines))
    with Window(["cat", str(picture)], columns=columns, rows=rows) as window:
        window.wait_for_end()
        return window.qr_text(theme)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("colours", [PALETTE_256, PALETTE_8], ids=["256", "8"])
@pytest.mark.parametrize("draw", [half_block_lines, ascii_lines])
def test_it_can_be_scanned_on_any_background(draw, colours, theme, tmp_path):
    assert seen(draw(qr_modules(URI), colours), theme, tmp_path) == URI


def test_without_colours_it_can_be_read_on_a_dark_ground(tmp_path):
    assert seen(half_block_lines(qr_modules(URI), None), DARK, tmp_path) == URI


@pytest.mark.parametrize(("issuer", "account"), [("SSH", "alice"), ("Example Fleet", "alice@web01.example.org")])
def test_a_key_of_the_usual_length_fits_80_by_24(issuer, account):
    modules = qr_modules(otpauth_uri(SECRET, issuer, account))
    assert len(half_block_lines(modules, PALETTE_256)) <= 23 and len(modules) <= 51


def test_too_long_a_text_gives_no_code():
    assert qr_modules("x" * 5000) is None


def test_without_the_library_there_is_no_code(monkeypatch):
    monkeypatch.setattr(qr_code, "LIBRARY_NAMES", ("libqrencode.so.none",))
    assert qr_modules(URI) is None
