# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of module totp_key: determines the connected account, and makes the new login that confirms the
change."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._joining_action import JoiningAction


class ActionModule(JoiningAction):
    MODULE = "fleetmfa.ssh.totp_key"
