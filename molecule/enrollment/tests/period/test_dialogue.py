# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""From the first login to the first login with a token, and what can go wrong on the way."""

from __future__ import annotations

import re
import time

from lab.logins import login

OFFER = r"Enroll now\?"


def test_from_the_first_login_to_a_login_with_a_token(server, open_session, state_of, root):
    assert not login(server, "ann").asked
    session = open_session("ann")
    totp = session.to_the_qr_code()
    assert (totp.issuer, totp.name) == ("SSH", "ann")
    codes = session.two_tokens(totp)
    assert len(codes) == 5
    session.keep(codes)
    assert "mfa-enforced" in root.run("id -nG ann").stdout
    assert "Logins here:    ask for a token" in session.run("mfa-enroll status")
    assert state_of("ann") == {"validated"}

    token = totp.at(time.time() + 30)
    attempt = login(server, "ann", [token])
    assert attempt.asked and attempt.allowed
    assert login(server, "ann", [codes[0]]).allowed, "the code that was typed back is not spent"
    assert not login(server, "ann", [codes[0]]).allowed


def test_a_key_on_a_sheet_is_validated_and_never_shown(server, open_session, state_of, keys):
    totp = keys["sheet"].totp
    session = open_session("sheet")
    session.wait_for(OFFER)
    session.enter("n")
    session.wait_for("You can enroll later")
    session.enter("clear; mfa-enroll show")
    session.wait_for("This host does not show your key")
    session.enter("clear; mfa-enroll")
    session.wait_for("app's entry for the key that your administrator gave you")
    session.enter()
    session.wait_for("First token:")
    session.settle()
    assert session.qr_text() == ""
    session.keep(session.two_tokens(totp))
    assert totp.secret[:8].encode() not in session.received and state_of("sheet") == {"validated"}
    attempt = login(server, "sheet", [totp.at(time.time() + 30)])
    assert attempt.asked and attempt.allowed


def test_both_tokens_are_used_up(server, open_session):
    session = open_session("walker")
    totp = session.to_the_qr_code()
    now = time.time()
    session.two_tokens(totp)
    for token in (totp.at(now - 30), totp.at(now)):
        assert not login(server, "walker", [token]).allowed


def test_wrong_tokens_are_told_and_limited(open_session, state_of):
    session = open_session("wrong")
    totp = session.to_the_qr_code()
    session.enter("12345")
    session.wait_for("six digits. Please")
    for token in session.wrong_tokens(totp, 5):
        session.enter(token)
        session.wait_for("That token is wrong")
        session.settle()
    session.enter(totp.now())
    text = session.wait_for("Too many wrong tokens")
    assert "10 minutes" in text and "your key stays as it is" in text.lower().replace("\n", " ")
    assert session.run("echo still here") == "still here"
    assert state_of("wrong") == {"pending"}


def test_the_same_token_twice_and_the_countdown(open_session):
    session = open_session("same")
    totp = session.to_the_qr_code()
    while time.time() % 30 > 5:
        time.sleep(0.5)
    session.enter(first := totp.now())
    session.wait_for("Second token:")
    session.wait_for(r"next token in +\d+ s")
    assert re.search("[\u2588\u2591]{5}", session.text)
    session.enter(first)
    session.wait_for("same token as before")
    session.wait_for("The app shows the next token now")
    session.enter(totp.now())
    session.wait_for("when you have saved them")


def test_later_leaves_everything_as_it_was(server, open_session, state_of):
    session = open_session("later")
    session.wait_for(r"You have 7 days left")
    session.enter("n")
    session.wait_for("You can enroll later")
    assert session.run("id -un") == "later"
    assert state_of("later") == {"pending"}
    attempt = login(server, "later")
    assert attempt.allowed and not attempt.asked


def test_lost_connection_leaves_a_pending_key_and_nothing_running(root, open_session, state_of):
    session = open_session("gone")
    totp = session.to_the_qr_code()
    session.enter(totp.at(time.time() - 30))
    session.wait_for("Second token:")
    session.close()
    for _attempt in range(50):
        if not root.run("pgrep -u gone").stdout:
            break
        time.sleep(0.2)
    assert root.run("pgrep -u gone -a").stdout == ""
    assert state_of("gone") == {"pending"}
    again = open_session("gone")
    assert again.to_the_qr_code().secret == totp.secret
    assert again.two_tokens(totp)


def test_ctrl_c_anywhere_leaves_a_sane_terminal(open_session, state_of):
    session = open_session("ctrl")
    session.wait_for(OFFER)
    for stop_at in ("offer", "welcome", "key", "second"):
        if stop_at != "offer":
            session.enter("mfa-enroll")
            session.wait_for("Press Enter to begin")
        if stop_at in ("key", "second"):
            session.enter()
            session.wait_for("First token:")
            session.settle()
        if stop_at == "second":
            session.enter(session.authenticator().at(time.time() - 30))
            session.wait_for("Second token:")
        session.send("\x03")
        session.settle()
        settings = session.run("stty -a")
        assert re.search(r"(?<!-)\bicanon\b", settings) and re.search(r"(?<!-)\becho\b", settings), stop_at
        assert session.received.rfind(b"\x1b[?25h") >= session.received.rfind(b"\x1b[?25l"), "the cursor is back"
        assert session.received.count(b"\x1b[?1049h") == session.received.count(b"\x1b[?1049l")
    assert state_of("ctrl") == {"pending"}


def test_ctrl_z_does_not_leave_a_key_lying_in_the_background(open_session):
    session = open_session("resize")
    session.to_the_qr_code()
    session.send("\x1a")
    session.enter("12345")
    session.wait_for("A token is six digits")
    assert "Stopped" not in session.text


def test_the_page_follows_the_window(open_session):
    session = open_session("resize")
    secret = session.to_the_qr_code().secret
    session.resize(62, 18)
    session.wait_for("when you make the window larger")
    assert session.qr_text() == ""
    session.resize(100, 30)
    session.settle()
    assert session.authenticator().secret == secret


def test_new_recovery_codes_for_a_token(server, open_session):
    session = open_session("codes")
    totp = session.to_the_qr_code()
    old = session.two_tokens(totp)
    session.keep(old)
    session.enter("mfa-enroll show")
    session.wait_for("a validated key is never shown")
    session.enter("clear; mfa-enroll recovery-codes")
    session.wait_for("Token:")
    session.enter(totp.at(time.time() - 30))
    session.wait_for("was used before|is wrong")
    token = totp.at(time.time() + 30)
    session.enter(token)
    session.wait_for("when you have saved them")
    session.settle()
    new = re.findall(r"\b\d{8}\b", session.text)
    assert len(new) == 5 and not set(new) & set(old)
    assert not login(server, "codes", [token]).allowed, "the token was used up"
    assert not login(server, "codes", [old[1]]).allowed
    assert login(server, "codes", [new[1]]).allowed


def test_leaving_at_the_recovery_codes_keeps_the_validation(open_session, state_of):
    session = open_session("twin")
    session.two_tokens(session.to_the_qr_code())
    session.send("\x03")
    session.wait_for("recovery codes are not confirmed")
    assert state_of("twin") == {"validated"}
