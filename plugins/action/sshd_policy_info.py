# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module sshd_policy_info: determines the account that it is connected as."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._connected_action import ConnectedAction


class ActionModule(ConnectedAction):
    MODULE = "fleetmfa.ssh.sshd_policy_info"
