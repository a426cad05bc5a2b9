# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_policy/enforcing.py`."""

    DOCUMENTATION = r"""
options:
  confirm_timeout:
    description:
      - When users are about to become members of O(group), a timer is started on the host that takes them out again after
        so many seconds, 15 to 3600, unless the controller has confirmed the change through a B(new) login by then. Their
        keys stay as they are, and the next run tries again.
      - The account that Ansible connects with is what the host says it is, whatever the inventory says. It is not made a
        member unless the connection answers the token prompt.
      - Over connections that do not log in (C(local), C(docker), C(chroot)) there is nothing to confirm, and users become
        members at once.
    type: int
    default: 120
attributes:
  action:
    description: Says as whom the host lets this run in, and makes the new login, on the controller.
    support: full
"""
