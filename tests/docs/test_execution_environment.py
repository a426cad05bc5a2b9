# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""meta/ee-requirements.txt has the libraries that plugins import on the controller, and no others."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
# The modules and what they use run on the managed host.
HOST_SIDE = {"modules", "module_utils"}
# ansible-core and what it depends on itself.
ALWAYS_THERE = {"ansible", "ansible_collections", "yaml", "jinja2", "cryptography"}
# Of hvac.
INDIRECT = {"requests"}


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_requirements_are_what_the_controller_imports():
    plugins = ROOT / "plugins"
    files = [path for path in plugins.rglob("*.py") if path.relative_to(plugins).parts[0] not in HOST_SIDE]
    assert len(files) > 5
    imported = set().union(*map(_imported, files)) - sys.stdlib_module_names - ALWAYS_THERE - INDIRECT
    meta = yaml.safe_load((ROOT / "meta/execution-environment.yml").read_text())
    required = (ROOT / meta["dependencies"]["python"]).read_text()
    assert set(re.findall(r"^[\w-]+", required, re.MULTILINE)) == imported
