# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Examples, in modules' documentation and in the guides, against what the modules and the role really take."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import OF_PLAYBOOKS
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES

ROOT = Path(__file__).parents[2]
GUIDES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")])
PREFIX = "fleetmfa.ssh."


def _documented():
    names = [f"{PREFIX}{path.stem}" for path in sorted(ROOT.glob("plugins/modules/*.py"))]
    command = ["ansible-doc", "--json", "--type", "module", *names]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    assert sorted(found) == names
    return found


MODULES = _documented()
ROLE_VARIABLES = {name for path in ROOT.glob("roles/*/defaults/main.yml") for name in yaml.safe_load(path.read_text())}


def _tasks(parsed):
    """Every task of ours in a list of tasks or plays."""
    for entry in parsed if isinstance(parsed, list) else []:
        if not isinstance(entry, dict):
            continue
        for section in ("tasks", "pre_tasks", "post_tasks", "block", "handlers"):
            yield from _tasks(entry.get(section))
        for name, arguments in entry.items():
            if name.startswith(PREFIX):
                yield name, arguments or {}


def _check(arguments, options, where):
    unknown = set(arguments) - set(options) - {alias for one in options.values() for alias in one.get("aliases", [])}
    assert not unknown, f"{where}: no such option: {unknown}"
    for name, value in arguments.items():
        suboptions = options.get(name, {}).get("suboptions")
        for element in value if isinstance(value, list) else [value]:
            if suboptions and isinstance(element, dict):
                _check(element, suboptions, f"{where}: {name}")


@pytest.mark.parametrize("module", MODULES)
def test_examples_of_a_module(module):
    tasks = list(_tasks(yaml.safe_load(MODULES[module]["examples"])))
    assert any(name == module for name, _arguments in tasks), "an example of itself is missing"
    for name, arguments in tasks:
        _check(arguments, MODULES[name]["doc"]["options"], f"{module}: {name}")


def test_tasks_in_the_guides():
    checked = 0
    for guide in GUIDES:
        for block in re.findall(r"^```ya?ml\n(.*?)^```", guide.read_text(), re.MULTILINE | re.DOTALL):
            for name, arguments in _tasks(yaml.safe_load(block)):
                _check(arguments, MODULES[name]["doc"]["options"], f"{guide.name}: {name}")
                checked += 1
    assert checked


def test_variables_in_the_guides():
    named = {}
    for guide in [*GUIDES, *ROOT.glob("playbooks/*.yml")]:
        for variable in re.findall(r"\bmfa_(?!_)[a-z_]+\b", guide.read_text()):
            named.setdefault(variable, set()).add(guide.name)
    # Extra variables of the playbooks, and roles.
    others = {*OF_PLAYBOOKS, *STORE_VARIABLES}
    others.update(path.name for path in ROOT.glob("roles/*"))
    unknown = {name: sorted(where) for name, where in named.items() if name not in ROLE_VARIABLES | others}
    assert len(named) > 10 and not unknown
