# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Plans the files of a roll-out, PAM and sshd together: proven, and nothing is changed. Private to the collection."""

from __future__ import annotations

from typing import NamedTuple, Sequence, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import account_lines, plan_account_check
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import DEFAULT_CONFDIR, PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.own_services import own_services
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PamEntry, PamWish
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.texts import texts_after
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.pam_service import PamServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.token_services import ServiceReport, plan_services
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.record import SshdToReload
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import (
    SshdEntry,
    SshdWish,
    Surroundings,
    plan_sshd_totp,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange


class AccountCheckWish(TypedDict):
    """Lines of the account check, as Ansible passes them; services and guard may be None if state is absent."""

    state: str
    services: list[str]
    guard: str
    confdir: str


class FilesWish(TypedDict):
    """What a roll-out is to write; the names are those of the options of module totp_rollout."""

    state: str  # present or absent
    pam: list[PamEntry]
    account_check: AccountCheckWish | None
    sshd: SshdEntry | None
    group: str
    exempt_users: list[str]
    exempt_groups: list[str]
    state_dir: str


class PlannedFiles(NamedTuple):
    """`sshd` is the one to reload, None if no file of it changes."""

    changes: list[FileChange]
    sshd: SshdToReload | None
    services: list[ServiceReport]
    wishes: list[PamWish]


def plan_files(wish: FilesWish, surroundings: Surroundings | None = None) -> PlannedFiles:
    """The changes, in the order in which they are made. `surroundings` are by default this machine's; their `pam` is set here.

    PAM is changed before sshd when lines are added, and after it when they are removed: sshd never sends anybody to
    lines that do not exist.
    """
    wishes = _wishes(wish)
    coming, going, services = plan_services(wishes)
    checks = {change.path: change for change in _plan_account_check(wish, [*coming, *going])}
    coming = [*(checks.pop(change.path, change) for change in coming)]
    going = [*(checks.pop(change.path, change) for change in going)]
    sshd_changes, sshd = _plan_sshd(wish, [*coming, *going], surroundings or Surroundings())
    changes = [change for change in [*coming, *checks.values(), *sshd_changes, *going] if change.changed]
    return PlannedFiles(changes, sshd if any(change in sshd_changes for change in changes) else None, services, wishes)


def planned_pam(confdir: str, changes: Sequence[FileChange]) -> PamConfig:
    """The services as they will be."""
    return PamConfig(confdir, texts_after({change.path: change.after for change in changes}))


def confdir_of(wish: FilesWish) -> str:
    """A real host has only one folder; any other folder is a host that is only being tried out."""
    return wish["pam"][0]["confdir"] if wish["pam"] else DEFAULT_CONFDIR


def _plan_account_check(wish: FilesWish, planned: list[FileChange]) -> list[FileChange]:
    """If a call does not mention the lines, they stay, even in a service that is rewritten (`plan_pam_totp`)."""
    check = wish["account_check"]
    if check is None and wish["state"] == "present":
        return []
    if check is None or "absent" in (check["state"], wish["state"]):
        confdir = check["confdir"] if check else confdir_of(wish)
        return plan_account_check(confdir, [], None, planned)
    lines = account_lines(check["services"], f"{wish['state_dir']}/enforced", check["guard"])
    return plan_account_check(check["confdir"], check["services"], lines, planned)


def _plan_sshd(
    wish: FilesWish, pam: list[FileChange], surroundings: Surroundings
) -> tuple[list[FileChange], SshdToReload | None]:
    """The changes, and the sshd that checked them: the same one checks again before it is reloaded."""
    entry = wish["sshd"]
    if entry is None:
        return [], None
    config = planned_pam(confdir_of(wish), pam)
    asked_of = wish["group"] if pam else None

    def services(bare: PolicyReader) -> PamServices:
        return PamServices(config, BaseServices(bare), asked_of)

    changes, sshd = plan_sshd_totp(_sshd_wish(entry, wish), surroundings._replace(pam=services))
    return changes, {"config": entry["config"], "binary": sshd.binary}


def _wishes(wish: FilesWish) -> list[PamWish]:
    """If the whole roll-out is being removed, so are lines of role mfa in services that are not named, such as one no longer in use."""
    wishes = [_pam_wish(entry, wish) for entry in wish["pam"]]
    if wish["state"] == "absent":
        confdir, named = confdir_of(wish), {one["service"] for one in wishes}
        wishes += [_removal(service, confdir, wish) for service in own_services(confdir) if service not in named]
    return wishes


def _removal(service: str, confdir: str, wish: FilesWish) -> PamWish:
    return {
        "service": service,
        "state": "absent",
        "content": None,
        "own_service": False,
        "base_service": "sshd",
        "guard": None,
        "token_alone": True,
        "require_installed": False,
        "after_password": False,
        "asks_again": False,
        "remember_seconds": 0,
        "confdir": confdir,
        "group": wish["group"],
    }


def _pam_wish(entry: PamEntry, wish: FilesWish) -> PamWish:
    return {**entry, "state": _state(entry["state"], wish), "group": wish["group"]}


def _sshd_wish(entry: SshdEntry, wish: FilesWish) -> SshdWish:
    return {
        **entry,
        "state": _state(entry["state"], wish),
        "group": wish["group"],
        "exempt_users": wish["exempt_users"],
        "exempt_groups": wish["exempt_groups"],
    }


def _state(of_entry: str, wish: FilesWish) -> str:
    """If the whole roll-out is being removed, each entry is too."""
    return "absent" if wish["state"] == "absent" else of_entry
