# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The user's program /usr/local/bin/mfa-enroll, see mfa-enroll(1). Private to the collection.

It runs with the user's own rights and reaches the key only through the door of `_enroll/root/service.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import time
from typing import Callable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import Status
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.dialogue import (
    Stopped,
    enroll,
    keep_codes,
    refusal_text,
    show_key,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.door import Door, Refused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.login import offer_at_login, serve_overdue
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.pages import TextPage
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.terminal import Left, open_terminal
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

DONE, FAILED, LEFT = 0, 1, 130

CODES_NOT_KEPT = (
    "Your recovery codes are not confirmed. If you do not have them, make new ones: mfa-enroll recovery-codes"
)


def main(arguments: list[str] | None = None, door: Door | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # no locale may make a message fail
    options = _parser().parse_args(arguments)
    actions: dict[str, Callable[[Door, bool], int]] = {
        "enroll": _enroll,
        "status": _status,
        "show": _show,
        "recovery-codes": _recovery_codes,
        "forget": _forget,
        "login": lambda door, plain: offer_at_login(door, plain, _enroll),
        "overdue": lambda door, plain: serve_overdue(door, plain, _enroll),
    }
    try:
        return actions[options.action](door or Door(), options.plain)
    except (Left, KeyboardInterrupt):
        _tell("You left; nothing has changed. Come back with the command mfa-enroll.")
        return LEFT
    except Refused as refusal:
        return _failed(refusal_text(refusal))
    except (Stopped, FleetMfaError) as error:
        return _failed(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mfa-enroll", description="Set up token MFA for your own account on this host.", allow_abbrev=False
    )
    parser.add_argument(
        "action",
        nargs="?",
        default="enroll",
        choices=["enroll", "status", "show", "recovery-codes", "forget", "login", "overdue"],
        metavar="enroll|status|show|recovery-codes|forget",
        help="enroll (the default); the state of your key; your key again, before it is validated; "
        "new recovery codes, for a token; be asked for a token again at each login",
    )
    parser.add_argument("--plain", action="store_true", help="plain lines without pictures, for screen readers")
    return parser


def _tell(text: str) -> None:
    """One message on the normal screen. If the terminal is gone, that is no error."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _failed(text: str) -> int:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"mfa-enroll: {text}\n")
    return FAILED


def _enroll(door: Door, plain: bool) -> int:
    status = door.status()
    if not status["may_enroll"]:
        return _failed(_why_not(status))
    door.ready()
    host = os.uname().nodename
    with open_terminal(plain) as terminal:
        result, codes_kept = enroll(terminal, door, status, host)
    _tell(f"The key of {status['user']} is validated on {host}.")
    if not codes_kept:
        _tell(CODES_NOT_KEPT)
    if result["exempt"]:
        _tell("Your account is exempt on this host, so logins do not ask for a token.")
    elif result["enforced"]:
        _tell(
            "From now on, each new login to this host asks for a token. This session stays as it is:\n"
            "leave it open, and try a login in another window before you close it."
        )
    else:
        return _failed("this host could not turn on the token for you; please tell your administrator")
    return DONE


def _why_not(status: Status) -> str:
    if status["validated"]:
        return "your key is already validated on this host; for a new device, please ask your administrator"
    if status["exempt"]:
        return "your account is exempt on this host and needs no key"
    if status["enforced"]:
        return "your key on this host is lost; please ask your administrator for a new one"
    return f"{status['user']} is not supposed to have a key on this host"


def _status(door: Door, plain: bool) -> int:
    status = door.status()
    for name, value in _status_lines(status):
        _tell(f"{name + ':':<16}{value}")
    return DONE


def _status_lines(status: Status) -> list[tuple[str, str]]:
    state = "validated" if status["validated"] else "pending" if status["pending"] else "none"
    lines = [("User", status["user"]), ("Key", state)]
    if status["validated"] and status["pending"]:
        lines.append(("New key", "pending; the old one is used until the new one is validated"))
    if status["since"]:
        lines.append(("Since", _local_minute(status["since"])))
    lines.append(("Logins here", "ask for a token" if status["enforced"] else "do not ask for a token"))
    if status["exempt"]:
        until = status["exempt_until"]
        lines.append(("Exempt", f"until {until}, the last day" if until else "yes"))
    lines += _lock_lines(status)
    if status["validated"]:
        lines.append(("Recovery codes", f"{status['recovery_codes']} left"))
    if status["pending"] and status["open"]:
        lines.append(("Enroll before", f"{status['deadline']} ({status['days_left']} days left)"))
    if status["overdue"]:
        lines.append(("Enrollment", f"overdue since {status['deadline']}"))
    return lines


def _lock_lines(status: Status) -> list[tuple[str, str]]:
    """What wrong tokens in a row have come to."""
    lines = []
    if status["locked"]:
        left = status["locked_seconds"]
        until = "your administrator unlocks you" if left is None else _local_minute(time.time() + left)
        lines.append(("Locked", f"until {until}, after wrong tokens; logins are denied without a question"))
    if status["suspended"]:
        lines.append(
            ("Suspended", "after too many wrong tokens; log in with a recovery code, or ask your administrator")
        )
    return lines


def _local_minute(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _show(door: Door, plain: bool) -> int:
    status = door.status()
    if not status["pending"]:
        return _failed("there is no pending key to show; a validated key is never shown")
    if status["key"] == "given":
        raise Refused("key_given")
    with open_terminal(plain) as terminal:
        show_key(terminal, door, status)
        terminal.ask("Press Enter to leave: ")
    return DONE


def _forget(door: Door, plain: bool) -> int:
    door.forget()
    _tell("Each new login to this host asks for a token again. Sessions that are open stay open.")
    return DONE


def _recovery_codes(door: Door, plain: bool) -> int:
    with open_terminal(plain) as terminal:
        terminal.show(
            TextPage(
                "New recovery codes",
                "",
                "This replaces your old recovery codes. The token you type is used up: the next login needs a newer "
                "one.",
            )
        )
        while True:
            try:
                codes = door.recovery_codes(terminal.ask("Token: "))
                break
            except Refused as refusal:
                if refusal.reason not in ("malformed", "wrong", "already_used"):
                    raise
                terminal.say(refusal_text(refusal))
        kept = keep_codes(terminal, codes)
    _tell(f"You have {len(codes)} new recovery codes; the old ones no longer work." if kept else CODES_NOT_KEPT)
    return DONE
