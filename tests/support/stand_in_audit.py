# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""This collection with a module in the place of host_audit_info that returns what a test says of each host."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Mapping

ROOT = Path(__file__).parents[2]
_STAND_IN = """
import json, os, time
from ansible.module_utils.basic import AnsibleModule

def main():
    module = AnsibleModule(argument_spec=dict(log_days=dict(type="int"), group=dict(), exempt_users=dict(), exempt_groups=dict(),
                                              _connection=dict(type="dict"), _programs=dict(type="dict")),
                           supports_check_mode=True)
    with open(os.environ["EVIDENCE"]) as given:
        evidence = json.load(given)
    evidence["clock"]["time"] = time.time() + evidence.pop("off", 0)
    evidence["logs"]["days"] = module.params["log_days"]
    evidence["mfa"]["group"] = module.params["group"]
    module.exit_json(evidence=evidence)

main()
"""


def stand_in_collection(folder: Path) -> Path:
    """The folder, as a path of collections."""
    there = folder / "ansible_collections/fleetmfa/ssh"
    (there / "plugins").mkdir(parents=True)
    for name in ("meta", "roles", "playbooks", "checks", "galaxy.yml"):
        (there / name).symlink_to(ROOT / name)
    for path in (ROOT / "plugins").iterdir():
        if path.name != "modules":
            (there / "plugins" / path.name).symlink_to(path)
    shutil.copytree(ROOT / "plugins/modules", there / "plugins/modules", ignore=shutil.ignore_patterns("__pycache__"))
    (there / "plugins/modules/host_audit_info.py").write_text(_STAND_IN)
    return folder


def hosts_with(evidence_of: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Hosts of an inventory, all of them this machine: each is told by its interpreter which evidence to return."""
    hosts = {}
    for host, found in evidence_of.items():
        (folder / f"{host}.json").write_text(json.dumps(found))
        shim = folder / f"python-{host}"
        shim.write_text(f'#!/bin/sh\nEVIDENCE={folder}/{host}.json exec {sys.executable} "$@"\n')
        shim.chmod(0o755)
        hosts[host] = {"ansible_connection": "local", "ansible_python_interpreter": str(shim)}
    return hosts
