# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Secrets are in the key files and nowhere else."""

from __future__ import annotations

import re
import stat

import pytest
from markers import Markers
from misplacements import calls

STATE_DIR = "/var/lib/fleetmfa"
GOOD = {
    "leak-on-purpose",
    "modules-check",
    "modules",
    "misplaced",
    "site-check",
    "site",
    "validate-check",
    "validate",
    "remove",
}
# How many hosts fail in a run that is to fail. One that is started at a later task has not read the role's variables.
OF_ROLE = sum(call.name == "role" for call in calls(Markers().misplaced))
FAILING = {"site-misplaced": OF_ROLE, "site-bad": 11, "site-later": 1, "validate-bad": 6}


def test_every_run_did_what_it_should(told):
    assert set(told.runs) == {*GOOD, *FAILING}
    for name, run in told.runs.items():
        assert (run.code != 0) == (name in FAILING), f"{name}\n{run.output}"
    for name, hosts in FAILING.items():
        (retry,) = (content for path, content in told.controller.items() if path.startswith(f"{name}.retry/"))
        assert len(retry.split()) == hosts, name


PRINTED = {"secret text", "secret base64", "secret hex", "recovery code printed", "token printed"}


@pytest.mark.parametrize(
    ("place", "leaks"),
    [
        (r"\.out", {*PRINTED, "secret argument"}),
        (r"\.log", {*PRINTED, "secret argument"}),
        (r"\.junit/.*", {*PRINTED, "secret argument"}),
        (r"\.tree/.*", PRINTED),
        (r"\.seen-on-host", {"secret argument", "secret file"}),
        (r"\.seen-on-controller", {"secret on the command line"}),
    ],
)
def test_the_search_finds_what_is_let_out_on_the_controller(told, place, leaks):
    places = {name: data for name, data in told.controller.items() if re.fullmatch(f"leak-on-purpose{place}", name)}
    assert leaks <= set().union(*told.found(told.on_purpose, places).values())


def test_the_search_finds_facts(told):
    facts = {name: data for name, data in told.controller.items() if name.startswith("facts/")}
    assert {"secret fact"} in told.found(told.on_purpose, facts).values()


def test_the_search_finds_what_is_let_out_on_the_host(told):
    assert "secret argument" in told.on_purpose.found_in(told.journal)
    found = told.found(told.on_purpose, told.on_host)
    assert found["/srv/left-on-purpose"] == {"secret file"}
    assert "secret argument" in found["/var/log/leak-recorder"]


def test_nothing_on_the_controller(told):
    assert told.found(told.markers, told.controller) == {}


def test_nothing_in_the_journal(told):
    assert told.markers.found_in(told.journal) == set()


def test_nothing_on_the_hosts_that_only_misplaced_secrets_were_tried_on(told):
    names = {place.split()[0] for place in told.other_hosts if place.endswith("/var/log/leak-recorder")}
    assert names == told.others != set()
    assert told.found(told.markers, told.other_hosts) == {}


def test_on_the_host_only_in_key_files(told):
    found = told.found(told.markers, told.on_host)
    assert set(found) == {
        f"{STATE_DIR}/{name}"
        for name in ("keys/leak1", "keys/leak2", "pending/leak2", "keys/enrolls", "keys/validates")
    }
    for path in found:
        file = told.host_files[path]
        assert file.owner == "root" and file.mode in (0o400, 0o600), path


def test_nothing_after_removal(told):
    found = told.found(told.markers, {path: file.content for path, file in told.after_removal.items()})
    assert found == {}


def test_sheets_are_for_their_owner_only(told):
    sheets = list(told.sheets.iterdir())
    assert [sheet.name for sheet in sheets] == ["leak1.html"]
    assert "secret on a sheet" in told.markers.found_in(sheets[0].read_bytes())
    assert [stat.S_IMODE(path.stat().st_mode) for path in (told.sheets, *sheets)] == [0o700, 0o600]
