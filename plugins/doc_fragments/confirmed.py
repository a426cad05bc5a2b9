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
  unknown_first_factor:
    description:
      - Nobody becomes a member of O(group) who could not log in any more, because the factor that goes with the token is missing;
        for instance no SSH key that sshd would take. Such users are an error that names them and the remedy.
      - This option is about users of whom the host cannot tell, because they may have a certificate (C(TrustedUserCAKeys)), a
        password in a directory, or keys that C(AuthorizedKeysCommand) did not print when it was asked. With V(error) they are an
        error too, with V(accept) they become members. If they have no such factor, V(accept) locks them out.
      - Without it, the value in the host's enrollment policy (C(/etc/fleetmfa/policy.conf)), V(error) if the host has no policy.
    type: str
attributes:
  action:
    support: full
    details: On the controller, determines the account that this run is connected as and makes the new login.
  async:
    support: none
  bypass_host_loop:
    support: none
"""
