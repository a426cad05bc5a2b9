# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations


class ModuleDocFragment:
    """Attributes that ansible.builtin.action_common_attributes does not have."""

    DOCUMENTATION = r"""
options: {}
attributes:
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run reports no change.
"""
