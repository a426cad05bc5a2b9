# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""QR codes on the controller, for pages, files and terminals. Private to the collection."""

from __future__ import annotations

import io
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.qr_code import (
    QUIET_ZONE,
    Colours,
    half_block_lines,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


def qr_code_of(uri: str, error: str) -> Any:
    """A QR code of segno; `error` is the level of error correction, l to h."""
    try:
        import segno  # only who hands out a key needs it
    except ImportError as missing:
        raise FleetMfaError("the Python package segno is missing on the controller; run pip install segno") from missing
    return segno.make(uri, error=error, micro=False)


def qr_text(uri: str, colours: Colours | None) -> list[str]:
    """Lines for a terminal; without colours, for one with light text on a dark background."""
    rows = qr_code_of(uri, "l").matrix_iter(border=QUIET_ZONE)
    return half_block_lines([[bool(module) for module in row] for row in rows], colours)


def qr_svg(uri: str) -> str:
    """A picture that can be a file of its own, or part of a page."""
    picture = io.BytesIO()
    qr_code_of(uri, "m").save(
        picture, kind="svg", border=4, omitsize=True, xmldecl=False, nl=False, svgclass=None, lineclass=None
    )
    return picture.getvalue().decode()
