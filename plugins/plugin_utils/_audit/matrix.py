# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The matrix of users and hosts, compact: people with something to say in detail, the others in counts. Private to the collection."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.figures import may_administer
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.fleet import names
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.shape import USER_STATES

MOST_ROWS = 200
# Up to these numbers each host has a column.
GRID_HOSTS, GRID_USERS = 12, 60


class UserOnHosts(NamedTuple):
    """A user, by name, on all hosts."""

    user: str
    states: dict[str, list[str]]  # state -> hosts
    notes: list[str]


class Matrix(NamedTuple):
    hosts: list[str]  # columns; none if there are too many
    grid: list[tuple[str, list[str]]]  # user, and the state on each host, or ""
    rows: list[tuple[str, list[str], list[str]]]  # user, notes, and for each state the hosts in words
    more: int  # of people with notes, beyond MOST_ROWS
    counts: list[tuple[str, int]]  # the others: where they are in which states, and how many they are


def matrix(document: Document) -> Matrix:
    hosts = [one["host"] for one in document["hosts"]]
    people = _people(document)
    noted = [one for one in people if one.notes]
    # Most to say first.
    noted.sort(key=lambda one: (-len(one.notes), one.user))
    rows = [
        (one.user, one.notes, [names(one.states.get(state, [])) for state in USER_STATES]) for one in noted[:MOST_ROWS]
    ]
    plain = Counter(" and ".join(sorted(one.states)) for one in people if not one.notes)
    is_grid = len(hosts) <= GRID_HOSTS and len(people) <= GRID_USERS
    return Matrix(
        hosts=hosts if is_grid else [],
        grid=[(one.user, _cells(one, hosts)) for one in people] if is_grid else [],
        rows=rows,
        more=len(noted) - len(rows),
        counts=plain.most_common(),
    )


def _people(document: Document) -> list[UserOnHosts]:
    states: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    notes: dict[str, dict[str, None]] = defaultdict(dict)
    for host in document["hosts"]:
        for one in host["evidence"]["users"]:
            if one["human"] or one["admin"]:
                states[one["user"]][one["state"]].append(host["host"])
                notes[one["user"]].update(dict.fromkeys(_notes(one)))
    for user, found in states.items():
        if "enforced" in found and len(found) > 1:
            notes[user]["differs between hosts"] = None
    return [UserOnHosts(user, states[user], list(notes[user])) for user in sorted(states)]


def _notes(one: dict[str, Any]) -> list[str]:
    told = {
        "administrator, not enforced": may_administer(one) and one["state"] != "enforced",
        "overdue": one["overdue"],
        "exempt": one["state"] == "exempt",
    }
    return [note for note, holds in told.items() if holds]


def _cells(one: UserOnHosts, hosts: list[str]) -> list[str]:
    state_of = {host: state for state, found in one.states.items() for host in found}
    return [state_of.get(host, "") for host in hosts]
