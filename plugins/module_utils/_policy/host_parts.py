# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module totp_host does on a host: up to five parts, each as the module of its own would do it. Private.

A part that has begun a roll-out ends the call: only the controller can confirm it, through a new login. It then calls the
module again with the parts that are left.
"""

from __future__ import annotations

import functools
import secrets
from typing import Any, Callable, Iterable, Mapping, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, MfaHost
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enforcing import CONFIRMED_ARGUMENTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.enrolling import ENROLLMENT_ARGUMENTS, Enrolling
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import ManagingConnection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.parts import PARTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.provisioning import (
    KEYS_ARGUMENTS,
    Provisioning,
    check_choices,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.rollout import (
    CONFIRM_WITHOUT_LOGIN,
    ROLLOUT_ARGUMENTS,
    Call,
    run_phase,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.security_key_users import (
    SECURITY_KEYS_ARGUMENTS,
    SecurityKeyUsers,
    options_of_keys,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.installed_files import FILES_ARGUMENT, install_files
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.steps import Step, run_steps

TOTP_HOST_SPEC: dict[str, Any] = {
    **HOST_ARGUMENTS,
    **CONFIRMED_ARGUMENTS,
    "confirm_without_login": CONFIRM_WITHOUT_LOGIN,
    "provisioning": {
        "type": "dict",
        "options": {**KEYS_ARGUMENTS, "security_key_users": {"type": "list", "elements": "str", "no_log": False}},
    },
    "programs": {"type": "dict", "options": {"files": FILES_ARGUMENT}},
    "rollout": {"type": "dict", "options": ROLLOUT_ARGUMENTS},
    "security_keys": {"type": "dict", "options": SECURITY_KEYS_ARGUMENTS, "no_log": False},
    "enrollment": {"type": "dict", "options": ENROLLMENT_ARGUMENTS},
}


class HostCall(NamedTuple):
    """One call: its options as Ansible passes them, and with those of the host settled. `hide` is told each secret before
    anything can fail."""

    given: Any
    options: Mapping[str, Any]
    connection: ManagingConnection
    warn: Callable[[str], None]
    hide: Callable[[Iterable[str]], None]
    check_mode: bool


class PartsRun:
    """`results` gets what each part that was done has returned, also if a later one fails."""

    def __init__(self, call: HostCall, results: dict[str, dict[str, Any]]):
        self._call, self._results = call, results

    def run(self) -> None:
        if self._call.options["security_keys"] is not None:
            self._users_of_security_keys().refuse(keys_follow=self._call.options["provisioning"] is not None)
        steps = [
            Step(words, functools.partial(self._do, part))
            for part, words in PARTS.items()
            if self._call.options[part] is not None
        ]
        if not self._call.check_mode:
            return run_steps(steps)
        for step in steps:  # an error must not say that anything was done
            step.run()
        return None

    @property
    def _waits(self) -> bool:
        return any("rollout_id" in result for result in self._results.values())

    def _do(self, part: str) -> bool:
        if self._waits:
            return False
        options = self._call.options[part]
        do = {
            "provisioning": self._provisioning,
            "programs": self._programs,
            "rollout": self._rollout,
            "security_keys": lambda _options: self._users_of_security_keys().run(self._call.check_mode),
            "enrollment": self._enrollment,
        }
        result = self._results[part] = {**do[part](options)}
        return bool(result["changed"])

    def _provisioning(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        call = self._call
        wanted: Any = {**call.options, **options}
        check_choices(wanted)
        leavers: list[str] = []
        if options["security_key_users"] is not None:
            wanted, leavers = options_of_keys(wanted, options["security_key_users"])
        host = MfaHost.from_options(wanted, given=call.given)
        keys = Provisioning(host, wanted, call.connection, call.warn, call.hide, also_judged=leavers)
        return keys.run(call.check_mode)

    def _programs(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        return install_files(options["files"], [], self._call.check_mode)

    def _rollout(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        call = self._call
        new = {"state": "present", "phase": "apply", "rollout_id": secrets.token_hex(8)}
        wanted: Any = {**call.options, **options, **new}
        return run_phase(Call(wanted, call.connection, call.warn), call.check_mode)

    def _users_of_security_keys(self) -> SecurityKeyUsers:
        call, options = self._call, self._call.options
        settled: Any = options
        return SecurityKeyUsers(options["security_keys"], settled, call.connection, call.warn)

    def _enrollment(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        wish: Any = options
        return Enrolling(wish, self._call.check_mode).run()
