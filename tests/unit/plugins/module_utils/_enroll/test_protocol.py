# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What no type can hold together: the words of the protocol against the desk, the dialogue and the role's template."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.protocol import REQUESTS, SOCKET, Reason, Status
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.desk import Desk
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.dialogue import refusal_text
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.user.door import Door, Refused
from ansible_collections.fleetmfa.ssh.tests.support.enrollment_host import policy, provision

FILES = Path(__file__).parents[5] / "roles/mfa/files"


@pytest.mark.parametrize("side", [Desk, Door])
@pytest.mark.parametrize("request_name", sorted(REQUESTS))
def test_both_sides_know_each_request_and_its_values(side, request_name):
    _self, *parameters = inspect.signature(getattr(side, request_name)).parameters.values()
    values = [one.name for one in parameters if one.default is inspect.Parameter.empty]
    assert tuple(values) == REQUESTS[request_name]


@pytest.mark.parametrize("reason", get_args(Reason))
def test_each_refusal_has_words_for_the_user(reason):
    assert f"({reason})" not in refusal_text(Refused(reason, 60)), "only a reason without words is shown as it is"


def test_the_status_is_what_it_is_said_to_be(tmp_path, accounts):
    provision(tmp_path, "alice")
    assert set(Desk(policy(tmp_path), "alice").status()) == set(Status.__annotations__)


def test_systemd_opens_the_socket_that_the_program_connects_to():
    assert f"ListenStream={SOCKET}\n" in (FILES / "etc/systemd/system/fleetmfa-enroll.socket").read_text()
