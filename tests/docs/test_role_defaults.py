# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""defaults/main.yml, which auditors read, against meta/argument_specs.yml, which Ansible checks: names, types, values, words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
TYPES = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict, "raw": object, "path": str}


def specs(role):
    return yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]


def defaults(role):
    return yaml.safe_load((role / "defaults/main.yml").read_text())


def test_there_are_roles_and_each_has_a_spec():
    assert [role.name for role in ROLES] == sorted(
        path.name for path in (ROOT / "roles").iterdir() if has_variables(path)
    )
    assert ROLES


def has_variables(role):
    """Role mfa_variables has none of its own, and nothing that Ansible could check."""
    return any((role / folder).exists() for folder in ("defaults", "vars", "templates"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_same_names_and_values_at_main(role):
    options = specs(role)["main"]["options"]
    assert {name: option["default"] for name, option in options.items()} == defaults(role)
    assert len(options) > 5


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_values_are_of_their_type(role):
    for name, option in specs(role)["main"]["options"].items():
        assert isinstance(option["default"], TYPES[option["type"]]), name
        assert not isinstance(option["default"], bool) or option["type"] == "bool", name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_other_entry_points_agree_with_main(role):
    entry_points = specs(role)
    main = entry_points.pop("main")["options"]
    for entry_point, spec in entry_points.items():
        assert (role / "tasks" / f"{entry_point}.yml").exists(), entry_point
        for name, option in spec.get("options", {}).items():
            assert option == main[name], f"{entry_point}: {name}"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_each_default_has_meaning_security_and_reason(role):
    text = (role / "defaults/main.yml").read_text()
    for name in defaults(role):
        comment = re.search(rf"((?:^#.*\n)+)^{name}:", text, re.MULTILINE)
        assert comment, f"{name} has no comment"
        for word in ("Security:", "Default:"):
            assert word in comment[1], f"{name}: its comment lacks '{word}'"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_each_variable_is_used(role):
    used = "".join(
        path.read_text()
        for folder in ("tasks", "templates", "vars")
        for path in (role / folder).rglob("*")
        if path.is_file()
    )
    for name in defaults(role):
        read = rf"\b({name}|mfa(_audit)?__set\.{name[4:]})\b"  # see role_settings
        assert re.search(read, used), f"{name} is a default that nothing reads"
