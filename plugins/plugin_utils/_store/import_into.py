# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Adds imported keys to a store, or says what would be added. Private to the collection."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._controller import controller_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.import_report import line_of, row_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.imported import Import, ImportCandidate, best_of
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.store import Store


def import_into(
    store: Store,
    candidates: list[ImportCandidate],
    best: dict[str, tuple[str, str]],
    rows: list[dict[str, Any]],
    check: bool,
) -> dict[str, Any]:
    """The result of a task. `best` is what the whole run imports, `rows` what was refused before."""
    users = sorted({one.person for one in candidates})
    known = store.read(users)
    before = {user: known.get(user) or Person(user) for user in users}
    possible = [one for one in candidates if one.refusal(before[one.person]) is None]
    decide = Import(candidates, {**best_of(possible), **best}, controller_name(), int(time.time()))
    after = {user: decide(person) for user, person in before.items()}
    changed = [user for user in users if after[user] != before[user]]
    if changed and not check:
        changed = store.change(changed, decide)
    told = [row_of(one, decide.why[number], after[one.person]) for number, one in enumerate(decide.candidates)]
    told = sorted([*told, *rows], key=lambda row: (row["person"], row["user"], row["source"]))
    report = [line_of(row) for row in told]
    words = [f"{line}\n" for row, line in zip(told, report) if row["person"] in changed and row["imported"]]
    return {
        "changed": bool(changed),
        "people": sorted(changed),
        "imports": told,
        "report": report,
        "diff": {"prepared": "".join(words)},
    }
