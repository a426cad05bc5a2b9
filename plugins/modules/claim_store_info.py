#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: claim_store_info
short_description: Ask each member of an etcd cluster whether a login could claim a token in it
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Makes a claim through each member, with the program that logins use and the files that they use on this host, so it fails for
    whatever a login would fail for; a wrong CA, an expired certificate, no majority, a full store.
  - Fails if no member can make a claim, or if others than root can read the private key. Warns of each member that cannot.
options:
  endpoints:
    description: The members of the cluster, each as C(https://HOST:PORT).
    type: list
    elements: str
    required: true
  ca:
    description: Path of the certificate authority of the cluster (PEM).
    type: path
    required: true
  cert:
    description: Path of the certificate that this host shows to etcd (PEM).
    type: path
    required: true
  key:
    description: Path of the private key of O(cert) (PEM, not encrypted).
    type: path
    required: true
  prefix:
    description: What the names of claims begin with.
    type: str
    default: /fleetmfa/claims/
  timeout:
    description: Seconds within which a member must have answered, 1 to 10.
    type: int
    default: 3
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Asks in check mode, too. A claim of a random name is all that it leaves behind, and etcd forgets that after some seconds.
  diff_mode:
    support: none
    details: Changes nothing on the host, so there is no difference to show.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
seealso:
  - module: fleetmfa.ssh.sshd_policy_info
"""

EXAMPLES = r"""
- name: Can this host claim tokens in the fleet?
  fleetmfa.ssh.claim_store_info:
    endpoints: [https://192.0.2.11:2379, https://192.0.2.12:2379, https://192.0.2.13:2379]
    ca: /etc/fleetmfa/claims/ca.pem
    cert: /etc/fleetmfa/claims/cert.pem
    key: /etc/fleetmfa/claims/key.pem
"""

RETURN = r"""
members:
  description: The members, in the order of O(endpoints).
  returned: success
  type: list
  elements: dict
  contains:
    endpoint:
      description: The member.
      type: str
    problem:
      description: Why no claim can be made through it; empty if one was made.
      type: str
    milliseconds:
      description: How long the claim took, without the time that a login needs to start the program.
      type: int
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.check import check_members, require_private
from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import ClaimSettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    "endpoints": {"type": "list", "elements": "str", "required": True},
    "ca": {"type": "path", "required": True},
    "cert": {"type": "path", "required": True},
    "key": {"type": "path", "required": True, "no_log": False},
    "prefix": {"type": "str", "default": "/fleetmfa/claims/"},
    "timeout": {"type": "int", "default": RANGES["claims_timeout"].default},
}


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        require_root()
        check_ranges({"timeout": params["timeout"]})
        require_private(params["key"])
        members = check_members(ClaimSettings({**params, "endpoints": " ".join(params["endpoints"])}))
    except FleetMfaError as error:
        module.fail_json(msg=str(error))
    failed = [member["problem"] for member in members if member["problem"]]
    if len(failed) == len(members):
        module.fail_json(msg=f"no claim can be made in etcd, so no login could: {'; '.join(failed) or 'no endpoints'}")
    for problem in failed:
        module.warn(f"a member of the claim store does not answer: {problem}")
    module.exit_json(changed=False, members=members)


if __name__ == "__main__":
    main()
