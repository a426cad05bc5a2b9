# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A change in several steps that, if one fails, reports what was done and what was not. Private to the collection."""

from __future__ import annotations

from typing import Callable, Iterable, NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError, PartlyDoneError

_SHOWN = 10


class Step(NamedTuple):
    """Its description, without secrets, and a function; `run` returns False if there was nothing to change."""

    words: str
    run: Callable[[], bool | None]


def run_steps(steps: Iterable[Step]) -> None:
    """Perform the steps in order. An error says which were done, which were not, and that another run continues."""
    left = list(steps)
    done: list[Step] = []
    while left:
        try:
            changed = left[0].run()
        except (FleetMfaError, OSError) as error:
            if not done and not getattr(error, "changed", False):
                raise error if isinstance(error, FleetMfaError) else FleetMfaError(str(error)) from error
            raise PartlyDoneError(
                f"{error}. Done before that: {_listed(done)}. Not done: {_listed(left)}. Fix the problem and run "
                "again to do the rest"
            ) from error
        step = left.pop(0)
        if changed is not False:
            done.append(step)


def _listed(steps: list[Step]) -> str:
    more = f" and {len(steps) - _SHOWN} more" if len(steps) > _SHOWN else ""
    return (", ".join(step.words for step in steps[:_SHOWN]) or "nothing") + more
