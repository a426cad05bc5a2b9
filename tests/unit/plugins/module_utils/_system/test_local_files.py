# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Files in homes: seen where they lie on this machine, and no path leads to a file server or through a user's link."""

from __future__ import annotations

import os

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import local_files
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.local_files import LocalFiles

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="links of root and of others")


@pytest.fixture
def homes(tmp_path):
    """Two homes with a file; `mounted` says what is mounted where."""
    for user in ("alice", "bob"):
        (tmp_path / "homes" / user).mkdir(parents=True)
        (tmp_path / "homes" / user / ".google_authenticator").write_text("secret\n")
    return tmp_path / "homes"


@pytest.fixture
def mounted(tmp_path):
    def files(**kinds):
        lines = ["22 1 253:0 / / rw - ext4 /dev/vda rw"]
        for number, (kind, folder) in enumerate(kinds.items()):
            mount_point = str(folder).replace(" ", "\\040")
            lines.append(f"{30 + number} 22 0:{number} / {mount_point} rw shared:{number} - {kind} server:/x rw")
        (tmp_path / "mounts").write_text("\n".join(lines) + "\n")
        return LocalFiles(str(tmp_path / "mounts"))

    return files


def key_of(home):
    return str(home / ".google_authenticator")


def test_there_or_not(homes, mounted):
    files = mounted()
    assert files.exists(key_of(homes / "alice")) is True
    assert files.exists(key_of(homes / "carol")) is False
    assert files.exists(key_of(homes / "alice" / ".google_authenticator")) is False
    assert LocalFiles().exists("/proc/self/status") is None, "/proc is no file system of the machine's own"


@pytest.mark.parametrize("kind", ["nfs4", "autofs", "cifs", "fuse.sshfs"])
def test_file_servers_and_automounters_are_left_alone(kind, homes, mounted, monkeypatch):
    files, looked = mounted(**{kind: homes}), []
    lstat = os.lstat
    monkeypatch.setattr(local_files.os, "lstat", lambda path: looked.append(path) or lstat(path))
    assert files.exists(key_of(homes / "alice")) is None
    assert looked and not [path for path in looked if path.startswith(str(homes))]


def test_each_mount_on_the_way_counts(homes, mounted):
    files = mounted(xfs=homes, nfs4=homes / "bob")
    assert files.exists(key_of(homes / "alice")) is True
    assert files.exists(key_of(homes / "bob")) is None
    assert mounted(nfs4=homes, xfs=homes / "bob").exists(key_of(homes / "bob")) is None


def test_mount_point_with_a_blank(tmp_path, mounted):
    (tmp_path / "a home").mkdir()
    assert mounted(nfs=tmp_path / "a home").exists(key_of(tmp_path / "a home")) is None


@needs_root
def test_links_of_root_are_followed_to_where_they_lead(homes, mounted, tmp_path):
    (tmp_path / "home").symlink_to("homes")
    (tmp_path / "far").symlink_to(homes)
    assert mounted().exists(key_of(tmp_path / "home" / "alice")) is True
    assert mounted().exists(key_of(tmp_path / "far" / ".." / "home" / "alice")) is True
    assert mounted(nfs=homes).exists(key_of(tmp_path / "far" / "alice")) is None
    (tmp_path / "loop").symlink_to("loop")
    assert mounted().exists(key_of(tmp_path / "loop")) is None


@needs_root
def test_a_link_of_a_user_leads_nowhere(homes, mounted, tmp_path):
    (homes / "alice" / "etc").symlink_to("/etc")
    os.chown(homes / "alice" / "etc", 1001, 1001, follow_symlinks=False)
    assert mounted().exists(str(homes / "alice" / "etc" / "passwd")) is None
    assert mounted().exists(str(homes / "alice" / "etc")) is True, "itself it is there"
