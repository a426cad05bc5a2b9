# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A terminal window without a screen: runs a program in it, types, reads its content, and takes pictures of it."""

from __future__ import annotations

import copy
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

import pexpect
import pyte
from PIL import Image, ImageDraw, ImageFont

CELL = (10, 20)
_FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf")  # Debian: fonts-dejavu-core
_NAMED = {
    "black": "000000", "red": "cd3131", "green": "0dbc79", "brown": "e5e510",
    "blue": "2472c8", "magenta": "bc3fbc", "cyan": "11a8cd", "white": "e5e5e5",
}  # fmt: skip


class Theme(NamedTuple):
    ground: str
    text: str


DARK = Theme("1e1e1e", "d4d4d4")
LIGHT = Theme("ffffff", "333333")


class _Screen(pyte.Screen):
    """With the alternate screen, which pyte does not support: the previous content returns when a program leaves it."""

    _ALTERNATE = 1049

    def set_mode(self, *modes: int, **options: bool) -> None:
        super().set_mode(*modes, **options)
        if self._ALTERNATE in modes:
            self._before = copy.deepcopy(self.buffer), copy.copy(self.cursor)
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **options: bool) -> None:
        super().reset_mode(*modes, **options)
        if self._ALTERNATE in modes:
            buffer, self.cursor = self._before
            self.erase_in_display(2)
            self.buffer.update(buffer)


class Window:
    """The program runs in a window of this size from the start; its output so far is in `received`."""

    def __init__(self, command: Sequence[str], columns: int = 80, rows: int = 24, environment: Mapping | None = None):
        self.screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""
        self.process = pexpect.spawn(command[0], list(command[1:]), dimensions=(rows, columns), env=environment)

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        # pexpect's own way to end a process gives it a tenth of a second.
        if self.process.isalive():
            self.process.kill(signal.SIGKILL)
            self.process.wait()
        self.process.close()

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def send(self, text: str) -> None:
        self.process.send(text)

    def enter(self, text: str = "") -> None:
        self.process.send(text + "\r")

    def resize(self, columns: int, rows: int) -> None:
        self.process.setwinsize(rows, columns)
        self.screen.resize(rows, columns)

    def read(self, seconds: float = 0.2) -> bool:
        """Read the output that arrives within the time. Returns False once the program has ended and everything is
        read."""
        try:
            part = self.process.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.received += part
        self._stream.feed(part)
        return True

    def wait_for(self, pattern: str, seconds: float = 300) -> str:
        """The text of the window as soon as the pattern appears in it."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            if not self.read() or time.monotonic() > deadline:
                raise AssertionError(f"{pattern!r} did not come; the window shows:\n{self.text}")
        return self.text

    def wait_for_end(self, seconds: float = 300) -> int:
        """The exit status of the program; afterwards the final content of the window can be read."""
        deadline = time.monotonic() + seconds
        while self.read():
            if time.monotonic() > deadline:
                raise AssertionError(f"the program does not end; the window shows:\n{self.text}")
        self.process.wait()
        return self.process.exitstatus if self.process.exitstatus is not None else -self.process.signalstatus

    def settle(self, seconds: float = 0.6) -> None:
        """Read until there has been no output for a while."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < seconds:
            before = len(self.received)
            if not self.read(0.1):
                return
            if len(self.received) != before:
                quiet_since = time.monotonic()

    def picture(self, theme: Theme = DARK) -> Image.Image:
        font = ImageFont.truetype(str(_FONT), 16) if _FONT.exists() else ImageFont.load_default(16)
        size = (self.screen.columns * CELL[0], self.screen.lines * CELL[1])
        image = Image.new("RGB", size, f"#{theme.ground}")
        draw = ImageDraw.Draw(image)
        for row in range(self.screen.lines):
            for column in range(self.screen.columns):
                _draw_cell(draw, self.screen.buffer[row][column], column * CELL[0], row * CELL[1], font, theme)
        return image

    def qr_text(self, theme: Theme = DARK) -> str:
        """The content of a QR code in the window, read by zbarimg; empty if there is none."""
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            self.picture(theme).save(file.name)
            done = subprocess.run(["zbarimg", "-q", "--raw", file.name], capture_output=True, text=True, check=False)
        return done.stdout.strip()


def _draw_cell(draw: ImageDraw.ImageDraw, cell, x: int, y: int, font: ImageFont.ImageFont, theme: Theme) -> None:
    width, height = CELL
    ground, text = _colour(cell.bg, theme.ground), _colour(cell.fg, theme.text)
    if cell.reverse:
        ground, text = text, ground
    draw.rectangle([x, y, x + width - 1, y + height - 1], fill=ground)
    # Block characters fill their part of the cell exactly, as in terminals.
    half = {
        "\u2580": (y, y + height // 2 - 1),
        "\u2584": (y + height // 2, y + height - 1),
        "\u2588": (y, y + height - 1),
    }
    if cell.data in half:
        draw.rectangle([x, half[cell.data][0], x + width - 1, half[cell.data][1]], fill=text)
    elif cell.data.strip():
        draw.text((x, y), cell.data, font=font, fill=text)


def _colour(name: str, default: str) -> str:
    return f"#{default if name == 'default' else _NAMED.get(name, name)}"
