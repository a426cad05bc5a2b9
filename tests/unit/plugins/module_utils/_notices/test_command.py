# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What root runs can be changed by root alone, whatever leads to it."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.command import check_command

USER = 20000


@pytest.fixture
def program(roots_folder):
    path = roots_folder / "sub" / "hook"
    path.parent.mkdir(mode=0o755)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def why(*command):
    with pytest.raises(FleetMfaError) as refused:
        check_command([str(part) for part in command])
    return str(refused.value)


def test_a_program_of_root(program):
    check_command([str(program), "not/absolute", "--from"])
    check_command(["/bin/sh"])  # whose folder is a symbolic link on a merged /usr


def test_relative_and_missing(program):
    assert why("hook") == "hook is not an absolute path"
    assert why(f"{program}2") == f"{program}2: No such file or directory; put the program there"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_others_can_write_to_it_or_to_its_folder(program, mode):
    program.chmod(mode)
    assert why(program).startswith(f"others than root can write to {program},")
    program.chmod(0o755)
    program.parent.chmod(mode)
    assert why(program).startswith(f"others than root can write to {program.parent},")


def test_another_owner(program):
    os.chown(program, USER, 0)
    assert why(program).startswith(f"{program} does not belong to root")
    os.chown(program, 0, 0)
    os.chown(program.parent, USER, 0)
    assert why(program).startswith(f"{program.parent} does not belong to root")


def test_a_link_to_what_a_user_owns(program, roots_folder):
    os.chown(program, USER, 0)
    link = roots_folder / "link"
    link.symlink_to(program)
    assert why(link).startswith(f"{program} does not belong to root")
    relative = roots_folder / "relative"
    relative.symlink_to("sub/hook")
    assert why(relative).startswith(f"{program} does not belong to root")
    os.chown(program, 0, 0)
    check_command([str(link)])
    check_command([str(relative)])


def test_a_link_of_a_user(program, roots_folder):
    link = roots_folder / "link"
    link.symlink_to(program)
    os.chown(link, USER, 0, follow_symlinks=False)
    assert why(link).startswith(f"{link} does not belong to root")


def test_a_chain_of_links_through_a_folder_of_a_user(program, roots_folder):
    """The first and the last are root's, the one between is not."""
    users = roots_folder / "users"
    users.mkdir()
    (users / "middle").symlink_to(program)
    first = roots_folder / "first"
    first.symlink_to(users / "middle")
    check_command([str(first)])
    os.chown(users, USER, 0)
    assert why(first).startswith(f"{users} does not belong to root")


def test_below_a_linked_folder(program, roots_folder):
    linked = roots_folder / "linked"
    linked.symlink_to(program.parent)
    check_command([str(linked / "hook")])
    os.chown(program.parent, USER, 0)
    assert why(linked / "hook").startswith(f"{program.parent} does not belong to root")


def test_a_target_with_dots_behind_a_link(program, roots_folder):
    """`dots/../hook` is beside what `dots` leads to, not beside `dots`."""
    (roots_folder / "hook").write_text("")
    (roots_folder / "dots").symlink_to(program.parent / "deep")
    (program.parent / "deep").mkdir()
    first = roots_folder / "first"
    first.symlink_to("dots/../hook")
    check_command([str(first)])
    os.chown(program, USER, 0)
    assert "does not belong to root" in why(first)


def test_a_loop_of_links(roots_folder):
    (roots_folder / "a").symlink_to(roots_folder / "b")
    (roots_folder / "b").symlink_to(roots_folder / "a")
    assert "Too many levels of symbolic links" in why(roots_folder / "a")


@pytest.mark.parametrize("kind", ["folder", "not_executable", "device"])
def test_no_program(program, roots_folder, kind):
    program.chmod(0o644)
    path = {"folder": roots_folder, "not_executable": program, "device": "/dev/null"}[kind]
    assert why(path) == f"{path} is not a program: a file that root may execute" or kind == "device"
