# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What numbers may be is said in one table; every text that says it too says the same, and every place that checks takes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES

ROOT = Path(__file__).parents[2]
SPECS = yaml.safe_load((ROOT / "roles/mfa/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
DEFAULTS = (ROOT / "roles/mfa/defaults/main.yml").read_text()
# Options of modules that have another name than the setting, or stand for it.
OPTIONS = {
    "totp_key": {
        "period": "period",
        "window": "window",
        "rate_limit_attempts": "rate_limit_attempts",
        "rate_limit_seconds": "rate_limit_seconds",
        "recovery_code_count": "recovery_codes",
    },
    "totp_rollout": {"confirm_timeout": "confirm_timeout"},
    "enrollment_sheets": {"period": "period"},
}


def words(text):
    return " ".join((text if isinstance(text, str) else " ".join(text)).split())


def test_every_number_of_the_role_has_a_range():
    assert {name for name, option in SPECS.items() if option["type"] == "int"} == {f"mfa_{name}" for name in RANGES}


@pytest.mark.parametrize("name", RANGES)
def test_argument_specs_and_defaults_say_it(name):
    assert f"{RANGES[name]}" in words(SPECS[f"mfa_{name}"]["description"])
    comment = re.search(rf"((?:^#.*\n)+)mfa_{name}:", DEFAULTS, re.MULTILINE).group(1)
    assert f"{RANGES[name]}" in words(comment.replace("# ", ""))
    assert RANGES[name].low <= SPECS[f"mfa_{name}"]["default"] <= RANGES[name].high


@pytest.mark.parametrize(
    ("module", "option", "name"), [(module, *pair) for module, pairs in OPTIONS.items() for pair in pairs.items()]
)
def test_modules_say_it(module, option, name):
    text = (ROOT / f"plugins/modules/{module}.py").read_text()
    documentation = yaml.safe_load(re.search(r'DOCUMENTATION = r"""(.*?)"""', text, re.DOTALL).group(1))
    assert f"{RANGES[name]}" in words(documentation["options"][option]["description"])
