# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What module host_files does: writes a set of files and starts units, or stops those and removes the files. Private."""

from __future__ import annotations

from typing import Any, TypedDict

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.file_set import (
    HOST_FILE,
    FileWish,
    apply_host_files,
    plan_host_files,
    shown_diff,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import FileChange
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.units import (
    forget_units,
    start_units,
    stop_units,
    units_to_start,
    units_to_stop,
)

FILES_ARGUMENT: dict[str, Any] = {"type": "list", "elements": "dict", "required": True, "options": HOST_FILE}
UNITS_ARGUMENT: dict[str, Any] = {"type": "list", "elements": "str", "default": []}


class FilesResult(TypedDict):
    changed: bool
    paths: list[str]
    units: list[str]
    diff: list[dict[str, str]]


def install_files(files: list[FileWish], units: list[str], check_mode: bool) -> FilesResult:
    """Writes the files, then starts the units."""
    changes = plan_host_files(files, present=True)
    restart = any(change.changed for change, wish in zip(changes, files) if wish["restart"])
    not_running = units_to_start(units)
    starting = units if restart else not_running
    if not check_mode:
        apply_host_files(changes)
        try:
            start_units(starting, restart)
        except FleetMfaError as error:
            raise PartlyDoneError(
                f"the files are written, but a unit was not started: {error}; fix the cause, and run again"
            ) from None
    return _result(changes, starting)


def remove_files(files: list[FileWish], units: list[str], check_mode: bool) -> FilesResult:
    """Stops the units, then removes the files."""
    changes = plan_host_files(files, present=False)
    stopping = units_to_stop(units)
    if not check_mode:
        stop_units(stopping)
        apply_host_files(changes)
        if stopping or any(change.changed for change in changes):
            forget_units(units)
    return _result(changes, stopping)


def _result(changes: list[FileChange], units: list[str]) -> FilesResult:
    changed = [change for change in changes if change.changed]
    return {
        "changed": bool(changed or units),
        "paths": [change.path for change in changed],
        "units": units,
        "diff": shown_diff(changed),
    }
