# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A dialogue on a terminal: full screen, or plain lines for screen readers and simple terminals. Private.

Both kinds have the same methods, so a dialogue is written only once. However the dialogue ends, the terminal's settings
are restored: Ctrl-C, Ctrl-D, a lost connection and a kill raise `Left`. Ctrl-Z is ignored, since a program that shows a
secret should not be left in the background.
"""

from __future__ import annotations

import abc
import os
import re
import select
import signal
import sys
import termios
import time
from typing import Any, Mapping, NamedTuple, Protocol

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.qr_code import PALETTE_8, PALETTE_256, Colours
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

SMALLEST_SCREEN = (60, 16)
LONGEST_INPUT = 64

_LEAVING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
_WITHOUT_COLOUR = ("vt100", "vt102", "vt220", "ansi-m", "xterm-mono", "screen-mono")
_ENTER_SCREEN = "\x1b[?1049h\x1b[?7l"  # alternate screen: nothing that is shown stays in the scrollback
_LEAVE_SCREEN = "\x1b[0m\x1b[?7h\x1b[?1049l\x1b[?25h"
_TICK = 0.2
_FUNCTION_KEY = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.)?")


class Left(Exception):
    """The user, or the connection, has ended the dialogue."""


class Page(Protocol):
    """Something that a terminal shows, laid out for the current window."""

    def lines(self, columns: int, rows: int, status: list[str]) -> list[str]:
        """For a screen of this size; `status` is the message and the countdown."""

    def plain_lines(self, columns: int) -> list[str]:
        """For a terminal that shows line after line; with 0 columns lines are not wrapped."""


class Traits(NamedTuple):
    """What the terminal can display, according to the environment."""

    utf8: bool
    colours: Colours | None
    dumb: bool


def terminal_traits(environment: Mapping[str, str]) -> Traits:
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    term = environment.get("TERM", "")
    dumb = term in ("", "dumb", "unknown")
    colours: Colours | None = PALETTE_8
    if dumb or term in _WITHOUT_COLOUR:
        colours = None
    elif "256color" in term or environment.get("COLORTERM"):
        colours = PALETTE_256
    return Traits("utf8" in locale.lower().replace("-", ""), colours, dumb)


def open_terminal(plain: bool) -> Terminal:
    """The terminal of this process. A FleetMfaError if there is none."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise FleetMfaError(
            "this needs a terminal, but input or output is not one; with ssh, use `ssh -t HOST mfa-enroll`"
        )
    traits = terminal_traits(os.environ)
    size = os.get_terminal_size(sys.stdout.fileno())
    small = size.columns < SMALLEST_SCREEN[0] or size.lines < SMALLEST_SCREEN[1]
    if plain or traits.dumb or small:
        return PlainTerminal(sys.stdin.fileno(), sys.stdout.fileno(), traits, 0 if plain else size.columns)
    return FullScreen(sys.stdin.fileno(), sys.stdout.fileno(), traits)


class Terminal(abc.ABC):
    """What both kinds of dialogue need: saving and restoring the terminal's settings, reading, writing, leaving."""

    def __init__(self, source: int, target: int, traits: Traits):
        self.traits = traits
        self._source, self._target = source, target
        self._settings: list[Any] = []  # as termios has them
        self._handlers: dict[int, Any] = {}  # as signal has them
        self._left = False

    def __enter__(self) -> Terminal:
        self._settings = termios.tcgetattr(self._source)
        for number in _LEAVING:
            self._handlers[number] = signal.signal(number, self._leave)
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        self._begin()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._end()
            termios.tcsetattr(self._source, termios.TCSAFLUSH, self._settings)
        except (Left, termios.error):
            pass  # the terminal itself is gone
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _begin(self) -> None:  # noqa: B027 - plain lines need none
        """Prepare the terminal."""

    def _end(self) -> None:  # noqa: B027 - as above
        """Undo what `_begin` wrote to it."""

    @abc.abstractmethod
    def show(self, page: Page) -> None:
        """The page to show from now on; pages are in `pages.py`."""

    @abc.abstractmethod
    def say(self, text: str) -> None:
        """A message to the user on the current page."""

    @abc.abstractmethod
    def ask(self, prompt: str, until: float = 0) -> str:
        """One line of input; `until` is the time that a countdown runs to."""

    def _leave(self, number: int, frame: object) -> None:
        # Only sets a flag: something in progress, such as a request to the desk, is finished first.
        self._left = True

    def _switch_off(self, flags: int) -> None:
        settings = termios.tcgetattr(self._source)
        settings[3] &= ~flags
        termios.tcsetattr(self._source, termios.TCSAFLUSH, settings)

    def _input_waits(self) -> bool:
        """Whether there is input to read, after waiting a moment for it."""
        ready = select.select([self._source], [], [], _TICK)[0]
        if self._left:
            raise Left
        return bool(ready)

    def _read(self) -> str:
        try:
            data = os.read(self._source, 4096)
        except OSError as error:
            raise Left from error
        if not data:
            raise Left
        return data.decode("utf-8", "replace")

    def _write(self, text: str) -> None:
        data = text.encode("utf-8" if self.traits.utf8 else "ascii", "replace")
        try:
            while data:
                data = data[os.write(self._target, data) :]
        except OSError as error:
            raise Left from error


class PlainTerminal(Terminal):
    """Line after line, with nothing moving and no colors. With 0 columns they are read aloud."""

    def __init__(self, source: int, target: int, traits: Traits, columns: int):
        super().__init__(source, target, traits)
        self._columns = columns

    def show(self, page: Page) -> None:
        self._write("\n" + "\n".join(page.plain_lines(self._columns)) + "\n")

    def say(self, text: str) -> None:
        if text:
            self._write(text + "\n")

    def ask(self, prompt: str, until: float = 0) -> str:
        if until > time.time():
            self._wait(until)
        self._write(prompt)
        while not self._input_waits():
            pass
        return self._read().strip()[:LONGEST_INPUT]

    def _wait(self, until: float) -> None:
        """Without a countdown, which would be read aloud; input in the meantime is discarded."""
        self._write(f"The next token comes in {int(until - time.time()) + 1} seconds. Please wait.\n")
        self._switch_off(termios.ECHO | termios.ICANON)
        while time.time() < until:
            if self._input_waits():
                self._read()
        termios.tcsetattr(self._source, termios.TCSAFLUSH, self._settings)


class FullScreen(Terminal):
    """The whole window, redrawn when it is resized."""

    def __init__(self, source: int, target: int, traits: Traits):
        super().__init__(source, target, traits)
        self._page: Page | None = None
        self._message = self._prompt = self._typed = self._ahead = ""
        self._until = self._span = 0.0
        self._drawn: tuple[object, ...] = ()

    def _begin(self) -> None:
        self._switch_off(termios.ECHO | termios.ICANON)
        self._write(_ENTER_SCREEN)

    def _end(self) -> None:
        self._write(_LEAVE_SCREEN)

    def show(self, page: Page) -> None:
        self._page, self._message = page, ""

    def say(self, text: str) -> None:
        self._message = text

    def ask(self, prompt: str, until: float = 0) -> str:
        self._prompt, self._typed = prompt, ""
        self._until, self._span = until, max(1.0, until - time.time())
        while not self._line_is_complete():
            self._draw()
            if self._input_waits():
                self._ahead += _FUNCTION_KEY.sub("", self._read())
        return self._typed.strip()

    def _line_is_complete(self) -> bool:
        """Add typed or pasted input to the line, up to Enter; what follows is for the next question."""
        while self._ahead:
            key, self._ahead = self._ahead[0], self._ahead[1:]
            if key in "\r\n":
                return True
            if key == "\x04" and not self._typed:
                raise Left
            if key in "\x7f\b":
                self._typed = self._typed[:-1]
            elif key == "\x15":
                self._typed = ""
            elif key.isprintable() and len(self._typed) < LONGEST_INPUT:
                self._typed += key
        return False

    def _draw(self) -> None:
        """Redraw the window if its content would differ, so a resize needs no signal."""
        columns, rows = self._size()
        lines: list[str] = self._page.lines(columns, rows - 1, self._status(min(columns, 40))) if self._page else []
        lines = (lines + [""])[: rows - 1]
        picture = "".join(f"{line}\x1b[0m\x1b[K\r\n" for line in lines)
        picture = f"\x1b[?25l\x1b[H{picture}{(self._prompt + self._typed)[: columns - 1]}\x1b[J\x1b[?25h"
        if (columns, rows, picture) != self._drawn:
            self._write(picture)
            self._drawn = (columns, rows, picture)

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self._target)
        except OSError as error:
            raise Left from error
        return max(size.columns, 20), max(size.lines, 2)

    def _status(self, width: int) -> list[str]:
        """The message, and the countdown below it."""
        return [self._message] * bool(self._message) + ([self._bar(width)] if self._until else [])

    def _bar(self, width: int) -> str:
        seconds = self._until - time.time()
        if seconds <= 0:
            return "The app shows the next token now."
        full, empty = "\u2588\u2591" if self.traits.utf8 else "#-"
        length = max(5, min(30, width - 24))
        filled = int(length * (1 - seconds / self._span))
        return f"{full * filled}{empty * (length - filled)} next token in {int(seconds) + 1:2d} s"
