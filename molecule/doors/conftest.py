# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Programs that ask for passwords and tokens, each on a terminal of its own on the host."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

_TERMINAL = (Path(__file__).parent / "terminal.py").read_text()


class Told(NamedTuple):
    """The prompts in turn, P for a password and T for a token, and as whom the command ran ("" if it did not)."""

    prompts: str
    ran_as: str


@pytest.fixture
def terminal(root):
    """terminal(user, command, answer, ...): the command as this user, whose prompts are answered in turn."""

    def run(user, command, *answers):
        given = shlex.quote(json.dumps({"user": user, "command": command, "answers": answers}))
        told = json.loads(root.run_expect([0], f"python3 - {given} <<'END'\n{_TERMINAL}\nEND\n").stdout)
        print(told)  # pytest shows it if the test fails
        return Told(told["prompts"], told["ran_as"])

    return run


@pytest.fixture
def su(terminal):
    def su(caller, target, *answers, options=""):
        return terminal(caller, f"su {options} {target} -c 'echo ran-as=$(id -un)'", *answers)

    return su


@pytest.fixture
def sudo(terminal):
    def sudo(caller, *answers, options=""):
        return terminal(caller, f"sudo {options} sh -c 'echo ran-as=$(id -un)'", *answers)

    return sudo


@pytest.fixture
def console(terminal):
    """login(1), as getty starts it."""

    def console(user, *answers):
        return terminal("root", f"login {user}", *answers)

    return console
