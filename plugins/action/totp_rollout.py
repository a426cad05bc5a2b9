# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of a roll-out: applies it, makes a new login, and confirms through that login. The module is
the host's side."""

from __future__ import annotations

import secrets
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._confirmed_action import (
    CONFIGURATION,
    ConfirmedAction,
)


class ActionModule(ConfirmedAction):
    MODULE = "fleetmfa.ssh.totp_rollout"
    CHANGE = CONFIGURATION

    def act(self) -> dict[str, Any]:
        if self._task.args.get("phase", "apply") != "apply":
            return self.module(self.MODULE, self._task.args)
        self.refuse_without_login()
        self._task.args["rollout_id"] = secrets.token_hex(8)
        return super().act()
