# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations


class ModuleDocFragment:
    """Modules whose action does everything on the controller, once for all hosts of a run."""

    DOCUMENTATION = r"""
options: {}
attributes:
  action:
    support: full
  async:
    support: none
  bypass_host_loop:
    support: none
    details: Use C(run_once).
  platform:
    support: full
    platforms: posix
"""
