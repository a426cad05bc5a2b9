# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_policy/enforcing.py`."""

    DOCUMENTATION = r"""
options:
  confirm_timeout:
    description:
      - Before users become members of O(group), a timer is started on the host. After this many seconds, 15 to 3600, it
        removes them again unless the controller has confirmed the change through a B(new) login. Their keys stay as they
        are, and the next run tries again.
      - The account that Ansible connects with is determined on the host, not from the inventory. It does not become a
        member unless the connection plugin answers the token prompt.
      - With connections that do not log in (C(local), C(docker), C(chroot)) there is nothing to confirm, and users become
        members immediately.
    type: int
    default: 120
attributes:
  action:
    support: full
    details: On the controller, determines the account that this run is connected as and makes the new login.
  async:
    support: none
  bypass_host_loop:
    support: none
"""
