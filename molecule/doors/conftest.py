# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Programs that ask for passwords and tokens, each on a terminal of its own on the host: what they told, as `terminal` returns it."""

from __future__ import annotations

import pytest


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
