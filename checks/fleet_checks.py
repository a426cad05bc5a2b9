# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""One test case for each host of your fleet and each finding of an audit, for pytest-testinfra (docs/audit.md):

    pytest --hosts=ansible://all --ansible-inventory=inventory .../ansible_collections/fleetmfa/ssh/checks/fleet_checks.py

Changes nothing on a host. A case fails if the host has the finding, its severity is FLEETMFA_FAIL_ON or above (critical, high,
medium or low; default high), and no waiver of the file FLEETMFA_WAIVERS accepts it (default: no file). A host of which nothing is
known fails every case, and so does a pattern that matches no host.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path

import pytest

# pytest knows nothing of collections.
sys.path.insert(0, str(Path(__file__).absolute().parents[4]))

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import SEVERITIES
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.catalogue import kinds
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.evidence import host_audit
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.found import FLEET, found_on
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.gate import at_or_above
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.waivers import read_waivers, with_waivers

FAIL_ON = os.environ.get("FLEETMFA_FAIL_ON", "high")
if FAIL_ON not in SEVERITIES:
    raise pytest.UsageError(f"FLEETMFA_FAIL_ON: must be one of {', '.join(SEVERITIES)}")
SEVERE = at_or_above(FAIL_ON)
try:
    WAIVERS = read_waivers(os.environ["FLEETMFA_WAIVERS"]) if os.environ.get("FLEETMFA_WAIVERS") else []
except FleetMfaError as error:
    raise pytest.UsageError(f"FLEETMFA_WAIVERS: {error}") from None
TODAY = datetime.datetime.now(datetime.timezone.utc).date()
CHECKS = [name for name, kind in kinds().items() if kind.by == "host"]
# The role's variables, where the inventory has them, as playbook audit gives them.
OPTIONS = {name: f"{{{{ mfa_{name} | default(omit) }}}}" for name in ("group", "exempt_users", "exempt_groups")}


@pytest.fixture(scope="module")
def found(host):
    """What one call of the module has found on the host."""
    name = getattr(host.backend, "host", None) or host.backend.get_pytest_id()
    if not host.backend.HAS_RUN_ANSIBLE:
        pytest.fail(f"{name}: give the hosts as --hosts=ansible://PATTERN, with --ansible-inventory", pytrace=False)
    try:
        result = host.ansible("fleetmfa.ssh.host_audit_info", json.dumps(OPTIONS), become=True)
    except host.ansible.AnsibleException as error:
        result = error.result
    except (AssertionError, RuntimeError) as error:  # of the command `ansible`, whose output it quotes
        said = str(error)
        result = {"failed": True, "msg": said[max(said.find("UNREACHABLE"), 0) :]}
    audited = host_audit(name, result)
    if audited.evidence is None:
        pytest.fail(f"{name} was not audited, so nothing is known of it: {audited.why}", pytrace=False)
    judged = with_waivers([found_on(name, one) for one in audited.evidence["findings"]], WAIVERS, TODAY)
    return [one for one in judged if one.host != FLEET]  # a waiver that this host does not need may be another's


def fail_on(findings):
    severe = [one for one in findings if one.severity in SEVERE and not one.accepted]
    told = [
        "\n".join([f"{one.severity} {one.id} on {one.host}: {one.message}", *one.evidence, f"Remedy: {one.remedy}"])
        for one in severe
    ]
    if told:
        pytest.fail("\n".join(told), pytrace=False)


@pytest.mark.parametrize("finding", CHECKS)
def test_finding(found, finding):
    fail_on(one for one in found if one.id == finding)


def test_findings_that_this_version_does_not_know(found):
    fail_on(one for one in found if one.id not in CHECKS)


def test_no_waiver_has_expired():
    fail_on(one for one in with_waivers([], WAIVERS, TODAY) if one.id == "waiver_expired")


def test_a_host_is_compared(request):
    """pytest skips what has no parameters, so a pattern that matches no host would pass."""
    params = (getattr(item, "callspec", None) and item.callspec.params for item in request.session.items)
    if not any(hasattr((given or {}).get("_testinfra_host"), "backend") for given in params):
        pytest.fail("--hosts matches no host of the inventory, so nothing was compared", pytrace=False)
