# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""docs/decisions.md has exactly the decisions, reasons and fields that the programs on a host write."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "roles/mfa/files/usr/local/libexec/fleetmfa"
GUARD, LOG = (PROGRAMS / "totp-guard").read_text(), (PROGRAMS / "log-decision").read_text()
PAGE = (ROOT / "docs/decisions.md").read_text()
# Reasons that the guard keeps in a variable.
VARIABLES = {"$until": r"\buntil=(\w+)", "$exempt": r"\bexempt=(\w+)"}


def written():
    found = {("refused", reason) for reason in re.findall(r"\brefuse (\w+) ['\"]", GUARD)}
    for decision, reason in re.findall(r'\bdecide \d (\w+) "?(\$?[a-z]\w*)"? ', GUARD):
        found |= {
            (decision, one) for one in (re.findall(VARIABLES[reason], GUARD) if reason in VARIABLES else [reason])
        }
    return found | {("not_asked", reason) for reason in re.findall(r"\breason=(\w+)", LOG)}


def told():
    rows = re.findall(r"^\| `(\w+)` \| (`\w+`(?:, `\w+`)*) \|", PAGE, re.MULTILINE)
    return {(decision, reason) for decision, reasons in rows for reason in re.findall(r"\w+", reasons)}


def test_decisions():
    assert len(written()) > 25
    assert told() == written()


def test_every_refusal_has_a_reason():
    assert not re.findall(r"\brefuse ['\"].*", GUARD)


def test_fields():
    fields = set(re.findall(r"\bfield (FLEETMFA_\w+)", LOG))
    assert len(fields) > 5
    assert {
        field for row in re.findall(r"^\| (`FLEETMFA_.*?) \|", PAGE, re.MULTILINE) for field in re.findall(r"\w+", row)
    } == fields


def test_recipes_trust_only_root_and_use_what_is_there():
    recipes = [line for line in PAGE.splitlines() if line.startswith("journalctl ")]
    assert len(recipes) > 3
    for recipe in recipes:
        assert recipe.startswith("journalctl _UID=0 -t totp-guard ")
        assert {word for word, _reason in told()} >= set(re.findall(r"FLEETMFA_DECISION=(\w+)", recipe))
        assert set(re.findall(r"FLEETMFA_\w+", recipe)) <= set(re.findall(r"FLEETMFA_\w+", LOG))
