# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""molecule/leak/misplacements.yml without hosts: every option and variable is in it, and no row is printed by a module or the role."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import read_settings

ROOT = Path(__file__).parents[4]
SPECS = yaml.safe_load((ROOT / "roles/mfa/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


def of_leak(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"molecule/leak/{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


misplacements, Markers = of_leak("misplacements"), of_leak("markers").Markers
MARKERS = Markers()
CALLS = misplacements.calls(MARKERS.misplaced)
# The controller's part is in the way of these; scenario leak runs them.
OF_CONTROLLER = {
    "role",
    "audit_report",
    "enrollment_sheets",
    "fleet_status",
    "judge_files",
    "key_store_change",
    "otpauth_import",
    "role_settings",
    "ssh_login_probe",
    "sshd_files_info",
    "totp_key_merge",
}


def options_of(module):
    """Each option by its names, those of a module's fragments too: what ansible-doc shows, from the same files."""
    plugins = ROOT / "plugins"
    text = (plugins / f"modules/{module}.py").read_text()
    documentation = yaml.safe_load(re.search(r'DOCUMENTATION = r"""(.*?)"""', text, re.DOTALL).group(1))
    options = dict(documentation["options"])
    fragments = re.findall(r"fleetmfa\.ssh\.(\w+)", " ".join(documentation["extends_documentation_fragment"]))
    for fragment in fragments:
        found = importlib.import_module(f"ansible_collections.fleetmfa.ssh.plugins.doc_fragments.{fragment}")
        options.update(yaml.safe_load(found.ModuleDocFragment.DOCUMENTATION).get("options", {}))
    yield from names_of(options)


def names_of(options, above=()):
    for name, option in ((name, option) for name, option in options.items() if not name.startswith("_")):
        yield (*above, name)
        yield from names_of(option.get("suboptions", {}), (*above, name))


@pytest.mark.parametrize("module", MODULES)
def test_every_option_is_in_the_table(module):
    options = set(options_of(module))
    named = {tuple(row.names) for row in misplacements.rows() if row.call == module}
    whole = {names[:1] for names in named}  # a dictionary of options stands for itself where one of its own is there
    assert options and options - named - whole == set()


def test_every_variable_is_in_the_table():
    named = {row.names[0] for row in misplacements.rows() if row.call == "role"}
    assert set(SPECS) - named == set()


def test_every_row_is_in_a_call_with_a_secret_of_its_own():
    rows = list(misplacements.rows())
    assert len(rows) > 250
    assert sorted(row for call in CALLS for row in call.rows) == sorted(rows)
    for call in CALLS:
        found = MARKERS.found_in(json.dumps(call.options).encode())
        assert {name.partition(" misplaced ")[2] for name in found} == {
            misplacements.marker_name(row) for row in call.rows
        }


@pytest.mark.parametrize(
    "call",
    [call for call in CALLS if call.name not in OF_CONTROLLER],
    ids=lambda call: f"{call.name} {call.rows[0].where} {call.rows[0].what}",
)
def test_modules(host, run_module, accounts, call):
    accounts.add("leak1", "leak2")
    own = {"state_dir": str(host.path)} if ("state_dir",) in options_of(call.name) else {}
    result = run_module(call.name, diff_mode=True, _ansible_verbosity=4, **{**own, **call.options})
    assert MARKERS.found_in(json.dumps(result).encode()) == set()
    assert call.expected == "either" or bool(result.get("failed")) == (call.expected != "taken"), result
    if call.expected == "named":
        assert "none belongs" in result["msg"] and call.says_where(result["msg"]), result["msg"]


# What the role does not refuse by itself, a host does.
OF_ROLE = [call for call in CALLS if call.name == "role" and call.expected == "named"]


@pytest.mark.parametrize("call", OF_ROLE, ids=lambda call: call.rows[0].where)
def test_role(call):
    with pytest.raises(FleetMfaError) as error:
        read_settings(SPECS, call.options)
    assert MARKERS.found_in(str(error.value).encode()) == set()
    assert call.says_where(str(error.value)), str(error.value)
