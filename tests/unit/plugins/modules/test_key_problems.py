# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What is wrong with a key file has the same kind and severity, whichever module reports it."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.key_findings import Enforcement, key_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup, Exemptions

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def without(line):
    return lambda path: path.write_text("".join(one for one in path.read_text().splitlines(True) if line not in one))


FAULTS = {
    "no login passes": (without("TOTP_AUTH"), "key_dead", "critical"),
    "a token counts twice": (without("DISALLOW_REUSE"), "key_weak", "high"),
    "a line that is not read": (lambda path: path.write_text(path.read_text() + "x\n"), "key_malformed", "high"),
    "others may read it": (lambda path: path.chmod(0o644), "key_unreadable", "critical"),
    "not a file": (lambda path: (path.unlink(), path.mkdir()), "key_unreadable", "critical"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("folder", ["keys", "pending"])
def test_both_reports_have_it(host, folder, fault):
    make, name, severity = FAULTS[fault]
    host.totp_key({"user": "alice", "secret": SECRET, "state": "validated" if folder == "keys" else "present"})
    make(host.path / folder / "alice")
    wanted = [(name, severity)] if folder == "keys" else [("pending_key_faulty", "medium")]
    problems = host.run("totp_key_info", users=["alice"])["users"][0]["problems"]
    about_file = [one for one in problems if one["id"] != "key_missing"]
    assert [(one["id"], one["severity"]) for one in about_file] == wanted
    assert "alice" in about_file[0]["evidence"][0] and SECRET not in str(problems)
    found = list(key_findings(host.state_dir, Enforcement(EnforcedGroup(), host.members(), Exemptions())))
    assert [(one.id, one.severity) for one in found if one.id != "key_missing"] == wanted
