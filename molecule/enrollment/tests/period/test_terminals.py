# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Terminals and locales: without support for the picture the key is shown as text, and without a terminal there is an
error."""

from __future__ import annotations

import re
import time

import pyotp

from lab.logins import client_options, run_client


def key_in_text(text):
    groups = re.findall(r"^ +((?:[A-Z2-7]{4} ?){4})$", text, re.MULTILINE)
    return pyotp.TOTP("".join(groups).replace(" ", ""))


def enroll_in_plain_lines(session, command):
    session.wait_for("Enroll now")
    session.enter("n")
    session.wait_for("You can enroll later")
    session.settle()
    session.enter(f"clear; {command}")
    session.wait_for("Press Enter to begin")
    session.enter()
    session.wait_for("First token:")
    return session


def test_plain_lines_for_a_screen_reader(open_session, state_of):
    session = enroll_in_plain_lines(open_session("plain", rows=60), "mfa-enroll --plain")
    before = len(session.received)
    totp = key_in_text(session.text)
    while time.time() % 30 > 5:
        time.sleep(0.5)
    session.enter(totp.now())
    session.wait_for(r"The next token comes in \d+ seconds. Please wait")
    session.wait_for("Second token:")
    session.enter(totp.now())
    session.wait_for("when you have saved them")
    code = re.findall(r"\b\d{8}\b", session.text)[-1]
    session.enter()
    session.wait_for(r"Recovery code \(")
    session.enter(code)
    session.wait_for("is validated on")
    assert b"\x1b[?1049h" not in session.received[before - 2000 :] and "\u2588" not in session.text
    assert state_of("plain") == {"validated"}


def test_dumb_terminal(open_session):
    session = enroll_in_plain_lines(open_session("dumb", rows=60, TERM="dumb"), "mfa-enroll")
    assert key_in_text(session.text).secret
    dialogue = session.received[session.received.rindex(b"Press Enter to begin") :]
    assert b"\x1b" not in dialogue
    assert key_in_text(session.text).secret == pyotp.parse_uri(session.qr_text()).secret


def test_c_locale_has_only_ascii_and_a_picture_in_a_large_window(open_session):
    session = open_session("cloc", columns=130, rows=50, LC_ALL="C")
    totp = session.to_the_qr_code()
    assert session.two_tokens(totp)
    dialogue = session.received[session.received.index(b"Enroll now") :]
    assert all(byte < 128 for byte in dialogue)


def test_c_locale_in_a_small_window_has_the_key_in_text(open_session):
    session = open_session("dumb", LC_ALL="C")
    session.wait_for("Enroll now")
    session.enter("y")
    session.wait_for("Press Enter to begin")
    session.enter()
    session.wait_for("needs a window of")
    assert session.qr_text() == "" and key_in_text(session.text).secret


def test_german_locale(open_session):
    session = open_session("german", LANG="de_DE.UTF-8", LC_ALL="de_DE.UTF-8")
    totp = session.to_the_qr_code()
    session.keep(session.two_tokens(totp))
    assert "validated" in session.run("mfa-enroll status")


def test_without_a_terminal_it_says_why(server, state_of):
    ssh = ["ssh", *client_options(server), f"dumb@{server.address}"]
    for command in ("mfa-enroll", "mfa-enroll show", "mfa-enroll recovery-codes", "echo y | mfa-enroll | cat"):
        attempt = run_client([*ssh, f"{command}; echo status $?"])
        assert "needs a terminal" in attempt.output and "ssh -t" in attempt.output, command
        assert "|" in command or "status 1" in attempt.output
        assert not re.search(r"[A-Z2-7]{4} [A-Z2-7]{4}", attempt.output)
    assert "Key:            pending" in run_client([*ssh, "mfa-enroll status | cat"]).output
    assert state_of("dumb") == {"pending"}
