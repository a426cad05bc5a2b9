# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module totp_rollout does on the host: PAM and sshd planned together, applied, confirmed, rolled back. Private."""

from __future__ import annotations

import re
from typing import Any, Callable, NamedTuple, cast

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines, plan_account_check
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PAM_TOTP_SPEC, PamWish, plan_pam_totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import CONFIRMED_ARGUMENTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.lock_out import refuse_nobody_left
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import (
    ManagingConnection,
    refuse_enforced_connection,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import SshdToReload
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout, tell
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import (
    SSHD_TOTP_SPEC,
    SshdWish,
    Surroundings,
    plan_sshd_totp,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange

# Said once for the whole roll-out.
_COMMON = ("group", "exempt_users", "exempt_groups")


def _own_options(spec: dict) -> dict:
    return {name: option for name, option in spec.items() if name not in _COMMON}


TOTP_ROLLOUT_SPEC = {
    **HOST_ARGUMENTS,
    **CONFIRMED_ARGUMENTS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "pam": {"type": "list", "elements": "dict", "options": _own_options(PAM_TOTP_SPEC), "default": []},
    "account_check": {
        "type": "dict",
        "options": {
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "services": {"type": "list", "elements": "str"},
            "guard": {"type": "path"},
            "confdir": {"type": "path", "default": DEFAULT_CONFDIR},
        },
        "required_if": [("state", "present", ["services", "guard"])],
    },
    "sshd": {"type": "dict", "options": _own_options(SSHD_TOTP_SPEC)},
    "confirm_without_login": {"type": "bool", "default": False},
    "phase": {"type": "str", "choices": ["apply", "confirm", "rollback"], "default": "apply"},
    "rollout_id": {"type": "str"},
}


class Plan(NamedTuple):
    changes: list[FileChange]
    sshd: SshdToReload | None  # what to reload
    facts: dict[str, Any]


def run_phase(params: dict[str, Any], check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    rollout = Rollout(params["state_dir"])
    StateDir(params["state_dir"]).check()
    if params["phase"] == "apply":
        return _check(rollout, params, warn) if check_mode else _apply(rollout, params, warn)
    rollout_id = _rollout_id(params)
    if check_mode:
        return {"changed": rollout.folder.is_armed(rollout_id)}
    with rollout.lock():
        if params["phase"] == "rollback" and not rollout.is_confirmed(rollout_id):
            rollout.roll_back(rollout_id)
            return {"changed": True, "rolled_back": True}
        rollout.confirm(rollout_id)
    return {"changed": params["phase"] == "confirm", "confirmed": True}


def _rollout_id(params: dict[str, Any]) -> str:
    """It becomes part of the name of a systemd unit."""
    rollout_id = params["rollout_id"] or ""
    if not re.fullmatch(r"[0-9a-f]{16}", rollout_id):
        raise FleetMfaError(f"rollout_id: {rollout_id!r} is not the id of a roll-out (16 hexadecimal digits)")
    return rollout_id


def _check(rollout: Rollout, params: dict[str, Any], warn: Callable[[str], None]) -> dict[str, Any]:
    earlier = rollout.earlier()
    tell(earlier, "a run without check mode will roll it back", warn)
    return _result(_plan(params), earlier, warn)


def _apply(rollout: Rollout, params: dict[str, Any], warn: Callable[[str], None]) -> dict[str, Any]:
    rollout_id, timeout = _rollout_id(params), params["confirm_timeout"]
    caller = ManagingConnection.from_params(params).caller(timeout)
    if params["state"] == "absent" and not rollout.folder.path.exists():
        plan = _plan(params)  # for nothing to take away no folder is made, either
        if not plan.changes:
            return _result(plan, None, warn)
    with rollout.turn():
        earlier = rollout.earlier()
        rollout.settle()
        tell(earlier, "it has now been rolled back", warn)
        try:
            plan = _plan(params)
            result = _result(plan, earlier, warn)
            if plan.changes:
                result.update(rollout.start(rollout_id, plan.changes, timeout, plan.sshd, caller=caller))
                result.update(rollout_id=rollout_id, confirm_timeout=timeout)
        except FleetMfaError as error:
            if not _waits(earlier):
                raise
            raise PartlyDoneError(f"{error}. Before that, the earlier roll-out was rolled back") from error
    return result


def _waits(earlier: dict | None) -> bool:
    """Whether files of an earlier roll-out are in place that a run puts back before anything else."""
    return earlier is not None and earlier["outcome"] == "waiting"


def _result(plan: Plan, earlier: dict | None, warn: Callable[[str], None]) -> dict[str, Any]:
    for note in (note for service in plan.facts["pam"] for note in service.get("notes", ())):
        warn(note)
    return {
        "changed": bool(plan.changes) or _waits(earlier),
        "diff": [change.diff() for change in plan.changes],
        "files": [change.path for change in plan.changes],
        "earlier_rollout": earlier,
        **plan.facts,
    }


def _plan(params: dict[str, Any]) -> Plan:
    """Everything checked, nothing done. PAM before sshd on the way in, after it on the way out: sshd sends nobody to lines
    that are not there."""
    check_ranges(params)
    coming: list[FileChange] = []
    going: list[FileChange] = []
    services: list[dict[str, Any]] = []
    for entry in params["pam"]:
        wish = cast(PamWish, _wish(entry, params))
        if wish["state"] == "present" and not wish["content"]:
            raise FleetMfaError(
                f"pam: service {wish['service']} has no content; give the PAM lines that ask for the token"
            )
        planned = plan_pam_totp(wish)
        change = planned.change
        (coming if wish["state"] == "present" else going).append(change)
        services.append({"service": wish["service"], "path": change.path, **planned.facts})
    checks = {change.path: change for change in _plan_account_check(params, [*coming, *going])}
    coming = [*(checks.pop(change.path, change) for change in coming)]
    going = [*(checks.pop(change.path, change) for change in going)]
    sshd, binary = _plan_sshd(params, [*coming, *going])
    changes = [change for change in [*coming, *checks.values(), *sshd, *going] if change.changed]
    if changes and params["state"] == "present":
        _refuse_lock_out(changes, params)
    return Plan(changes, _to_reload(params, changes, sshd, binary), {"pam": services})


def _plan_account_check(params: dict[str, Any], planned: list[FileChange]) -> list[FileChange]:
    """Lines that a call does not speak of stay, in a service that is written anew too (`plan_pam_totp`)."""
    wish = params["account_check"]
    if wish is None and params["state"] == "present":
        return []
    if wish is None or "absent" in (wish["state"], params["state"]):
        confdir = wish["confdir"] if wish else _confdir(params)
        return plan_account_check(confdir, [], None, planned)
    lines = account_lines(wish["services"], f"{params['state_dir']}/enforced", wish["guard"])
    return plan_account_check(wish["confdir"], wish["services"], lines, planned)


def _confdir(params: dict[str, Any]) -> str:
    """One host has one folder; another than its own is a host that is only tried out."""
    return params["pam"][0]["confdir"] if params["pam"] else DEFAULT_CONFDIR


def _refuse_lock_out(changes: list[FileChange], params: dict[str, Any]) -> None:
    refuse_enforced_connection(ManagingConnection.from_params(params), params)
    if params["sshd"] is not None:
        refuse_nobody_left(changes, params)


def _plan_sshd(params: dict[str, Any], pam: list[FileChange]) -> tuple[list[FileChange], str | None]:
    """The changes, and the sshd that was asked about them: the same one is asked again before it is reloaded."""
    if params["sshd"] is None:
        return [], None
    planned = {change.path: None if change.after is None else _text(change.after) for change in pam}
    config = PamConfig(_confdir(params), planned)
    asked_of = params["group"] if pam else None

    def services(bare: PolicyReader) -> PamServices:
        return PamServices(config, BaseServices(bare), asked_of)

    changes, sshd = plan_sshd_totp(cast(SshdWish, _wish(params["sshd"], params)), Surroundings(pam=services))
    return changes, sshd.binary


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _wish(entry: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """An entry with what is said once for all; what the roll-out takes away, each entry takes away."""
    state = "absent" if params["state"] == "absent" else entry["state"]
    return {**{name: params[name] for name in _COMMON}, **entry, "state": state}


def _to_reload(
    params: dict[str, Any], changes: list[FileChange], sshd: list[FileChange], binary: str | None
) -> SshdToReload | None:
    """PAM reads its files at each login; sshd has to be told."""
    if not any(change in sshd for change in changes):
        return None
    return {"config": params["sshd"]["config"], "binary": binary}
