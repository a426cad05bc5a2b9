# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The enrollment dialogue: scan, two tokens, recovery codes. Private to the collection.

It runs as the user and knows only what the desk tells the user.
"""

from __future__ import annotations

import time
from typing import Callable, TypeVar

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import (
    Reason,
    ShownKey,
    Status,
    Validated,
    WayToSee,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.door import Door, Refused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.pages import KeyPage, TextPage
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.terminal import Left, Terminal
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import otpauth_uri

Answer = TypeVar("Answer")

# After these the first token can no longer be used.
_START_AGAIN = ("order", "too_far_apart", "clock_off", "wrong")
# No other token can fix these.
_FINAL = ("too_many_tries", "no_pending_key", "no_validated_key", "key_given", "token_needed", "no_first_factor")
_NO_SHEET = "Without the sheet, ask your administrator for it, or for a new key."
_CODES_IN_TWO_COLUMNS = 20


class Stopped(Exception):
    """The dialogue cannot continue; the message is for the user, whose key is unchanged."""


def refusal_text(refusal: Refused) -> str:
    """Explains a refusal to a person with a phone in the hand."""
    seconds = abs(refusal.seconds)
    direction = "ahead" if refusal.seconds > 0 else "behind"
    texts: dict[Reason, str] = {
        "malformed": "A token is six digits. Please try again.",
        "wrong": "That token is wrong. Type the token that the app shows now, and check that you are looking at the entry for this key.",
        "same_step": "That is the same token as before. Wait until the app shows the next one.",
        "order": "The second token was older than the first. Please start again with the token shown now.",
        "too_far_apart": "Too much time has passed since the first token. Please start again with the token shown now.",
        "clock_off": f"The clock of your device is {direction} by about {seconds} seconds, or the tokens were old. "
        "Set it to automatic time, then start again with the token shown now.",
        "already_used": "That token was used before. Wait until the app shows the next one.",
        "too_many_tries": f"Too many wrong tokens. Your key stays as it is; try again in {_duration(seconds)}.",
        "no_pending_key": "You have no key to validate on this host. Please ask your administrator for one.",
        "key_given": "This host does not show your key: your administrator gave it to you on a sheet, or it is already "
        f"in your app. {_NO_SHEET}",
        "token_needed": "Your key is validated, so you need a token to see a new one. Please run mfa-enroll again.",
        "no_first_factor": "You could not log in to this host any more after this. Please ask your administrator.",
        "no_validated_key": "You have no validated key on this host, so there are no recovery codes. "
        "Run mfa-enroll to enroll.",
    }
    return texts.get(refusal.reason, f"The enrollment service refused ({refusal.reason}).")


def _duration(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"


def enroll(terminal: Terminal, door: Door, status: Status, host: str) -> tuple[Validated, bool]:
    """From the welcome page to the recovery codes. Returns the desk's answer to the validation, and whether the codes
    were saved.

    `Left` and `Stopped` end it before the validation.
    """
    terminal.show(_welcome(status, host))
    if terminal.ask("Press Enter to begin, or q and Enter to leave: ").lower().startswith("q"):
        raise Left
    show_key(terminal, door, status)
    result = _two_tokens(terminal, door, status["period"])
    return result, keep_codes(terminal, result["recovery_codes"])


def show_key(terminal: Terminal, door: Door, status: Status) -> None:
    """Show the pending key, or say where the user got it from."""
    if status["key"] == "given":
        terminal.show(_key_is_given())
        return
    key = _key_for_token(terminal, door) if status["key"] == "for_token" else _asked(door.key)
    uri = otpauth_uri(key["secret"], key["issuer"], key["account"], period=key["period"])
    terminal.show(KeyPage(uri, key["secret"], key["issuer"], key["account"], terminal.traits))


def _key_for_token(terminal: Terminal, door: Door) -> ShownKey:
    terminal.show(
        TextPage(
            "A new key to replace the one you have",
            "",
            "To see it, type a token of your current key, or a recovery code if you lost your phone. This uses it "
            "up: the next login needs a newer token or another code.",
        )
    )
    while True:
        try:
            return _asked(door.new_key, terminal.ask("Token or recovery code: "))
        except Refused as refusal:
            terminal.say(refusal_text(refusal))


def _key_is_given() -> TextPage:
    return TextPage(
        "The key that your administrator gave you",
        "",
        "It is on the sheet with the QR code, and may already be in your app, from another host. This host does not "
        f"show it. {_NO_SHEET}",
        "",
        "Scan the sheet's QR code if you have not done so. Then type the token that the app shows.",
    )


_FIRST_STEP: dict[WayToSee, str] = {
    "shown": "You scan a QR code with the app, or type a key into it.",
    "for_token": "You type a token of the old key, then scan the QR code of the new one.",
    "given": "You open the app's entry for the key that your administrator gave you.",
}


def _welcome(status: Status, host: str) -> TextPage:
    return TextPage(
        f"Token MFA for {status['user']} on {host}",
        "",
        "After this, logins to this host ask you for a token: six digits that an authenticator app on your phone "
        "shows, new ones every half minute.",
        "",
        f"  1. {_FIRST_STEP[status['key']]}",
        "  2. You type two tokens, one after the other, to prove that it works.",
        "  3. You get recovery codes, in case you lose your phone.",
        "",
        "This takes about two minutes. Nothing changes until the second token is accepted. You can leave at any time "
        "with Ctrl-C and come back with the command mfa-enroll.",
        *days_left_text(status),
    )


def days_left_text(status: Status) -> list[str]:
    if not status["open"]:
        return []
    days = status["days_left"]
    left = "Today is the last day for this." if days == 1 else f"You have {days} days left."
    after = {
        "enroll_only": f"From {status['deadline']} on, you can do nothing else here until you have enrolled.",
        "deny": f"From {status['deadline']} on, you cannot log in to this host until an administrator helps you.",
    }
    return ["", " ".join([left, after.get(status["overdue_mode"], "")]).rstrip()]


def _two_tokens(terminal: Terminal, door: Door, period: int) -> Validated:
    """Ask for tokens until two are accepted, or the desk refuses any more."""
    first = ""
    while True:
        if not first:
            first = _first_token(terminal, door)
        next_step = (int(time.time()) // period + 1) * period
        second = terminal.ask("Second token: ", until=next_step)
        try:
            return _asked(door.validate, first, second)
        except Refused as refusal:
            terminal.say(refusal_text(refusal))
            if refusal.reason in _START_AGAIN:
                first = ""


def _first_token(terminal: Terminal, door: Door) -> str:
    while True:
        token = terminal.ask("First token: ")
        try:
            _asked(door.first, token)
        except Refused as refusal:
            terminal.say(refusal_text(refusal))
            continue
        terminal.say("The first token is right. Now wait for the next one that the app shows.")
        return token


def _asked(request: Callable[..., Answer], *values: str) -> Answer:
    """The desk's answer; a final refusal ends the dialogue."""
    try:
        return request(*values)
    except Refused as refusal:
        if refusal.reason in _FINAL:
            raise Stopped(refusal_text(refusal)) from refusal
        raise


def _in_columns(codes: list[str]) -> list[str]:
    """In two columns as on paper; in as many as fit into 80 characters if the window would be too short."""
    beside = 2 if len(codes) <= _CODES_IN_TWO_COLUMNS else 6
    return ["    " + "    ".join(codes[first : first + beside]) for first in range(0, len(codes), beside)]


def keep_codes(terminal: Terminal, codes: list[str]) -> bool:
    """Show the recovery codes once, and have one of them typed back, which does not use it up. Returns whether it
    was."""
    page = TextPage(
        "Recovery codes",
        "",
        "If you do not have your phone, each of these logs you in once, in place of a token. Write them down or "
        "print them, and keep them where you can find them without your phone and computer. They are not shown again.",
        "",
        *_in_columns(codes),
    )
    message = ""
    try:
        while codes:
            terminal.show(page)
            terminal.say(message)
            terminal.ask("Press Enter when you have saved them: ")
            terminal.show(
                TextPage("Please type one of the codes, to check that you have them:", "", "This does not use it up.")
            )
            typed = terminal.ask("Recovery code (or just Enter to see them again): ").replace(" ", "")
            if typed in codes:
                break
            message = "That is not one of your recovery codes. Here they are again." if typed else ""
    except Left:
        return False
    return True
