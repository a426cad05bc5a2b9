# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Turns the desired state of a PAM service (module pam_totp, and an entry of totp_rollout) into a proven plan.
Private."""

from __future__ import annotations

from typing import Mapping, NamedTuple, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam import service as pam_service
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import with_kept_account_check
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_plan import plan_door
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.door_services import refuse_unsuitable
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.proof import Demand, host_asks, prove_token_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prover import Verdict
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import texts_after
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import DEFAULT_GROUP
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange

PAM_TOTP_SPEC = {
    "service": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "content": {"type": "str"},
    "own_service": {"type": "bool", "default": False},
    "base_service": {"type": "str", "default": "sshd"},
    "group": {"type": "str", "default": DEFAULT_GROUP},
    "guard": {"type": "path"},
    "token_alone": {"type": "bool", "default": True},
    "require_installed": {"type": "bool", "default": True},
    "after_password": {"type": "bool", "default": False},
    "asks_again": {"type": "bool", "default": False},
    "remember_seconds": {"type": "int", "default": 0},
    "confdir": {"type": "path", "default": "/etc/pam.d"},
}


class PamEntry(TypedDict):
    """The options above, as Ansible passes them, except the group: an entry of totp_rollout."""

    service: str
    state: str  # present or absent
    content: str | None  # the token lines; required if they should be present
    own_service: bool
    base_service: str
    guard: str | None
    token_alone: bool
    require_installed: bool
    after_password: bool
    asks_again: bool
    remember_seconds: int
    confdir: str


class PamWish(PamEntry):
    """All of the options above."""

    group: str


class ProvenFacts(TypedDict, total=False):
    """What a module returns about the proof; empty if lines are removed."""

    ways_in: list[list[str]]
    unknown_modules: list[str]
    notes: list[str]


class PamPlan(NamedTuple):
    """A change of a service file and, if lines are added, what was proven and what the operator should know."""

    change: FileChange
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> ProvenFacts:
        if self.verdict is None:
            return {}
        return {
            "ways_in": self.verdict.ways_in,
            "unknown_modules": self.verdict.unknown_modules,
            "notes": list(self.notes),
        }


def plan_pam_totp(wish: PamWish, planned: Mapping[str, bytes | None] | None = None) -> PamPlan:
    """The proven change. Raises FleetMfaError if it must not be made.

    `planned` are files that are changed at the same time, by path, and what they will contain.
    """
    confdir, service = wish["confdir"], wish["service"]
    if wish["state"] == "absent":
        return PamPlan(pam_service.plan_removal(confdir, service))
    if wish["after_password"]:
        return _plan_door(wish, planned or {})
    if wish["own_service"]:
        _refuse_unusable_base(wish)
    plan = pam_service.plan_own_service if wish["own_service"] else pam_service.plan_block
    change, demand = plan(confdir, service, wish["content"] or ""), _demand(wish)
    verdict, notes = prove_token_lines(change, demand), host_asks(change, demand)
    return PamPlan(with_kept_account_check(change), verdict, notes)


def _plan_door(wish: PamWish, planned: Mapping[str, bytes | None]) -> PamPlan:
    if wish["own_service"]:
        raise FleetMfaError(
            f"option 'own_service': only sshd sends users to a separate service; leave it out for {wish['service']} "
            "(option after_password)"
        )
    refuse_unsuitable(wish["service"], wish["asks_again"])
    demand = _demand(wish, planned)
    change, verdict = plan_door(demand)
    return PamPlan(with_kept_account_check(change), verdict, host_asks(change, demand))


def _demand(wish: PamWish, planned: Mapping[str, bytes | None] | None = None) -> Demand:
    return Demand(
        service=wish["service"],
        confdir=wish["confdir"],
        content=wish["content"] or "",
        group=wish["group"],
        own_service=wish["own_service"],
        base_service=wish["base_service"],
        guard=wish["guard"],
        token_alone=wish["token_alone"] and not wish["after_password"],
        require_installed=wish["require_installed"],
        after_password=wish["after_password"],
        remember_seconds=wish["remember_seconds"],
        others=texts_after(planned or {}),
    )


def _refuse_unusable_base(wish: PamWish) -> None:
    confdir, base = wish["confdir"], wish["base_service"]
    path = pam_service.service_path(confdir, base)
    if base == wish["service"]:
        raise FleetMfaError(
            f"option 'base_service': {base} is the new service itself; name the one that users have without it, or "
            "choose another name in option 'service'"
        )
    found = PamConfig(confdir).find_file(base)
    if found is not None and found[0] != path:
        # sshd finds it there, but an include of Debian's libpam only searches /etc/pam.d, and then denies.
        raise FleetMfaError(
            f"option 'base_service': PAM service {base} is {found[0]}, where an include may not find it; copy it to "
            f"{confdir}"
        )
    if found is None:
        raise FleetMfaError(
            f"option 'base_service': there is no PAM service {base} in {confdir}, so sshd falls back to `other`; "
            "create it, or fix PAMServiceName in sshd_config"
        )
