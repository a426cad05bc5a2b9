# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The policy file as the role writes it, and an open door."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import jinja2
import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.service import serve
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import OpenDoor, provision

TEMPLATE = Path(__file__).parents[5] / "roles/mfa/templates/etc/fleetmfa/policy.conf.j2"
VARIABLES = {
    "ansible_managed": "Ansible managed",
    "mfa__state_dir": "/var/lib/fleetmfa",
    "mfa__overdue_group": "mfa-overdue",
    "mfa_group": "mfa-enforced",
    "mfa_users": "all",
    "mfa_exempt_users": [],
    "mfa__sshd": {"cannot_answer": []},
    "mfa_exempt_groups": [],
    "mfa_issuer": "SSH",
    "mfa_period": 30,
    "mfa_window": 3,
    "mfa_rate_limit_attempts": 3,
    "mfa_rate_limit_seconds": 30,
    "mfa_recovery_codes": 5,
    "mfa_enrollment_start": "",
    "mfa_enrollment_days": 7,
    "mfa_enrollment_overdue": "allow",
    "mfa_enrollment_extensions": {},
}


@pytest.fixture
def render(tmp_path):
    """render(mfa_issuer="Example") -> path of the policy file that the role would write."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters["comment"] = lambda text: f"# {text}\n"

    def render_(**changed):
        path = tmp_path / "policy.conf"
        given = {**VARIABLES, **changed}
        settings = {name[4:]: value for name, value in given.items() if not name.startswith("mfa__")}
        path.write_text(environment.from_string(TEMPLATE.read_text()).render({**given, "mfa__set": settings}))
        return str(path)

    return render_


@pytest.fixture
def door(tmp_path, accounts, render):
    """The path of an open door of a host where alice and bob have pending keys."""
    accounts.add_group("mfa-enforced")
    provision(tmp_path, "alice", "bob")
    policy = render(mfa__state_dir=str(tmp_path / "state"))
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is closed to other users
        os.chmod(folder, 0o755)  # noqa: S103
        path = f"{folder}/socket"
        opened = OpenDoor(path, lambda connection: serve(connection, policy))
        yield path
        opened.close()
