# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""PerSourcePenalties of OpenSSH 9.8 and later: who is shut out after failed logins, and who is exempt. Private.

sshd refuses all connections of an address once the penalties of its failed logins come to more than `min` seconds: after
four wrong tokens by default. Everybody behind the address of a controller, or of a NAT, is shut out together.
"""

from __future__ import annotations

from typing import Iterator, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import Finding
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import address_in

PENALTIES = "persourcepenalties"
EXEMPT_LIST = "persourcepenaltyexemptlist"
_NONE = "none"


def penalty_findings(settings: Mapping[str, list[str]], address: str) -> Iterator[Finding]:
    """`settings` are the global ones of sshd -T, `address` is where this run connects from; "" if that is not known."""
    failed = _seconds_of_failed_login(settings.get(PENALTIES, ["no"])[0])
    exempt = settings.get(EXEMPT_LIST, [_NONE])[0]
    if not failed or (address_in(address, exempt) if address else exempt != _NONE):
        return
    who = f"{address}, which this run connects from, is not in it" if address else "so no address is exempt"
    yield Finding(
        "sshd_penalties_not_exempt",
        (
            f"a failed login counts for {failed} s (PerSourcePenalties), and PerSourcePenaltyExemptList is {exempt}: {who}",
        ),
    )


def only_exempts_more(keyword: str, before: str, after: str) -> bool:
    """Whether a change of this keyword only spares more addresses, and shuts out nobody whom it did not before."""
    if keyword != EXEMPT_LIST or any(one.startswith("!") and one not in _entries(before) for one in _entries(after)):
        return False
    return _entries(before) <= _entries(after)


def _entries(exempt: str) -> set[str]:
    return set() if exempt in ("", _NONE) else set(exempt.split(","))


def _seconds_of_failed_login(penalties: str) -> str:
    """From `crash:90 authfail:5 …`, or `no`; "" if a failed login is not penalised."""
    found = dict(word.partition(":")[::2] for word in penalties.split())
    seconds = found.get("authfail", "")
    return "" if not seconds.strip("0.") else seconds
