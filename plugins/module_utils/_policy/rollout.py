# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module totp_rollout does on the host: plans PAM and sshd together, applies, confirms, rolls back. Private."""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_services import CONSOLE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PAM_TOTP_SPEC
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.console import refuse_no_console
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import (
    CONFIRMED_ARGUMENTS,
    ConfirmedOptions,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.lock_out import (
    refuse_first_factor_lost,
    refuse_nobody_left,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import (
    ManagingConnection,
    refuse_enforced_connection,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.planned_files import (
    FilesWish,
    PlannedFiles,
    confdir_of,
    plan_files,
    planned_pam,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import EarlierRollout
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout, tell
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import SSHD_TOTP_SPEC
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import remembered_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange

# Set once for the whole roll-out.
_COMMON = ("group", "exempt_users", "exempt_groups")


def _own_options(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: option for name, option in spec.items() if name not in _COMMON}


ACCOUNT_CHECK_SPEC = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "services": {"type": "list", "elements": "str"},
    "guard": {"type": "path"},
    "confdir": {"type": "path", "default": DEFAULT_CONFDIR},
}
CONFIRM_WITHOUT_LOGIN = {"type": "bool", "default": False}
# Of module totp_rollout, what is rolled out.
ROLLOUT_ARGUMENTS: dict[str, Any] = {
    "pam": {"type": "list", "elements": "dict", "options": _own_options(PAM_TOTP_SPEC), "default": []},
    "account_check": {
        "type": "dict",
        "options": ACCOUNT_CHECK_SPEC,
        "required_if": [("state", "present", ["services", "guard"])],
    },
    "sshd": {"type": "dict", "options": _own_options(SSHD_TOTP_SPEC)},
}
TOTP_ROLLOUT_SPEC: dict[str, Any] = {
    **HOST_ARGUMENTS,
    **CONFIRMED_ARGUMENTS,
    **ROLLOUT_ARGUMENTS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "confirm_without_login": CONFIRM_WITHOUT_LOGIN,
    "phase": {"type": "str", "choices": ["apply", "confirm", "rollback"], "default": "apply"},
    "rollout_id": {"type": "str"},
}


class RolloutOptions(ConfirmedOptions, FilesWish):
    """TOTP_ROLLOUT_SPEC, with the options of the host settled."""

    confirm_without_login: bool
    phase: str
    rollout_id: str | None


class Call(NamedTuple):
    """One call of the module."""

    options: RolloutOptions
    connection: ManagingConnection
    warn: Callable[[str], None]

    @property
    def is_absent(self) -> bool:
        return self.options["state"] == "absent"


def run_phase(call: Call, check_mode: bool) -> dict[str, Any]:
    options = call.options
    rollout = Rollout(options["state_dir"])
    StateDir(options["state_dir"]).check()
    if options["phase"] == "apply":
        return _check(rollout, call) if check_mode else _apply(rollout, call)
    rollout_id = _rollout_id(options)
    if check_mode:
        return {"changed": rollout.folder.is_armed(rollout_id)}
    with rollout.lock():
        if options["phase"] == "rollback" and not rollout.is_confirmed(rollout_id):
            rollout.roll_back(rollout_id)
            return {"changed": True, "rolled_back": True}
        rollout.confirm(rollout_id)
    return {"changed": options["phase"] == "confirm", "confirmed": True}


def _rollout_id(options: RolloutOptions) -> str:
    """It becomes part of the name of a systemd unit."""
    rollout_id = options["rollout_id"] or ""
    if not re.fullmatch(r"[0-9a-f]{16}", rollout_id):
        raise FleetMfaError(f"rollout_id: {rollout_id!r} is not the id of a roll-out (16 hexadecimal digits)")
    return rollout_id


def _check(rollout: Rollout, call: Call) -> dict[str, Any]:
    earlier = rollout.earlier()
    tell(earlier, "a run without check mode will roll it back", call.warn)
    return _result(_plan(call), earlier, call.warn)


def _apply(rollout: Rollout, call: Call) -> dict[str, Any]:
    rollout_id, timeout, warn = _rollout_id(call.options), call.options["confirm_timeout"], call.warn
    caller = call.connection.caller(timeout)
    if call.is_absent and not rollout.folder.path.exists():
        plan = _plan(call)  # no folder is created just to find nothing to remove
        if not plan.changes:
            return _result(plan, None, warn)
    with rollout.turn():
        earlier = rollout.earlier()
        rollout.settle()
        tell(earlier, "it has now been rolled back", warn)
        try:
            plan = _plan(call)
            result = _result(plan, earlier, warn)
            if plan.changes:
                result.update(rollout.start(rollout_id, plan.changes, timeout, plan.sshd, caller=caller))
                result.update(rollout_id=rollout_id, confirm_timeout=timeout)
        except FleetMfaError as error:
            if not _waits(earlier):
                raise
            raise PartlyDoneError(f"{error}. Before that, the earlier roll-out was rolled back") from error
    return result


def _waits(earlier: EarlierRollout | None) -> bool:
    """Whether an earlier roll-out has left files that a run restores before anything else."""
    return earlier is not None and earlier["outcome"] == "waiting"


def _result(plan: PlannedFiles, earlier: EarlierRollout | None, warn: Callable[[str], None]) -> dict[str, Any]:
    for note in (note for service in plan.services for note in service.get("notes", ())):
        warn(note)
    return {
        "changed": bool(plan.changes) or _waits(earlier),
        "diff": [change.diff() for change in plan.changes],
        "files": [change.path for change in plan.changes],
        "earlier_rollout": earlier,
        "pam": plan.services,
    }


def _plan(call: Call) -> PlannedFiles:
    """Checks everything and changes nothing."""
    with remembered_accounts():
        return _planned(call)


def _planned(call: Call) -> PlannedFiles:
    options = call.options
    check_ranges(options)
    planned = plan_files(options)
    if any(wish["service"] == CONSOLE and wish["state"] == "present" for wish in planned.wishes):
        pam = planned_pam(confdir_of(options), planned.changes)
        refuse_no_console(pam, options["group"], MfaHost.from_options(options).exempt)
    if planned.changes and not call.is_absent:
        _refuse_lock_out(call, planned.changes)
    return planned


def _refuse_lock_out(call: Call, changes: list[FileChange]) -> None:
    host, sshd = MfaHost.from_options(call.options), call.options["sshd"]
    refuse_enforced_connection(call.connection, host)
    if sshd is not None:
        binary, pam = Sshd(sshd["binary"]), planned_pam(confdir_of(call.options), changes)
        refuse_nobody_left(changes, binary, sshd["config"], host.state_dir, host.group.name, pam)
        unknown = call.options["unknown_first_factor"]
        refuse_first_factor_lost(changes, binary, sshd["config"], host, pam, unknown)
