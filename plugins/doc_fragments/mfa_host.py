# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors

from __future__ import annotations


class ModuleDocFragment:
    """The options of `module_utils/_keys/options.py`."""

    DOCUMENTATION = r"""
options:
  state_dir:
    description:
      - The folder on the host that holds the keys, C(keys/USER) for validated and C(pending/USER) for pending ones.
      - It is made with mode 0700. It is refused if anybody but root can write to it or to a folder above it, since a
        key that somebody else can put there proves nothing.
    type: path
    default: /var/lib/fleetmfa
  group:
    description:
      - The local group whose members are asked for a token at login. It is created if it is missing.
      - A user of whom this call decides is a member exactly if the key is validated and the user is not exempt. A member
        whose key is lost stays a member, and is denied, until an operator says otherwise.
      - sshd and PAM have to name the same group, else its members are not asked.
    type: str
    default: mfa-enforced
  exempt_users:
    description:
      - Users who are never asked for a token, whatever the state of their key, such as automation and break-glass
        accounts.
      - Every name here is a login without a second factor.
    type: list
    elements: str
    default: []
  exempt_groups:
    description:
      - Groups whose members are never asked for a token. A user's primary group counts, and so do the groups of a
        directory service.
      - A group that the host does not know exempts nobody.
    type: list
    elements: str
    default: []
"""
