# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""totp-claim SETTINGS KEY_FILE STEP|CODE: the program that the guard runs to claim a used token in the whole fleet. Private.

Exit status 0: this login has the claim. 10: another login has it; the output says which. Any other status: not known; the
output says why. The guard then does what `unreachable` in the settings says (docs/claims.md).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.etcd import ClaimedElsewhereError, EtcdClaims
from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.name import ClaimingKey
from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import read_claim_settings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

CLAIMED, CLAIMED_ELSEWHERE, NOT_KNOWN = 0, 10, 11
# A claim is kept until no host accepts its token any more, even if one host's clock is this far behind, another's ahead.
CLOCK_SECONDS = 600
_HARD_LIMIT_AFTER = 0.5  # seconds; what no deadline stops, such as a name server that does not answer


def main() -> int:
    if len(sys.argv) != 4:
        sys.stderr.write("usage: totp-claim SETTINGS KEY_FILE STEP|CODE\n")
        return NOT_KNOWN
    settings_path, key_file, used = sys.argv[1:]
    try:
        settings = read_claim_settings(settings_path)
        signal.setitimer(signal.ITIMER_REAL, settings.timeout + _HARD_LIMIT_AFTER)  # SIGALRM ends the program
        key = ClaimingKey.read(key_file)
        EtcdClaims(settings).claim(key.claim_name(used), _value(), kept_seconds(key, used))
    except ClaimedElsewhereError as error:
        sys.stdout.write(f"{error}\n")
        return CLAIMED_ELSEWHERE
    except FleetMfaError as error:
        sys.stdout.write(f"{error}\n")
        return NOT_KNOWN
    return CLAIMED


def _value() -> dict[str, str]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"host": socket.gethostname(), "time": now, "nonce": os.urandom(16).hex()}


def kept_seconds(key: ClaimingKey, used: str) -> int | None:
    """A recovery code is valid until it is used, so its claim is never forgotten."""
    return None if used.startswith("r") else key.accepted_seconds + 2 * CLOCK_SECONDS
