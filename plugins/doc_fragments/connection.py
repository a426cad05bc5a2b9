# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_policy/managing_connection.py`."""

    DOCUMENTATION = r"""
options:
  _connection:
    description: Internal. How the controller reaches the host. Set by the action plugin of the same name; not for use in playbooks.
    type: dict
    suboptions:
      uid:
        description: User id of the account that Ansible is logged in as.
        type: int
      answers_token:
        description: Whether the connection plugin answers a token prompt.
        type: bool
        default: false
      logs_in:
        description: Whether a new connection of this kind is a login through sshd.
        type: bool
        default: false
      controller:
        description: Who runs the playbook, for messages on the host.
        type: str
        default: ""
"""
