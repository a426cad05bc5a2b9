# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_keys/options.py`."""

    DOCUMENTATION = r"""
options:
  state_dir:
    description:
      - The folder on the host that holds the keys, C(keys/USER) for validated and C(pending/USER) for pending ones.
      - It is created with mode 0700. It is refused if anybody but root can write to it or to a parent folder, since
        somebody else could then place a key there.
    type: path
    default: /var/lib/fleetmfa
  group:
    description:
      - The local group whose members are asked for a token at login. It is created if it is missing.
      - A user managed by this call is a member if the key is validated and the user is not exempt, and not a member
        otherwise. A member whose key is lost stays a member, and is denied, until an operator decides otherwise.
      - sshd and PAM must be configured with the same group, or its members are not asked for a token.
      - Without it, the group in the host's enrollment policy (C(/etc/fleetmfa/policy.conf), written by role
        P(fleetmfa.ssh.mfa#role)), V(mfa-enforced) if the host has no policy.
    type: str
  exempt_users:
    description:
      - Users who are never asked for a token, regardless of their key, such as automation and break-glass accounts.
      - Every user listed here can log in without a second factor.
      - An element is a name, or an entry with C(name) and, each optional, C(reason), C(approved_by) and C(until), the last day,
        such as V(2026-03-31). After that day, in local time of the host, the entry exempts nobody.
    type: list
    elements: raw
  exempt_groups:
    description:
      - Groups whose members are never asked for a token. This includes primary groups and groups from a directory
        service.
      - A group that does not exist on the host exempts nobody. An element is a name, or an entry as for O(exempt_users).
      - Without it, the groups in the host's enrollment policy, none if the host has no policy. An empty list means none.
      - A member of O(group) leaves it only if a list of this call exempts the user.
    type: list
    elements: raw
"""
