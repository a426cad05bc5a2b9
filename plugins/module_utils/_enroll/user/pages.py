# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The pages of the enrollment dialogue, laid out for the current window. Private to the collection.

`lines(columns, rows, status)` fits a window, including the status (message, countdown); `plain_lines(columns)` is the
same for a terminal that only prints lines, where 0 columns means that they are read aloud.
"""

from __future__ import annotations

import textwrap
from typing import Iterable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.qr_code import (
    ascii_lines,
    half_block_lines,
    qr_modules,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.terminal import Traits

_MARGIN = 1
_GAP = 3
_NARROWEST_TEXT = 26
_WIDEST_TEXT = 76


def in_groups(secret: str) -> list[str]:
    """The key as people type it: groups of four letters, four groups per line."""
    groups = textwrap.wrap(secret, 4)
    return [" ".join(groups[index : index + 4]) for index in range(0, len(groups), 4)]


def printable(text: str) -> str:
    """Without control characters, which a terminal would interpret."""
    return "".join(character for character in text if character.isprintable())


class TextPage:
    """Paragraphs; those that begin with a blank are not reflowed."""

    def __init__(self, *paragraphs: str):
        self._paragraphs = paragraphs

    def lines(self, columns: int, rows: int, status: list[str]) -> list[str]:
        width = min(columns - 2 * _MARGIN, _WIDEST_TEXT)
        foot = [""] * bool(status) + _bold(_wrapped(status, width))
        body = _wrapped(self._paragraphs, width)[: max(0, rows - len(foot))]
        return [" " * _MARGIN + line for line in body + foot]

    def plain_lines(self, columns: int) -> list[str]:
        return _wrapped(self._paragraphs, min(columns or _WIDEST_TEXT, _WIDEST_TEXT))


class KeyPage:
    """The QR code with the key as text: side by side, one above the other, or the text alone."""

    def __init__(self, uri: str, secret: str, issuer: str, account: str, traits: Traits):
        self._text = [
            "Scan the QR code with your authenticator app, or type this key into it (time-based, six digits):",
            "",
            *(f"  {line}" for line in in_groups(secret)),
            "",
            f"Issuer:  {printable(issuer)}",
            f"Account: {printable(account)}",
        ]
        modules = qr_modules(uri)
        self._picture: list[str] = []
        self._width = 0
        if modules:
            self._picture = (half_block_lines if traits.utf8 else ascii_lines)(modules, traits.colours)
            self._width = len(modules) * (1 if traits.utf8 else 2)

    def lines(self, columns: int, rows: int, status: list[str]) -> list[str]:
        beside = columns - self._width - _GAP - _MARGIN
        if self._picture and len(self._picture) <= rows and beside >= _NARROWEST_TEXT:
            text = _wrapped([*self._text, ""], beside) + _bold(_wrapped(status, beside))
            if len(text) <= rows:
                return self._beside(text)
        text = TextPage(*self._text).lines(columns, rows, status)
        if self._fits(columns) and len(self._picture) + 1 + len(text) <= rows:
            return [*self._picture, "", *text]
        return TextPage(self._why_no_picture(), "", *self._text).lines(columns, rows, status)

    def _beside(self, text: list[str]) -> list[str]:
        blank = " " * self._width
        left = self._picture + [blank] * (len(text) - len(self._picture))
        right = text + [""] * (len(left) - len(text))
        return [f"{picture}{' ' * _GAP}{line}" for picture, line in zip(left, right)]

    def plain_lines(self, columns: int) -> list[str]:
        picture = [*self._picture, ""] if self._fits(columns) else []
        return picture + TextPage(*self._text).plain_lines(columns)

    def _fits(self, columns: int) -> bool:
        return bool(self._picture) and self._width <= columns

    def _why_no_picture(self) -> str:
        if not self._picture:
            return "There is no QR code, since libqrencode is not installed on this host."
        size = f"{self._width + _GAP + _MARGIN + _NARROWEST_TEXT} columns and {len(self._picture) + 1} lines"
        return f"The QR code needs a window of {size}; it appears when you make the window larger."


def _wrapped(paragraphs: Iterable[str], width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [paragraph] if paragraph.startswith(" ") else textwrap.wrap(paragraph, max(10, width)) or [""]
    return lines


def _bold(lines: list[str]) -> list[str]:
    return [f"\x1b[1m{line}\x1b[0m" for line in lines]
