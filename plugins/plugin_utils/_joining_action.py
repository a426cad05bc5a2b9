# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An action whose module may make users members of the enforced group. Private to the collection."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._confirmed_action import JOINING, ConfirmedAction


class JoiningAction(ConfirmedAction):
    CHANGE = JOINING
