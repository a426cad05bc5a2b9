# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""QR codes for terminals. Private to the collection.

They are made by libqrencode, on which the distributions' packages of the PAM module depend; without it there is no QR
code, and the caller shows the key as text.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

LIBRARY_NAMES = ("libqrencode.so.4", "libqrencode.so.3")
QUIET_ZONE = 2  # in modules; the standard requires 4, phones can read 2, and only 2 fits on 24 lines

_EIGHT_BIT = 2
_LEVEL_L = 0  # lowest error correction: screens have no stains, and more only makes the code larger
_DARK = 1


class _Symbol(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("width", ctypes.c_int), ("data", ctypes.POINTER(ctypes.c_ubyte))]


class Colours(NamedTuple):
    """Escape sequences for a dark upper half on a light background, for dark cells, and for the terminal's own
    colors."""

    light: str
    dark: str
    reset: str


# Black and white by number, since themes change the first sixteen colors.
PALETTE_256 = Colours("\x1b[38;5;16;48;5;231m", "\x1b[38;5;231;48;5;16m", "\x1b[0m")
PALETTE_8 = Colours("\x1b[30;47m", "\x1b[37;40m", "\x1b[0m")


def qr_modules(text: str) -> list[list[bool]] | None:
    """Rows of modules including the quiet zone, True for dark; None if libqrencode is not installed."""
    library = _library()
    if library is None:
        return None
    symbol = library.QRcode_encodeString(text.encode("utf-8"), 0, _LEVEL_L, _EIGHT_BIT, 1)
    if not symbol:
        return None
    try:
        width = symbol.contents.width
        dark = [bool(symbol.contents.data[index] & _DARK) for index in range(width * width)]
    finally:
        library.QRcode_free(symbol)
    margin = [False] * QUIET_ZONE
    outside = [[False] * (width + 2 * QUIET_ZONE)] * QUIET_ZONE
    return outside + [margin + dark[row * width : (row + 1) * width] + margin for row in range(width)] + outside


def _library() -> ctypes.CDLL | None:
    for name in LIBRARY_NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.QRcode_encodeString.restype = ctypes.POINTER(_Symbol)
        library.QRcode_encodeString.argtypes = [ctypes.c_char_p] + [ctypes.c_int] * 4
        library.QRcode_free.argtypes = [ctypes.POINTER(_Symbol)]
        return library
    return None


def half_block_lines(modules: list[list[bool]], colours: Colours | None) -> list[str]:
    """Two rows of modules per line, with U+2580 and U+2584.

    Without colors the light modules are drawn, which is right on the dark background of most terminals.
    """
    rows = modules + ([[False] * len(modules)] if len(modules) % 2 else [])
    pairs = [list(zip(rows[index], rows[index + 1])) for index in range(0, len(rows), 2)]
    if colours is None:
        glyphs = {(True, True): " ", (False, True): "\u2580", (True, False): "\u2584", (False, False): "\u2588"}
        return ["".join(glyphs[pair] for pair in line) for line in pairs]
    return [_coloured(line, colours) for line in pairs]


def _coloured(pairs: list[tuple[bool, bool]], colours: Colours) -> str:
    # Cells of one color are blanks with a background color, not full blocks: some fonts leave gaps between blocks.
    glyphs = {(True, True): " ", (False, True): "\u2584", (True, False): "\u2580", (False, False): " "}
    text, ground = "", ""
    for pair in pairs:
        wanted = colours.dark if pair == (True, True) else colours.light
        text += ("" if wanted == ground else wanted) + glyphs[pair]
        ground = wanted
    return text + colours.reset


def ascii_lines(modules: list[list[bool]], colours: Colours | None) -> list[str]:
    """One row of modules per line, two columns per module, for terminals without UTF-8."""
    if colours is None:
        return ["".join("  " if dark else "##" for dark in row) for row in modules]
    return [
        "".join((colours.dark if dark else colours.light) + "  " for dark in row) + colours.reset for row in modules
    ]
