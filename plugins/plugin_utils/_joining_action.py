# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An action whose module may make users members of the enforced group. Private to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._confirmed_action import ConfirmedAction


class JoiningAction(ConfirmedAction):
    CHANGE = "the membership of the users to be asked for a token"
    TAKEN_BACK = "they are not asked for a token, their keys stay as they are, and the next run tries again"

    def after_rollback(self, result: dict[str, Any]) -> dict[str, Any]:
        joined = result["joining"]
        return {
            "users": [{**one, "enforced": one["enforced"] and one["user"] not in joined} for one in result["users"]]
        }
