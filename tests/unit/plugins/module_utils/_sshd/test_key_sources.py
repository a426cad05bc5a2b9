# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What sshd's settings name as sources of keys, and whether one of them has a key for the user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.key_sources import KeySources

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files are read with the rights of their user")
UID = 23456


class Home:
    def __init__(self, path: Path):
        self.path = path
        self.user = pwd.struct_passwd(("ann", "x", UID, UID, "", str(path), "/bin/bash"))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path / "id"], check=True)
        self.key = (path / "id.pub").read_text()
        self.write(".ssh/authorized_keys", self.key)

    def write(self, name, text, mode=0o600, owner=UID):
        path = self.path / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        for one in (path, path.parent, self.path):
            os.chown(one, owner, owner)
        return str(path)

    def answer(self, **settings):
        values = {"authorizedkeysfile": ".ssh/authorized_keys .ssh/authorized_keys2", "strictmodes": "yes", **settings}
        return KeySources({name: [value] for name, value in values.items()}, self.user, private_groups=False).answer()


@pytest.fixture
def home():
    # Not below pytest's own folder, which no user but root can pass.
    folder = Path(tempfile.mkdtemp(prefix="home-", dir="/var/lib"))
    folder.chmod(0o755)
    yield Home(folder)
    shutil.rmtree(folder)


def test_the_default_files(home):
    assert home.answer().state == "can"
    home.write(".ssh/authorized_keys", "")
    assert "is empty, or has comments only" in home.answer().reason
    home.write(".ssh/authorized_keys2", home.key)
    assert home.answer().state == "can"


@pytest.mark.parametrize("pattern", ["%h/keys", "keys", "HOME/%u", "HOME/%U", "HOME/100%%", "nowhere %h/keys"])
def test_tokens_of_authorized_keys_file(home, pattern):
    for name in ("keys", "ann", str(UID), "100%"):
        home.write(name, home.key)
    assert home.answer(authorizedkeysfile=pattern.replace("HOME", str(home.path))).state == "can"


def test_where_sshd_reads_no_file_or_another_one(home):
    assert "AuthorizedKeysFile none" in home.answer(authorizedkeysfile="none").reason
    told = home.answer(authorizedkeysfile="/etc/ssh/no-such/%u")
    assert told.state == "cannot" and told.remedy == "add a public key to /etc/ssh/no-such/ann"


@pytest.mark.parametrize(
    ("mode", "owner", "strict", "state"),
    [
        (0o666, UID, "yes", "cannot"),
        (0o664, UID, "yes", "cannot"),
        (0o666, UID, "no", "can"),
        (0o644, UID + 1, "yes", "cannot"),
        (0o600, UID + 1, "no", "cannot"),
        (0o644, 0, "yes", "can"),
        (0o600, 0, "yes", "cannot"),
    ],
)
def test_owner_and_mode(home, mode, owner, strict, state):
    home.write(".ssh/authorized_keys", home.key)
    path = home.path / ".ssh/authorized_keys"
    path.chmod(mode)
    os.chown(path, owner, owner)
    assert home.answer(strictmodes=strict).state == state


def test_what_is_no_file(home):
    path = home.path / ".ssh/authorized_keys"
    path.unlink()
    os.mkfifo(path)
    os.chown(path, UID, UID)
    assert "no regular file" in home.answer().reason


def test_revoked_keys(home):
    revoked = home.write("revoked", home.key, 0o644, 0)
    told = home.answer(revokedkeys=revoked)
    assert told.state == "cannot" and "has been revoked" in told.reason
    Path(revoked).write_text("# nobody's\n")
    assert home.answer(revokedkeys=revoked).state == "can"
    assert home.answer(revokedkeys="/nowhere").state == "cannot"  # sshd takes no key then
    for keys, state in (("", "can"), (home.key, "cannot")):
        (home.path / "list").write_text(keys)
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", revoked, home.path / "list"], check=True)
        assert home.answer(revokedkeys=revoked).state == state


def test_certificates_cannot_be_seen(home):
    home.write(".ssh/authorized_keys", f"cert-authority {home.key}")
    assert home.answer().state == "unknown"
    home.write(".ssh/authorized_keys", "")
    authorities = home.write("ca", home.key, 0o644)
    assert home.answer(trustedusercakeys=authorities).state == "unknown"
    assert home.answer(trustedusercakeys="/nowhere").state == "cannot"
    principals = str(home.path / "principals")
    without = home.answer(trustedusercakeys=authorities, authorizedprincipalsfile=principals)
    assert without.state == "cannot" and "names no principal" in without.reason
    home.write("principals", "ann\n", 0o644)
    assert home.answer(trustedusercakeys=authorities, authorizedprincipalsfile=principals).state == "unknown"
    missing = {"authorizedprincipalsfile": "/nowhere", "authorizedprincipalscommand": "/usr/bin/principals"}
    assert home.answer(trustedusercakeys=authorities, **missing).state == "unknown"


def test_a_command_that_wants_the_key_or_does_not_answer(home):
    assert home.answer(authorizedkeyscommand="/usr/bin/no-such %u").state == "can"  # the file has one
    home.write(".ssh/authorized_keys", "")
    assert home.answer(authorizedkeyscommand="/usr/bin/no-such %u").state == "cannot"
    for command in ("/usr/bin/false %u", "/usr/bin/true %u %k", "/usr/bin/true %f"):
        assert home.answer(authorizedkeyscommand=command, authorizedkeyscommanduser="nobody").state == "unknown", (
            command
        )
