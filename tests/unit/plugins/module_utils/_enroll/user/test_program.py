# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The user's program in a real terminal window, against the real service."""

from __future__ import annotations

import os
import pwd
import re
import signal
import sys
import termios
import time

import pyotp
import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.origin import given_by_operator
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import CODES, SECRET, pending_key, provision
from dev.terminal_window import Window

# Only the connection is the user's own, since the Python of a test environment may be one that users cannot read.
RUN = """
import os
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.door import Door
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.program import main

class UsersDoor(Door):
    def _exchange(self, question, timeout):
        os.seteuid({uid})
        try:
            return super()._exchange(question, timeout)
        finally:
            os.seteuid(0)

raise SystemExit(main({arguments!r}, UsersDoor({door!r})))
"""
TOTP = pyotp.TOTP(SECRET)
NEW = "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"


@pytest.fixture
def window(door):
    """window("enroll", columns=100, LC_ALL="C"): alice's terminal with mfa-enroll in it."""
    windows = []

    def window_(*arguments, user="alice", columns=80, rows=24, **environment):
        code = RUN.format(uid=pwd.getpwnam(user).pw_uid, arguments=list(arguments), door=door)
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        settings = {"TERM": "xterm-256color", "LANG": "en_US.UTF-8", **kept, **environment}
        windows.append(Window([sys.executable, "-c", code], columns, rows, settings))
        return windows[-1]

    yield window_
    for one in windows:
        one.close()


def to_the_key(window):
    window.wait_for("Press Enter to begin")
    window.enter()
    window.wait_for("First token:")
    window.settle(0.3)


def type_both(window):
    now = time.time()
    window.enter(TOTP.at(now - 30))
    window.wait_for("Second token:")
    window.enter(TOTP.at(now))


def assert_sane(window):
    """Echo and line mode are on, the cursor is shown, the alternate screen is left."""
    flags = termios.tcgetattr(window.process.child_fd)[3]
    assert flags & termios.ECHO and flags & termios.ICANON
    assert window.received.count(b"\x1b[?1049h") == window.received.count(b"\x1b[?1049l")
    assert window.received.rfind(b"\x1b[?25h") >= window.received.rfind(b"\x1b[?25l")


def test_the_whole_dialogue(window):
    one = window()
    to_the_key(one)
    assert one.qr_text() == f"otpauth://totp/SSH:alice?secret={SECRET}&issuer=SSH"
    type_both(one)
    one.wait_for("when you have saved them")
    assert all(code in one.text for code in CODES)
    one.enter()
    one.wait_for(r"Recovery code \(")
    assert not any(code in one.text for code in CODES)
    one.enter("99999999")
    one.wait_for("That is not one of your recovery codes")
    one.enter()
    one.wait_for(r"Recovery code \(")
    one.enter(CODES[1])
    assert one.wait_for_end() == 0
    assert "is validated on" in one.text and "leave it open" in one.text
    assert SECRET[:4] not in one.text, "the key is gone with the alternate screen"
    assert_sane(one)


def test_tokens_with_a_blank_and_corrections_are_taken(window):
    one = window()
    to_the_key(one)
    now = time.time()
    first = TOTP.at(now - 30)
    one.send("99\x7f\x7fjunk\x15\x1b[A")
    one.enter(f"{first[:3]} {first[3:]}")
    one.wait_for("Second token:")


def test_what_is_typed_ahead_is_kept_for_the_next_question(window):
    one = window()
    one.wait_for("Press Enter to begin")
    now = time.time()
    one.send(f"\r{TOTP.at(now - 30)}\r{TOTP.at(now)}\r")
    one.wait_for("when you have saved them")


def test_huge_and_binary_input_does_no_harm(window):
    one = window()
    to_the_key(one)
    one.process.send(b"\xff\xfe\x00\x01" * 50 + b"A" * 5000)
    one.settle()
    one.enter()
    one.wait_for("A token is six digits")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_every_way_to_be_stopped_leaves_a_sane_terminal(window, number):
    one = window()
    to_the_key(one)
    one.process.kill(number)
    assert one.wait_for_end() == 130
    assert_sane(one)
    assert "nothing has changed" in one.text


@pytest.mark.parametrize("at", ["Press Enter to begin", "First token:", "Second token:"])
def test_ctrl_c_and_ctrl_d_leave_anywhere(window, at):
    for key in ("\x03", "\x04"):
        one = window()
        one.wait_for("Press Enter to begin")
        if at != "Press Enter to begin":
            to_the_key(one)
        if at == "Second token:":
            one.enter(TOTP.at(time.time() - 30))
            one.wait_for(at)
        one.send(key)
        assert one.wait_for_end() == 130
        assert_sane(one)


def test_a_terminal_that_is_gone_ends_it(window):
    one = window()
    to_the_key(one)
    one.process.ptyproc.fileobj.close()  # what a lost connection does to the far side
    deadline = time.monotonic() + 300
    while one.process.isalive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not one.process.isalive()


def test_resizing_draws_anew(window):
    one = window()
    to_the_key(one)
    one.resize(62, 18)
    one.wait_for("when you make the window larger")
    one.resize(20, 4)
    one.settle(0.5)
    one.resize(90, 30)
    one.wait_for("Issuer:  SSH")
    one.settle(0.5)
    assert SECRET in one.qr_text()


def test_a_small_window_and_a_dumb_terminal_get_plain_lines(window):
    for one in (window(columns=50, rows=10), window(TERM="dumb"), window("--plain")):
        one.wait_for("Press Enter to begin")
        assert b"\x1b" not in one.received
        one.send("q\n")
        assert one.wait_for_end() == 130


@pytest.mark.release
def test_plain_lines_wait_for_the_next_token(window):
    one = window("--plain", rows=60)
    one.wait_for("Press Enter to begin")
    one.send("\n")
    one.wait_for("First token:")
    while time.time() % 30 < 22:
        one.read(0.5)
    one.send(TOTP.now() + "\n")
    one.wait_for("The next token comes in")
    one.send("typed too early\n")
    one.wait_for("Second token:", seconds=35)
    one.send(TOTP.now() + "\n")
    one.wait_for("when you have saved them")
    assert "typed too early" not in one.text


def test_status(window):
    one = window("status")
    assert one.wait_for_end() == 0
    assert re.search(r"Key: +pending", one.text) and re.search(
        r"Enroll before: +\d{4}-\d\d-\d\d \(7 days left\)", one.text
    )


def test_status_shows_a_lock(window, tmp_path):
    record = tmp_path / "state/guard/alice"
    record.parent.mkdir(exist_ok=True)
    record.write_text("wrong 200 0\n")
    one = window("status")
    assert one.wait_for_end() == 0
    assert re.search(r"Locked: +until your administrator unlocks you", one.text), one.text
    assert re.search(r"Suspended: +after too many wrong tokens", one.text)


def test_show_shows_a_pending_key_only(window):
    one = window("show")
    one.wait_for("Press Enter to leave")
    one.settle(0.3)
    assert SECRET in one.qr_text()
    one.enter()
    assert one.wait_for_end() == 0
    other = window("show", user="carol")
    assert other.wait_for_end() == 1
    assert "no pending key to show" in other.text


@pytest.mark.parametrize("plain", [(), ("--plain",)])
def test_a_key_that_the_operator_gave_is_not_shown(window, tmp_path, plain):
    provision(tmp_path, "alice", origin=given_by_operator())
    one = window(*plain)
    one.wait_for("the key that your administrator gave you")
    one.enter()
    one.wait_for("First token:")
    one.settle(0.3)
    assert one.qr_text() == "" and "Without the sheet, ask your administrator" in " ".join(one.text.split())
    type_both(one)
    one.wait_for("when you have saved them")
    assert SECRET[:4].encode() not in one.received and b"otpauth" not in one.received


def test_show_says_where_a_given_key_is(window, tmp_path):
    provision(tmp_path, "alice", origin=given_by_operator())
    one = window("show")
    assert one.wait_for_end() == 1
    assert "Without the sheet, ask your administrator" in one.text.replace("\n", "")


@pytest.mark.parametrize("action", ["enroll", "show"])
def test_a_new_key_is_shown_for_what_a_login_would_take(window, tmp_path, action):
    state = provision(tmp_path, "alice")
    old = pending_key("alice").with_recovery_codes(["34567890"])
    with state.lock():
        state.converge_validated("alice", lambda _current: old)
    provision(tmp_path, "alice", secret=NEW)
    one = window(action)
    if action == "enroll":
        one.wait_for("then scan the QR code of the new one")
        one.enter()
    one.wait_for("Token or recovery code:")
    one.enter("98765432")
    one.wait_for("That token is wrong")
    assert one.qr_text() == ""
    one.enter("3456 7890")
    one.wait_for("First token:" if action == "enroll" else "Press Enter to leave")
    one.settle(0.3)
    assert NEW in one.qr_text()


def test_who_has_no_reason_to_enroll_is_told_why(window):
    one = window(user="nobody")
    assert one.wait_for_end() == 1
    assert "nobody is not supposed to have a key on this host" in one.text


def test_forgetting_asks_for_nothing(window):
    one = window("forget")
    assert one.wait_for_end() == 0 and "asks for a token again" in one.text


def test_a_missing_service_is_reported(door, window):
    os.rename(door, f"{door}.gone")
    one = window()
    assert one.wait_for_end() == 1
    assert "does not answer" in one.text and "Traceback" not in one.text
    login = window("login")
    assert login.wait_for_end() == 0
    assert login.text == "", "an offer that cannot be made is not noticed"


@pytest.mark.release
def test_the_offer_takes_no_for_an_answer(window):
    for answer in ("n\n", "\n", "nein danke\n", "\x03"):
        one = window("login")
        one.wait_for(r"You have 7 days left.[\s\S]*Enroll now\?")
        one.send(answer)
        assert one.wait_for_end() == 0
        assert "You can enroll later" in one.text


def test_the_loser_of_two_keys_is_told_at_the_next_login_and_never_again(window, tmp_path):
    state = provision(tmp_path, "alice")
    told = pending_key("alice").with_meta(displaced="web1")
    with state.lock():
        state.converge_validated("alice", lambda current: current or told)
        state.remove_pending("alice")
    one = window("login")
    assert one.wait_for_end() == 0
    text = " ".join(one.text.split())
    assert "does not count any more" in text and "on web1" in text and SECRET[:4] not in text
    again = window("login")
    assert again.wait_for_end() == 0 and again.text == ""


@pytest.mark.parametrize(
    ("previous", "told"),
    [
        (
            "1795767120 2 192.0.2.1",
            "Last login with a token: 2026-11-27 08:12 UTC from 192.0.2.1; 2 wrong tokens since.",
        ),
        ("1795767120 1 -", "Last login with a token: 2026-11-27 08:12 UTC; 1 wrong token since."),
        (
            "1795767120 0 2001:db8::1",
            "Last login with a token: 2026-11-27 08:12 UTC from 2001:db8::1; no wrong tokens since.",
        ),
        ("0 3 -", "First login with a token; 3 wrong tokens before."),
        ("99999999999999999999 0 -", ""),
    ],
)
def test_who_is_asked_is_told_of_the_last_login(window, tmp_path, accounts, previous, told):
    state = provision(tmp_path, "alice")
    with state.lock():
        state.promote("alice", pending_key("alice"))
    (tmp_path / "state/guard/alice").write_text(f"previous {previous}\nclaimed \n")
    assert window("login").text == "", "not a member"
    accounts.add_group("mfa-enforced", ["alice"])
    one = window("login", columns=120)
    assert one.wait_for_end() == 0
    assert " ".join(one.text.split()) == told


def test_the_offer_leads_to_the_dialogue(window):
    one = window("login")
    one.wait_for("Enroll now")
    one.send("y\n")
    one.wait_for("Press Enter to begin")
    one.send("\x03")
    assert one.wait_for_end() == 0
    assert_sane(one)


def test_who_is_not_overdue_is_sent_back(window):
    one = window("overdue")
    assert one.wait_for_end() == 1
    assert "no longer overdue" in one.text
