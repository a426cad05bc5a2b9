# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Tells users what happened to their keys: the program /usr/local/libexec/fleetmfa/mfa-notice. Private to the collection.

mfa-notice send SETTINGS                                  tells what was recorded; systemd starts it
mfa-notice guard SETTINGS DECISION REASON USER ADDRESS    records what the guard has decided; log-decision starts it
"""

from __future__ import annotations

import sys
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.notices import log
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.delivery import send_all
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.settings import read_notice_settings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.utc import utc_text

# Decision and reason of the guard (docs/decisions.md), and the event.
_EVENTS = {
    ("locked", "for_a_time"): "locked",
    ("locked", "until_unlocked"): "locked",
    ("locked", "suspended"): "suspended",
    ("accepted", "recovery_code"): "recovery_code_used",
}
_LONGEST_ADDRESS = 256
# systemd starts the program again at once while anything is left to tell.
FAILED_SECONDS = 60


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given[:1] == ["send"] and len(given) == 2:
            send_all(read_notice_settings(given[1]))
            return 0
        if given[:1] == ["guard"] and len(given) == 6:
            record_decision(*given[1:])
            return 0
    except (FleetMfaError, OSError) as error:
        log(str(error))
        if given[0] == "send":
            time.sleep(FAILED_SECONDS)
        return 1
    sys.stderr.write("usage: mfa-notice send SETTINGS (run by systemd)\n")
    return 2


def record_decision(settings_path: str, decision: str, reason: str, user: str, address: str) -> None:
    event = _EVENTS.get((decision, reason))
    if event is None:
        return
    state = StateDir(read_notice_settings(settings_path).state_dir)
    state.notices.settings_path = settings_path
    details: dict[str, object] = {"address": plain(address)}
    if event == "recovery_code_used":
        state.notices.by = "user"
        key = state.validated(user)
        details["recovery_codes"] = len(key.recovery_codes) if key else 0
    else:
        state.notices.by = "host"
        wrong = state.wrong_tokens(user)
        details["wrong_tokens"] = wrong.in_a_row
        if wrong.seconds_left is not None:
            details["until"] = utc_text(time.time() + wrong.seconds_left)
    state.notices.tell(user, event, **details)


def plain(address: str) -> str:
    """What an attacker's client or name server says; printable ASCII alone leaves the host."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in address[:_LONGEST_ADDRESS])
