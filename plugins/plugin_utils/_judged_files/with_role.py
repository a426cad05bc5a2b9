# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What role mfa would change in a folder that is laid out like /etc: planned by the code that plans a roll-out on a host. Private."""

from __future__ import annotations

import os
from typing import Iterable, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import DEFAULT_PATH
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.own_services import own_services
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.plan import PamEntry
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy import bare_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.planned_files import (
    AccountCheckWish,
    FilesWish,
    plan_files,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.pam_service import BaseServices
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import (
    ANY_USER,
    DROPIN,
    SshdEntry,
    Surroundings,
    bare_config,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder, FolderFiles
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.pam_files import FolderPam
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.people import (
    OTHER,
    FleetGroups,
    representatives,
)


class FolderPolicy(TypedDict):
    """What module sshd_files_info returns: what sshd_policy_info returns of a host, as far as role mfa renders its files of it."""

    openssh_version: list[int]
    capabilities: dict[str, bool]
    baseline: dict[str, str]
    pam_services: list[str]
    pam_rules_by_name: list[str]
    own_pam_services: list[str]
    token_module: None


class RoleRollout(TypedDict):
    """Options of module totp_rollout, as role mfa gives them."""

    pam: list[PamEntry]
    account_check: AccountCheckWish | None
    sshd: SshdEntry


def folder_policy(folder: EtcFolder, fleet: FleetGroups, binary: str | None) -> FolderPolicy:
    """Without the files of role mfa, if the folder has them. Raises FleetMfaError if anything is missing, or sshd rejects the files."""
    main, sshd = folder.sshd_config(), Sshd(binary, for_other_hosts=True)
    config = bare_config(sshd, main, _dropin(folder), FolderFiles(folder))
    with PolicyReader(sshd, config) as bare, FolderPam(folder) as pam:
        complaint = bare.complaint()
        if complaint:
            raise FleetMfaError(f"{main}: sshd rejects it: {complaint}")
        services = BaseServices(bare).all([*_accounts(config, fleet), ANY_USER])
        for service in services:
            pam.require(service)
        _refuse_whole_paths(pam, services)
        return {
            "openssh_version": list(sshd.version),
            "capabilities": bare_policy.capabilities(sshd),
            "baseline": bare_policy.baseline(bare),
            "pam_services": services,
            "pam_rules_by_name": bare_policy.pam_rules_by_name(PamConfig(pam.confdir), services),
            "own_pam_services": own_services(pam.confdir),
            "token_module": None,
        }


def role_changes(folder: EtcFolder, fleet: FleetGroups, binary: str | None, rollout: RoleRollout) -> list[FileChange]:
    """Raises FleetMfaError if a run of the role would be refused."""
    confdir, check = folder.inside("pam.d"), rollout["account_check"]
    with FolderPam(folder) as pam:
        _refuse_whole_paths(pam, (entry["service"] for entry in rollout["pam"]))
    wish: FilesWish = {
        "state": "present",
        "pam": [{**entry, "confdir": confdir, "require_installed": False} for entry in rollout["pam"]],
        "account_check": {**check, "confdir": confdir} if check else None,
        "sshd": {
            **rollout["sshd"],
            "dropin": _dropin(folder),
            "config": folder.sshd_config(),
            "binary": binary,
        },
        "group": fleet.group,
        "exempt_users": sorted(fleet.exempt_users),
        "exempt_groups": [],  # nobody whom _accounts() returns is a member of one
        "state_dir": DEFAULT_PATH,
    }
    surroundings = Surroundings(
        accounts=lambda config, _group: _accounts(config, fleet),
        running=lambda _main: [],
        files=FolderFiles(folder),
        for_other_hosts=True,
    )
    try:
        return plan_files(wish, surroundings).changes
    except FleetMfaError as error:
        raise FleetMfaError(f"role mfa would refuse to change {folder.path}: {error}") from error


def _dropin(folder: EtcFolder) -> str:
    return folder.inside(os.path.relpath(DROPIN, "/etc"))


def _accounts(config: SshdConfig, fleet: FleetGroups) -> list[Account]:
    """One account for each class of users who are not exempt; none is enforced yet."""
    return [one.account for one in representatives(config, fleet) if one.kind == OTHER]


def _refuse_whole_paths(pam: FolderPam, services: Iterable[str]) -> None:
    """The plan of a roll-out would read the file of this machine."""
    for service in services:
        pam.lines(service)
    for path in sorted(pam.whole_paths):
        raise FleetMfaError(
            f"a service in {pam.confdir} includes {path} by its whole path; include {os.path.basename(path)}, which is the same on hosts, "
            "or judge the folder without role mfa"
        )
