#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: notice_command_info
short_description: Check that a host can tell users about their keys with a command
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Fails if the program is missing or cannot be executed, or if others than root can change it, a folder on its path, or anything
    that a symbolic link on its path leads to. Root runs it, so they could have root run anything.
  - Fails if systemd does not run on the host, since systemd starts what tells users.
  - Does not run the program.
options:
  command:
    description: The program, as an absolute path, and its arguments.
    type: list
    elements: str
    required: true
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: Changes nothing on the host, so there is no difference to show.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
seealso:
  - module: fleetmfa.ssh.claim_store_info
"""

EXAMPLES = r"""
- name: Can this host tell users with this program?
  fleetmfa.ssh.notice_command_info:
    command: [/usr/local/sbin/tell-user, --from, security@example.com]
"""

RETURN = r"""
program:
  description: The program.
  returned: success
  type: str
  sample: /usr/local/sbin/tell-user
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.command import check_command
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import systemd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {"command": {"type": "list", "elements": "str", "required": True}}


def main() -> None:
    module = Module(ARGUMENTS, supports_check_mode=True)
    command = module.params["command"]
    try:
        require_root()
        require_runnable(command)
    except FleetMfaError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, program=command[0])


def require_runnable(command: list[str]) -> None:
    try:
        if not command:
            raise FleetMfaError("the list is empty")
        check_command(command)
        if not systemd.is_running():
            raise FleetMfaError(
                "systemd, which would start the program, does not run on this host; remove the variable here"
            )
    except FleetMfaError as error:
        raise FleetMfaError(f"command (mfa_notify_command): {error}") from None


if __name__ == "__main__":
    main()
