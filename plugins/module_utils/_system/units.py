# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Units of systemd that run and start at boot, or do neither. Private to the collection."""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.commands import run, succeeds
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.systemd import is_running

_ON = ("active", "enabled")
_STARTED = (*_ON, "activating")


def units_to_start(units: list[str]) -> list[str]:
    """Those that do not run, or would not start at boot."""
    if units and not is_running():
        raise FleetMfaError(
            "units: systemd does not run on this host, so none can be started; give none (role mfa: mfa_enrollment: false)"
        )
    return [unit for unit, state in _states(units) if state != _ON]


def units_to_stop(units: list[str]) -> list[str]:
    """Those that run, are just being started, or would start at boot."""
    return [unit for unit, state in _states(units) if set(state) & set(_STARTED)] if is_running() else []


def _states(units: list[str]) -> list[tuple[str, tuple[str, str]]]:
    """Each with its ActiveState and UnitFileState; they are inactive and empty if there is no such unit."""
    if not units:
        return []
    shown = _systemctl("show", "--property=ActiveState,UnitFileState", "--", *units).split("\n\n")
    values = [dict(line.partition("=")[::2] for line in lines.splitlines()) for lines in shown]
    return [(unit, (one["ActiveState"], one["UnitFileState"])) for unit, one in zip(units, values)]


def start_units(units: list[str], restart: bool) -> None:
    """Enables and starts them, as their files are now; those that run are restarted only if wanted."""
    if units:
        _systemctl("daemon-reload")
        _systemctl("enable", "--quiet", "--", *units)
        _systemctl("restart" if restart else "start", "--", *units)


def stop_units(units: list[str]) -> None:
    if units:
        _systemctl("disable", "--quiet", "--now", "--", *units)


def forget_units(units: list[str]) -> None:
    """After their files were removed. A failed unit would otherwise be listed until the next boot."""
    if units and is_running():
        _systemctl("daemon-reload")
        for unit in units:
            succeeds("systemctl", "reset-failed", "--", unit)  # no success if it is not known any more


def _systemctl(*arguments: str) -> str:
    done = run("systemctl", *arguments)
    if done.code != 0:
        raise FleetMfaError(f"systemctl {' '.join(arguments)}: {done.said or f'exit status {done.code}'}")
    return done.output
