# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Programs that ask for passwords and tokens: what they told, as `told` returns it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORY = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "inventory" / "lab.yml"


@pytest.fixture
def pkexec(terminal):
    """pkexec(caller, administrator, answer, ...), with polkit's agent for terminals: the one of pkexec 122 itself fails for everybody
    ("No session for cookie")."""

    def pkexec(caller, administrator, *answers):
        command = "pkttyagent --process $$ & sleep 1; pkexec sh -c 'echo ran-as=$(id -un)'; true"
        return terminal(caller, command, administrator, *answers)

    return pkexec


@pytest.fixture
def cockpit(told):
    return lambda user, *answers: told(SCENARIO / "cockpit.py", {"user": user, "answers": answers})


@pytest.fixture
def cockpit_page(server, told):
    """The same with a browser, which one host has."""
    if server.name != "debian13":
        pytest.skip("the browser is on debian13")
    return lambda user, *answers: told(SCENARIO / "cockpit_page.py", {"user": user, "answers": answers})


@pytest.fixture
def lightdm(told):
    return lambda user, *answers: told(SCENARIO / "greeter.py", {"user": user, "answers": answers})


@pytest.fixture
def gdm(terminal):
    """GDM's PAM service, asked by pamtester."""
    command = "pamtester gdm-password {0} authenticate acct_mgmt && echo ran-as={0}"
    return lambda user, *answers: terminal("root", command.format(user), *answers)


@pytest.fixture
def xrdp(server, terminal):
    """xrdp's session manager, asked by its program for terminals; that of 0.9 does not find it by itself, and never fails."""
    option = "-s 127.0.0.1" if server.name == "debian12" else ""
    command = "xrdp-sesrun -t Xvnc {0} {1} | grep '^ok ' && echo ran-as={1}"
    return lambda user, *answers: terminal("root", command.format(option, user), *answers)


@pytest.fixture
def site(server):
    """Runs `site` against this server with other services. Returns whether it succeeded, and its output in one line."""

    def run(services, tried=()):
        variables = {"mfa_services": services, "mfa_services_tried": list(tried), "target": server.name}
        command = ["ansible-playbook", "-i", str(INVENTORY), "-e", json.dumps(variables), "converge.yml"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=SCENARIO, check=False)
        return done.returncode == 0, " ".join((done.stdout + done.stderr).split())

    return run
