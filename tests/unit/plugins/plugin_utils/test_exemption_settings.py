# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Entries of mfa_exempt_users and mfa_exempt_groups, from each source: taken as meant, or refused by variable and entry."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import read_settings

SPECS = Path(__file__).parents[4] / "roles/mfa/meta/argument_specs.yml"
OPTIONS = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]
ENTRY = {"name": "pentest", "reason": "test of May", "approved_by": "ciso", "until": "2026-05-31"}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

pytestmark = pytest.mark.parametrize("name", ["mfa_exempt_users", "mfa_exempt_groups"])


def read(name, value):
    return read_settings(OPTIONS, {name: value})[name[4:]]


def test_entries_beside_names(name):
    assert read(name, ["ansible", dict(ENTRY)]) == ["ansible", ENTRY]
    assert read(name, [{"name": "temps"}]) == [{"name": "temps"}]
    assert read(name, ["deploy", "deploy"]) == ["deploy", "deploy"], "as before"


def test_a_date_of_yaml_is_one(name):
    assert read(name, [{**ENTRY, "until": datetime.date(2026, 5, 31)}]) == [ENTRY]


@pytest.mark.parametrize(
    "text",
    [
        "[{name: pentest, reason: test of May, approved_by: ciso, until: 2026-05-31}]",
        "[{'name': 'pentest', 'reason': 'test of May', 'approved_by': 'ciso', 'until': '2026-05-31'}]",
    ],
    ids=["-e", "ini"],
)
def test_as_text(name, text):
    assert read(name, text) == [ENTRY]


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (["a", {}], "entry 2 is not a name but an entry without a name; it may have reason, approved_by, until"),
        ([{"reason": "why"}], "entry 1 is not a name but an entry without a name"),
        (
            [{"name": "a", "til": "2026-05-31"}],
            "entry 1 is not a name but an entry with an unknown item; it may have name, reason",
        ),
        ([{"name": "a b\nc"}], "entry 1 has no usable name"),
        ([{"name": "../a"}], "entry 1 is not a name"),
        ([{"name": ["a"]}], "entry 1 has no usable name"),
        (
            [{"name": "a", "until": "31.5.2026"}],
            "entry 1 has a wrong until: write the last day as a date such as 2026-03-31",
        ),
        ([{"name": "a", "until": "20260531"}], "wrong until"),
        ([{"name": "a", "until": "2026-02-30"}], "wrong until"),
        ([{"name": "a", "until": ""}], "wrong until"),
        ([{"name": "a", "until": None}], "wrong until"),
        ([{"name": "a", "until": datetime.datetime(2026, 5, 31, 12)}], "wrong until"),
        ([{"name": "a", "reason": ""}], "entry 1 has no usable reason"),
        ([{"name": "a", "reason": "x" * 201}], "up to 200 characters"),
        ([{"name": "a", "approved_by": "one\ntwo"}], "entry 1 has no usable approved_by"),
        (["a", {"name": "a"}], "entry 2 has a name that stands in the list before; keep one of the two"),
        ([{"name": "a"}, "b", "a"], "entry 3 has a name that stands in the list before"),
        (
            [{"name": "a", "until": "2026-05-31"}, {"name": "a", "until": "2027-05-31"}],
            "entry 2 has a name that stands",
        ),
        ([["a"]], "entry 1 is not a name"),
        ([True], "entry 1 is not a name"),
    ],
)
def test_what_is_wrong_is_named(name, entries, told):
    with pytest.raises(FleetMfaError) as error:
        read(name, entries)
    assert str(error.value).startswith(f"{name}: ") and told in str(error.value)


@pytest.mark.parametrize("item", ["name", "reason", "approved_by", "until"])
def test_a_secret_in_an_entry_is_refused_and_not_shown(name, item):
    with pytest.raises(FleetMfaError) as error:
        read(name, [{**ENTRY, item: SECRET}])
    assert SECRET not in str(error.value)
    with pytest.raises(FleetMfaError) as error:
        read(name, [{**ENTRY, SECRET: "x"}])
    assert SECRET not in str(error.value) and "entry with an unknown item" in str(error.value)
