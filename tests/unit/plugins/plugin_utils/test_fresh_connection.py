# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The second connection has the first one's options and none of its sockets. That it logs in is for Molecule."""

from __future__ import annotations

import contextlib
from pathlib import Path
from unittest import mock

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._fresh_connection import (
    answers_token_prompt,
    fresh_connection,
    logs_in,
)


@contextlib.contextmanager
def loaded_as(name):
    """No collections are loaded here, so the plugin is found under a name of core's."""
    get = connection_loader.get
    with mock.patch.object(connection_loader, "get", lambda _name, *args, **kwargs: get(name, *args, **kwargs)):
        yield


def connection(name, **variables):
    made = connection_loader.get(name, PlayContext())
    made.ansible_name = name  # the full one is not found here, where no collections are loaded
    made.set_options(var_options={"inventory_hostname": "host", "ansible_host": "192.0.2.1", **variables})
    made._shell.set_options(var_options={"ansible_remote_tmp": "/somewhere"})
    return made


@pytest.mark.parametrize("arguments", [None, "-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=/tmp/%h"])
def test_ssh_is_not_multiplexed(arguments):
    variables = {"ansible_ssh_args": arguments} if arguments else {}
    old = connection(
        "ssh", ansible_port=2222, ansible_user="ansible", ansible_ssh_extra_args="-o ControlPath=/x", **variables
    )
    with fresh_connection(old, PlayContext()) as fresh:
        command = b" ".join(fresh._build_command("ssh", "ssh", "192.0.2.1", "true")).decode()
    assert command.index("ControlPath=none") < command.index("ControlPath=/x")  # ssh takes the first one
    assert command.count("ControlPath") == 2 if arguments is None else 3
    assert command.index("ControlMaster=no") < command.index("ControlMaster=auto")
    assert (fresh.get_option("port"), fresh.get_option("remote_user")) == (2222, "ansible")
    assert fresh._shell.get_option("remote_tmp") == "/somewhere"
    assert "ControlMaster=no" not in str(old.get_options())


def test_with_tokens_it_has_a_login_of_its_own():
    """A connection that nobody has opened yet, shared by all that is done over it: each would need another token."""
    old = connection("ssh", ansible_user="alice")
    old.ansible_name = "fleetmfa.ssh.ssh_totp"
    command = b" ".join(old._build_command("ssh", "ssh", "192.0.2.1", "true")).decode()
    folders = set()
    for _login in range(2):
        with loaded_as("ssh"), fresh_connection(old, PlayContext()) as fresh:
            words = fresh._build_command("ssh", "ssh", "192.0.2.1", "true")
            path = next(word.decode() for word in words if word.startswith(b"ControlPath="))
            folder = Path(path.partition("=")[2]).parent
            assert folder.stat().st_mode & 0o777 == 0o700 and path not in command
            folders.add(folder)
    assert len(folders) == 2 and not [folder for folder in folders if folder.exists()]


def test_become_as_in_the_task():
    old = connection("ssh")
    old.set_become_plugin(become_loader.get("sudo"))
    with fresh_connection(old, PlayContext()) as fresh:
        assert fresh.become is old.become


@pytest.fixture
def paramiko_ssh():
    """The connection plugin, which ansible-core 2.21 no longer has."""
    return pytest.importorskip("ansible.plugins.connection.paramiko_ssh")


def test_paramiko_does_not_take_its_open_connection(paramiko_ssh):
    old = connection("paramiko_ssh", ansible_user="ansible")
    paramiko_ssh.SSH_CONNECTION_CACHE["192.0.2.1__ansible__"] = "the old one"
    try:
        with fresh_connection(old, PlayContext()):
            assert paramiko_ssh.SSH_CONNECTION_CACHE == {}
        assert paramiko_ssh.SSH_CONNECTION_CACHE == {"192.0.2.1__ansible__": "the old one"}
    finally:
        paramiko_ssh.SSH_CONNECTION_CACHE.clear()


def test_what_proves_a_login():
    assert logs_in(connection("ssh"))
    assert not logs_in(connection("local"))
    assert not answers_token_prompt(connection("ssh"))


def test_paramiko_proves_a_login(paramiko_ssh):
    assert logs_in(connection("paramiko_ssh"))
