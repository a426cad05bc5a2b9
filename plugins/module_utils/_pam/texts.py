# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Files of PAM as text. libpam reads bytes, so what is no UTF-8 has to come back as it was. Private to the collection."""

from __future__ import annotations

from typing import Mapping


def text_of(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def texts_after(changes: Mapping[str, bytes | None]) -> dict[str, str | None]:
    """Files by path, as `others` of a Demand and PamConfig take them."""
    return {path: None if after is None else text_of(after) for path, after in changes.items()}
