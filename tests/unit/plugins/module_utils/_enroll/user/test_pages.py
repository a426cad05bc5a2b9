# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Whatever the size of the window: nothing leaves it, and the key and the status are always there."""

from __future__ import annotations

import re

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user import qr_code
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.pages import KeyPage, TextPage, printable
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.terminal import terminal_traits
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import otpauth_uri

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STATUS = ["That token is wrong.", "######---- next token in 12 s"]
SIZES = [(80, 23), (79, 22), (60, 40), (60, 15), (64, 30), (130, 60), (200, 70), (100, 20)]
LOCALES = [{"LANG": "en_US.UTF-8", "TERM": "xterm-256color"}, {"LC_ALL": "C", "TERM": "xterm"}]


def key_page(environment):
    uri = otpauth_uri(SECRET, "Example Fleet", "alice")
    return KeyPage(uri, SECRET, "Example Fleet", "alice", terminal_traits(environment))


def bare(line):
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@pytest.mark.parametrize("environment", LOCALES, ids=["UTF-8", "C"])
@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_key_and_status_are_inside_the_window(columns, rows, environment):
    lines = [bare(line) for line in key_page(environment).lines(columns, rows, STATUS)]
    assert len(lines) <= rows
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert text.count("JBSW Y3DP EHPK 3PXP") == 2 and all(status in text for status in STATUS)


@pytest.mark.parametrize(
    ("environment", "columns", "rows", "is_there"),
    [
        (LOCALES[0], 80, 23, True),
        (LOCALES[0], 62, 40, True),  # one above the other
        (LOCALES[0], 62, 20, False),
        (LOCALES[1], 80, 23, False),
        (LOCALES[1], 130, 60, True),
    ],
)
def test_the_picture_is_there_when_it_fits(environment, columns, rows, is_there):
    text = "\n".join(key_page(environment).lines(columns, rows, STATUS))
    assert ("\x1b[30;47m" in text or "\x1b[38;5;16" in text) is is_there
    assert ("needs a window of" in text) is not is_there


def test_without_the_library_it_says_so(monkeypatch):
    monkeypatch.setattr(qr_code, "LIBRARY_NAMES", ())
    text = "\n".join(key_page(LOCALES[0]).lines(80, 23, []))
    assert "libqrencode is not installed" in text and "JBSW Y3DP EHPK 3PXP" in text


def test_lines_that_are_read_aloud_have_no_picture():
    text = "\n".join(key_page(LOCALES[0]).plain_lines(0))
    assert "\x1b" not in text and "\u2580" not in text and "JBSW Y3DP EHPK 3PXP" in text


def test_a_terminal_is_sent_no_control_characters():
    assert printable("SSH\x1b]0;evil\x07\n\x9b1m") == "SSH]0;evil1m"


@pytest.mark.parametrize("rows", [2, 3, 5, 10])
def test_the_status_wins_in_a_tiny_window(rows):
    lines = TextPage(*(["A paragraph that is long enough to be wrapped here."] * 10)).lines(30, rows, ["Wrong."])
    assert len(lines) <= max(rows, 2) and "Wrong." in bare(lines[-1])


@pytest.mark.parametrize(
    ("environment", "utf8", "colours", "dumb"),
    [
        ({"LANG": "C"}, False, None, True),
        ({"TERM": "dumb", "LANG": "en_US.UTF-8"}, True, None, True),
        ({"TERM": "xterm", "LC_ALL": "C", "LANG": "en_US.UTF-8"}, False, qr_code.PALETTE_8, False),
        ({"TERM": "screen-256color", "LC_CTYPE": "de_DE.utf8"}, True, qr_code.PALETTE_256, False),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, False, qr_code.PALETTE_256, False),
        ({"TERM": "vt100", "LANG": "POSIX"}, False, None, False),
    ],
)
def test_traits(environment, utf8, colours, dumb):
    assert terminal_traits(environment) == (utf8, colours, dumb)
