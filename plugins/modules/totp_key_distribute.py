#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: totp_key_distribute
short_description: Give a host the keys that its users have in the key store
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Merges the keys of any number of people, as M(fleetmfa.ssh.totp_key_merge) has them from the key store on the controller, into
    the key files of a host, in one call.
    A key that is validated anywhere in the fleet is then validated on the host, and its user is enforced there, after
    the same checks as in M(fleetmfa.ssh.totp_key) and confirmed by a new login.
  - Recovery codes spent on another host are removed, and tokens used on another host are recorded as used. Run-time state
    of a key file is only added to.
  - A person whose keys were revoked is denied; with a user who was not enforced on the host, too. The user gets a key
    that nobody has.
  - If a person has a new key in place of revoked ones, the user is denied until it is validated, or, if the operator has decided
    so and until the date of that decision, not asked.
  - If a person's key is older than C(mfa_key_max_age), the user gets a new pending key that the host makes. The old one counts until
    the new one is validated.
  - A user whose validated key loses against one that was validated earlier on another host is told at the next interactive login.
  - A key that was validated on the host after the last M(fleetmfa.ssh.totp_key_collect) stays until the key store knows it.
  - The second device of a person ends with all others if the person's keys are revoked, and alone if only it is revoked.
  - Users without a record in the key store are left alone.
options:
  handout:
    description:
      - What M(fleetmfa.ssh.totp_key_merge) returned for this host in the same run.
      - If it refused what this host returned, the task fails with its reason.
      - Give either this or O(people).
    type: str
  people:
    description:
      - The people in the key store whose accounts get their keys, under whatever name an account of theirs has here.
      - The task reads the key store itself, after M(fleetmfa.ssh.key_store_change) for instance.
    type: list
    elements: str
  issuer:
    description: The issuer of a key that has none in the key store. Without it, V(SSH).
    type: str
  window:
    description:
      - How many time steps around the current one the PAM module accepts, 1 to 100. Without it an existing key keeps its
        window; a new key gets V(3).
    type: int
  rate_limit_attempts:
    description:
      - How many logins the PAM module accepts within O(rate_limit_seconds), 1 to 100. Without it an existing key keeps its
        value; a new key gets V(3).
    type: int
  rate_limit_seconds:
    description:
      - The interval in seconds that O(rate_limit_attempts) applies to, 1 to 3600. Without it an existing key keeps its
        value; a new key gets V(30).
    type: int
  recovery_code_count:
    description: The number of recovery codes of a key that the host makes because the old one is too old, 0 to 100.
    type: int
    default: 5
  second_device:
    description:
      - Whether this host asks for tokens of second devices (C(mfa_second_device)). If so, users get the key of the second device that
        counts for them, too.
      - Otherwise none is added, and those that are on the host stay. Keys of second devices that were revoked are removed in any case.
    type: bool
    default: false
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
  - fleetmfa.ssh.mfa_host
  - fleetmfa.ssh.confirmed
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows one line for each user, such as C(alice - validated key created, joins mfa-enforced); never a secret.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
notes:
  - The action unseals the handout and passes the keys to the module; a task cannot give them.
seealso:
  - module: fleetmfa.ssh.totp_key_collect
  - module: fleetmfa.ssh.totp_key_merge
"""

EXAMPLES = r"""
- name: Give the host the keys that the key store has for its accounts
  fleetmfa.ssh.totp_key_distribute:
    handout: "{{ merged.handouts[inventory_hostname] }}"
    window: 3
"""

RETURN = r"""
users:
  description: One entry for each user with a record in the key store.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: The user.
      type: str
      sample: alice
    state:
      description: State of the key after the call; V(none), V(pending) or V(validated).
      type: str
      sample: validated
    rotation_pending:
      description: Whether the user has a pending key in addition to a validated one.
      type: bool
    changed:
      description: Whether anything changed for this user.
      type: bool
    enforced:
      description: Whether the user is a member of the enforced group after the call.
      type: bool
    exempt:
      description: Whether the user is exempt.
      type: bool
    denied:
      description: Whether the user is denied because all keys of the person were revoked, and no new one is validated yet.
      type: bool
    second_device:
      description: The name of the second device with a validated key on this host after the call; null without one.
      type: str
      sample: tablet
    problems:
      description: What is wrong with the key files, as M(fleetmfa.ssh.totp_key) returns it.
      type: list
      elements: dict
uncollected:
  description: Users whose key on this host stays, since the key store does not know it yet.
  returned: success
  type: list
  elements: str
"""

import time
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    with_host_first_factor,
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.entry import CallSettings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.plan import UserPlan, apply, plan
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_change import has_changes, steps_of, words_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.second_keys import device_of
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.store_entry import StoreEntry
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.store_second import StoreSecond, plan_store_seconds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import check_label
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.connected_module import ConnectedModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import CONFIRMED_ARGUMENTS, Joining
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    **HOST_ARGUMENTS,
    **CONFIRMED_ARGUMENTS,
    "handout": {"type": "str"},
    "people": {"type": "list", "elements": "str"},
    "issuer": {"type": "str"},
    "window": {"type": "int"},
    "rate_limit_attempts": {"type": "int"},
    "rate_limit_seconds": {"type": "int"},
    "recovery_code_count": {"type": "int", "default": RANGES["recovery_codes"].default},
    "second_device": {"type": "bool", "default": False},
}


class DistributingModule(ConnectedModule):
    """`stored` is what the action has found in the handout. Like `_connection` it is no option."""

    stored: dict[str, Any] = {"store": "", "people": []}

    def _load_params(self) -> None:
        super()._load_params()
        self.stored = self.params.pop("_stored", self.stored)


def main() -> None:
    module = DistributingModule(ARGUMENTS, supports_check_mode=True)
    try:
        require_root()
        module.exit_json(**distribute(module))
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)


def distribute(module: DistributingModule) -> dict[str, Any]:
    host = MfaHost.from_options(with_host_policy(module.params), given=module.params)
    host.state_dir.notices.by = "store"
    entries = stored_entries(module)
    plans, seconds = planned(module, host, entries)
    module.params["unknown_first_factor"] = with_host_first_factor(module.params["unknown_first_factor"])
    joining = Joining(host, module.params, module.connection, module.warn)
    denied = {entry.user for entry in entries if entry.denied}
    refuse(joining, plans, denied)
    changed = joining.has_to_wait or has_changes(plans, seconds)
    if changed and not module.check_mode:
        with joining.turn(), host.state_dir.lock():
            plans, seconds = planned(module, host, entries)  # once more, now that nobody else changes keys
            refuse(joining, plans, denied)
            apply(plans, host, joining.join, seconds=steps_of(seconds))
        changed = joining.took_back or has_changes(plans, seconds)
    if not module.check_mode:
        host.state_dir.record_sync()
    words = [(one.user, one.differences(host.group.name)) for one in plans if one.changed] + words_of(seconds)
    devices = {one.user: device_of(one.after.validated) for one in seconds}
    return {
        "changed": changed,
        "users": [{**one.result(), "denied": one.user in denied, "second_device": devices[one.user]} for one in plans],
        "uncollected": [entry.user for entry in entries if entry.uncollected],
        "diff": {"prepared": "".join(f"{user}: {', '.join(changes)}\n" for user, changes in words)},
        **joining.result,
    }


def planned(
    module: DistributingModule, host: MfaHost, entries: list[StoreEntry]
) -> tuple[list[UserPlan], list[StoreSecond]]:
    plans = plan([*entries], host, refuse_others=False)
    return plans, plan_store_seconds(entries, plans, host, module.params["second_device"])


def refuse(joining: Joining, plans: list[UserPlan], denied: set[str]) -> None:
    """A leaver needs no first factor: that one cannot log in is the intention."""
    enforced = [one.user for one in plans if one.enforced]
    joining.refuse(enforced)
    joining.refuse_shut_out([user for user in enforced if user not in denied], None)


def stored_entries(module: DistributingModule) -> list[StoreEntry]:
    params = module.params
    settings = ("window", "rate_limit_attempts", "rate_limit_seconds", "recovery_code_count")
    check_ranges({name: params[name] for name in settings})
    if params["issuer"] is not None:
        check_label(params["issuer"], "issuer")
    call = CallSettings(issuer=params["issuer"], **{name: params[name] for name in settings})
    now = time.time()
    hide, store = module.no_log_values.update, module.stored["store"]
    entries = [StoreEntry(person, store, call, now, hide) for person in module.stored["people"]]
    return [entry for entry in entries if not entry.lacks_account]


if __name__ == "__main__":
    main()
