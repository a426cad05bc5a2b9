# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What numbers may be, and are by default, is in one table; every text says the same, and every option is held to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import (
    DEFAULT_ISSUER,
    RANGES,
    SETTING_OF_OPTION,
    check_ranges,
)

ROOT = Path(__file__).parents[2]
SPECS = yaml.safe_load((ROOT / "roles/mfa/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
DEFAULTS = (ROOT / "roles/mfa/defaults/main.yml").read_text()
DOCUMENTED = [*ROOT.glob("plugins/modules/*.py"), *ROOT.glob("plugins/doc_fragments/*.py")]
# No settings: a user id.
OTHERS = {"uid"}
# Hosts take only six digits; the others are of ssh_login_probe and of audits.
OF_ROLE = sorted(set(RANGES) - {"digits", "port", "parallel", "login_timeout", "log_days"})


def words(text):
    return " ".join((text if isinstance(text, str) else " ".join(text)).split())


def numbers(options):
    for name, option in (options or {}).items():
        if option.get("type") == "int":
            yield name, option
        yield from numbers(option.get("suboptions"))


def options_of(path):
    texts = re.findall(r'DOCUMENTATION = r"""(.*?)"""', path.read_text(), re.DOTALL)
    return [pair for text in texts for pair in numbers(yaml.safe_load(text).get("options")) if pair[0] not in OTHERS]


MODULE_OPTIONS = [(path.stem, *pair) for path in sorted(DOCUMENTED) for pair in options_of(path)]


def test_every_number_of_the_role_has_a_range():
    assert {name for name, option in SPECS.items() if option["type"] == "int"} == {f"mfa_{name}" for name in OF_ROLE}


@pytest.mark.parametrize("name", OF_ROLE)
def test_argument_specs_and_defaults_say_it(name):
    assert f"{RANGES[name]}" in words(SPECS[f"mfa_{name}"]["description"])
    comment = re.search(rf"((?:^#.*\n)+)mfa_{name}:", DEFAULTS, re.MULTILINE).group(1)
    assert f"{RANGES[name]}" in words(comment.replace("# ", ""))
    assert SPECS[f"mfa_{name}"]["default"] == RANGES[name].default


def test_the_issuer():
    assert SPECS["mfa_issuer"]["default"] == DEFAULT_ISSUER


@pytest.mark.parametrize(("where", "option", "documented"), MODULE_OPTIONS, ids=lambda value: str(value)[:30])
def test_every_number_of_a_module_has_a_range_and_says_it(where, option, documented):
    allowed = RANGES[SETTING_OF_OPTION.get(option, option)]
    text = words(documented["description"])
    assert (f"{allowed}" in text) or allowed.low == allowed.high
    if "default" in documented:
        assert documented["default"] == allowed.default
    elif where == "totp_key":
        assert f"V({allowed.default}) if there is none" in text
    for value in (allowed.low, allowed.high, None):
        check_ranges({option: value})
    for value in (allowed.low - 1, allowed.high + 1):
        with pytest.raises(FleetMfaError, match=f"{option}: {value} is not in the range {allowed}"):
            check_ranges({option: value})


def test_no_module_was_left_out():
    assert len(MODULE_OPTIONS) > 10
    assert {"totp_key", "totp_key_info", "totp_rollout", "enrollment_sheets", "confirmed"} <= {
        where for where, *_rest in MODULE_OPTIONS
    }
