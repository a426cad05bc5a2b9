# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: host_program
short_description: Build a program of this collection for a managed host
version_added: 0.1.0
author: The fleetmfa founders (@fleetmfa)
description:
  - Builds one executable file from the C(module_utils) that the modules of this collection use, and returns it as base64
    text. So the programs on a host and the modules share one implementation.
  - The same release gives the same bytes on every controller. C(unzip -p) shows the sources of a program.
options:
  _terms:
    description:
      - Names of programs. V(mfa-enroll) is what users run; it has no rights of its own. V(mfa-enroll-service) answers it
        as root, started by systemd for one request at a time. V(totp-claim) claims a token in the whole fleet, run by the guard.
        V(mfa-notice) tells users about their keys, as root, started by systemd when there is something to tell.
    type: list
    elements: str
    required: true
    choices: [mfa-enroll, mfa-enroll-service, totp-claim, mfa-notice]
  interpreter:
    description:
      - Path on the host of the Python that runs the program, 3.8 or later.
      - Some programs run as root, so it must be a Python that only root can change.
    type: str
    default: /usr/bin/python3
seealso:
  - module: fleetmfa.ssh.host_files
"""

EXAMPLES = r"""
- name: Install the program that users enroll with
  fleetmfa.ssh.host_files:
    files:
      - path: /usr/local/bin/mfa-enroll
        content: "{{ lookup('fleetmfa.ssh.host_program', 'mfa-enroll') }}"
        encoding: base64
        mode: "0755"
"""

RETURN = r"""
_raw:
  description: The programs, each as base64 text.
  type: list
  elements: str
"""

import base64
import fcntl
import hashlib
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.fleetmfa.ssh.plugins.module_utils._program import build_program

PROGRAMS = {
    "mfa-enroll": "_enroll.user.program",
    "mfa-enroll-service": "_enroll.root.service",
    "totp-claim": "_claims.program",
    "mfa-notice": "_notices.program",
}


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        interpreter = self.get_option("interpreter")
        return [base64.b64encode(_built(self._entry(name), interpreter)).decode("ascii") for name in terms]

    def _entry(self, name: str) -> str:
        if name not in PROGRAMS:
            raise AnsibleLookupError(f"there is no such program; choose from {', '.join(sorted(PROGRAMS))}")
        return PROGRAMS[name]


def _built(entry: str, interpreter: str) -> bytes:
    """Built once in a run, not once for each host: the workers of other hosts wait for the first one. The folder is of this
    run and this user, and Ansible's own packed modules are in it as well."""
    name = hashlib.sha256(f"{entry}\0{interpreter}".encode()).hexdigest()
    path = Path(C.DEFAULT_LOCAL_TMP, f"fleetmfa-{name}")
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_bytes(build_program(entry, interpreter))
            unfinished.replace(path)
    return path.read_bytes()
