# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What mfa-enroll does automatically at a login. Private to the collection.

The offer must never prevent a login: whatever goes wrong with it, the login continues without it. For a user whose
enrollment is overdue it is the opposite: without enrollment there is no session.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from typing import Callable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import Status
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.dialogue import Stopped, days_left_text
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.door import Door, Refused
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.pages import printable
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.terminal import Left
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.previous_login import PreviousLogin

STATUS_SECONDS = 10  # seconds that a login waits for the status; a busy host needs some of them to start the service
OFFER_SECONDS = 60  # seconds after which the answer is "later", so that a script with a terminal does not wait forever

_LATER = "You can enroll later with the command mfa-enroll.\n"

Enroll = Callable[[Door, bool], int]


def offer_at_login(door: Door, plain: bool, enroll: Enroll) -> int:
    """Offer enrollment to a user with a pending key during the enrollment period; the login continues in any case."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return 0
    try:
        status = door.status(STATUS_SECONDS)
    except (Refused, FleetMfaError, KeyboardInterrupt):
        return 0  # the user has not requested anything, so nothing is reported
    if status["previous_login"] is not None:
        with contextlib.suppress(OSError):
            sys.stdout.write(f"{previous_login_text(status['previous_login'])}\n")
            sys.stdout.flush()
    if status["displaced"] is not None:
        _tell_displaced(door, status["displaced"])
    if not (status["pending"] and status["open"]):
        return 0
    try:
        sys.stdout.write(f"\nToken MFA: there is a key for you on this host.{_deadline(status)}\n")
        if _says_yes("Enroll now? It takes two minutes. [y/N] "):
            enroll(door, plain)
        else:
            sys.stdout.write(f"{_LATER}\n")
    except (Left, KeyboardInterrupt, OSError):
        sys.stdout.write(f"\n{_LATER}\n")
    except (Refused, Stopped, FleetMfaError) as reason:
        sys.stdout.write(f"{reason}\n")
    return 0


def previous_login_text(login: PreviousLogin) -> str:
    """So that a user notices a login of somebody else, and guesses."""
    count = login["wrong_tokens"]
    wrong = f"{count or 'no'} wrong token{'' if count == 1 else 's'}"
    if login["time"] is None:
        return f"First login with a token; {wrong} before."
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(login["time"]))
    where = f" from {printable(login['address'])}" if login["address"] else ""
    return f"Last login with a token: {when}{where}; {wrong} since."


def _tell_displaced(door: Door, host: str) -> None:
    """Told first, then recorded as told: told twice is better than never."""
    with contextlib.suppress(Refused, FleetMfaError, OSError, KeyboardInterrupt):
        sys.stdout.write(
            f"\nToken MFA: the key that you set up on this host does not count any more, since you have validated another\n"
            f"one before{f' on {printable(host)}' if host else ''}: one key serves all hosts, the one that you have just used.\n"
            "Delete the other entry from your authenticator app. If that other key was not yours, tell your administrator.\n\n"
        )
        sys.stdout.flush()
        door.seen()


def _deadline(status: Status) -> str:
    return " " + " ".join(line for line in days_left_text(status) if line)


def _says_yes(question: str) -> bool:
    sys.stdout.write(question)
    sys.stdout.flush()
    ready, _none, _none = select.select([sys.stdin], [], [], OFFER_SECONDS)
    if not ready:
        sys.stdout.write("\n")
        return False
    return os.read(sys.stdin.fileno(), 4096).strip().lower() in (b"y", b"yes")


def serve_overdue(door: Door, plain: bool, enroll: Enroll) -> int:
    """The whole session of a user whose enrollment is overdue: sshd starts this instead of what the user asked for."""
    status = door.status()
    if not status["overdue"]:
        sys.stderr.write("Your enrollment is no longer overdue. Please log in again.\n")
        return 1
    sys.stderr.write(
        f"The time to enroll for token MFA ended on {status['deadline']}.\nYou can use this login only to enroll.\n"
    )
    if "SSH_ORIGINAL_COMMAND" in os.environ or not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write("Please log in with a terminal and no command: ssh HOST\n")
        return 1
    result = enroll(door, plain)
    if result == 0:
        sys.stdout.write("Please log in again.\n")
    return result
