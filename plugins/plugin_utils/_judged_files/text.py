# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The verdicts in words: the last lines of a run. Private to the collection."""

from __future__ import annotations

from typing import Iterator, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import ANY_USER
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.verdict import LoginStep
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.wanted import ComparedUsers

_MOST = 10


def summary(found: Sequence[ComparedUsers], folder: str, version: tuple[int, int], group: str) -> str:
    """One line for a folder that is as wanted; otherwise what is not, and where."""
    differ = [one for one in found if not one.ok]
    judged_by = f"{folder} (enforced group {group}, judged with OpenSSH {version[0]}.{version[1]})"
    if not differ:
        told = "; ".join(
            f"{one.judged.users}: {'denied' if one.judged.denied else _said(one)}" for one in found[:_MOST]
        )
        return f"All {len(found)} classes of users are as wanted in {judged_by}: {told}" + _more(len(found))
    head = f"{len(differ)} of {len(found)} classes of users are not as wanted in {judged_by}"
    lines = [line for one in differ[:_MOST] for line in _lines(one)]
    return "\n".join([head, *lines]) + _more(len(differ))


def _said(one: ComparedUsers) -> str:
    seconds = one.judged.remembered_seconds
    return one.judged.verdict + (f" (a token is remembered for {seconds} seconds)" if seconds else "")


def _more(number: int) -> str:
    return f"\nand {number - _MOST} more" if number > _MOST else ""


def _lines(one: ComparedUsers) -> Iterator[str]:
    yield f"{one.judged.users}: {one.judged.verdict}, wanted: {one.wish}"
    yield from (f"  {line}" for line in details(one))


def details(one: ComparedUsers) -> list[str]:
    """The lines that decide, a login or the reason why there is none, and the remedy."""
    steps = [f"{number}. {_step(step)}" for number, step in enumerate(one.judged.counterexample, 1)]
    reason = [one.judged.reason] if one.judged.reason else []
    return [*one.judged.where, *steps, *reason, f"Remedy: {one.remedy}"]


def _step(step: LoginStep) -> str:
    line = f", {step['line']}" if step["line"] else ""
    prompt = f", asks {step['prompt']!r}" if step["prompt"] else ""
    answer = f", given {step['answer']}" if step["answer"] else ""
    return f"{step['method']}{line}{prompt}{answer}: {step['effect'].replace(ANY_USER.name, 'one of them')}"
