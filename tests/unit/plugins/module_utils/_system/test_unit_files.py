# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.unit_files import socket_commands


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("ExecStart=-/usr/sbin/sshd -i $SSHD_OPTS\n", [["/usr/sbin/sshd", "-i", "$SSHD_OPTS"]]),
        (
            "ExecStart=/usr/sbin/sshd \\\n    -i \\\n    -f '/etc/my sshd'\n",
            [["/usr/sbin/sshd", "-i", "-f", "/etc/my sshd"]],
        ),
        ("ExecStart=\nExecStart=/bin/true\nExecStart=/usr/sbin/sshd\n", [["/bin/true"], ["/usr/sbin/sshd"]]),
        ("ExecStart=/usr/sbin/sshd -o 'unmatched\n", [["/usr/sbin/sshd", "-o", "'unmatched"]]),
        ("ExecStop=/bin/kill\n", []),
    ],
)
def test_commands(tmp_path, text, commands):
    (tmp_path / "ssh@.service").write_text(f"[Service]\n{text}")
    assert list(socket_commands("ssh", [str(tmp_path / "absent"), str(tmp_path)])) == commands


def test_the_first_folder_counts_for_each_name(tmp_path):
    for folder, name in (("etc", "ssh.service"), ("lib", "ssh.service"), ("lib", "ssh@.service")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(f"[Service]\nExecStart=/{folder}/{name}\n")
    folders = [str(tmp_path / "etc"), str(tmp_path / "lib")]
    assert list(socket_commands("ssh", folders)) == [["/etc/ssh.service"], ["/lib/ssh@.service"]]
