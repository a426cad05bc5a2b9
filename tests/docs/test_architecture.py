# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Who may import whom: the table in docs/architecture.md is the rule, and the code keeps to it."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_UTILS = ROOT / "plugins/module_utils"
OURS = "ansible_collections.fleetmfa.ssh.plugins.module_utils."
FILES = sorted(path.relative_to(MODULE_UTILS) for path in MODULE_UTILS.rglob("*.py"))


def _rule():
    """Package -> the packages it may import, from rows like "| `_rollback/` | what it is | `_system/`, `_errors.py` |"."""
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| `(_[\w/.]+)` \| .* \|(.*)\|$", text, re.MULTILINE)
    return {package: re.findall(r"`(_[\w/.]+)`", allowed) for package, allowed in rows}


def _imported(path):
    """What a file imports: of ours as a path ("_keys/totp.py"), of others as a module."""
    for node in ast.walk(ast.parse((MODULE_UTILS / path).read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if not name.startswith(OURS):
                yield name
                continue
            parts = name[len(OURS) :].split(".")
            found = ["/".join(parts[:length]) + ".py" for length in range(1, len(parts) + 1)]
            yield [path for path in found if (MODULE_UTILS / path).is_file()][0]


RULE = _rule()


def test_each_file_has_a_place_in_the_rule():
    packages = [next((name for name in RULE if str(path).startswith(name)), None) for path in FILES]
    assert len(FILES) > 60 and None not in packages
    assert set(packages) == set(RULE), "a package of the table is not there"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports(path):
    package = next(name for name in RULE if str(path).startswith(name))
    for imported in _imported(path):
        if imported.startswith("_") and imported.endswith(".py"):
            allowed = imported.startswith((package, *RULE[package]))
            assert allowed, f"{path} imports {imported}; {package} may import {', '.join(RULE[package]) or 'nothing'}"
        else:
            assert imported.split(".")[0] in sys.stdlib_module_names or imported.startswith("ansible.module_utils."), (
                f"{path} imports {imported}, which a host need not have"
            )


def test_no_two_classes_of_one_name():
    """One word for one thing, in what runs on hosts, on the controller, in the lab and the demonstration."""
    paths = [path for folder in ("plugins", "lab", "demo") for path in (ROOT / folder).rglob("*.py")]
    where = defaultdict(list)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(str(path.relative_to(ROOT)))
    assert len(where) > 100
    # Ansible prescribes these.
    twice = {name: paths for name, paths in where.items() if len(paths) > 1}
    assert set(twice) <= {"ActionModule", "Connection", "LookupModule", "ModuleDocFragment"}, twice


def test_only_the_host_says_as_whom_ansible_is_connected():
    """`_policy/managing_connection.py`; what variables and the environment say is not what sshd let in."""
    told = re.compile(r"ansible_(ssh_)?user\b|remote_user|getlogin|SUDO_USER")
    folders = ("roles", "playbooks", "plugins")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yml", ".j2")]
    assert len(paths) > 150
    found = [str(path.relative_to(ROOT)) for path in paths if told.search(path.read_text())]
    assert not found, found
