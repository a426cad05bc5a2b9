# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host with a state directory and accounts of the test's own, and the modules about keys run on it."""

from __future__ import annotations

import grp
import hashlib
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import StateDir
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, step_at, token_at


class TestHost:
    __test__ = False

    def __init__(self, run_module, accounts, folder):
        self._run_module = run_module
        self.accounts = accounts
        self.path = folder
        self.state_dir = StateDir(str(folder))

    def run(self, module, check=False, diff=False, **options):
        if module in ("totp_key", "totp_key_distribute", "totp_validate"):
            options.setdefault("unknown_first_factor", "accept")  # a private /etc has no sshd to ask
        return self._run_module(module, check_mode=check, diff_mode=diff, state_dir=str(self.path), **options)

    def totp_key(self, *keys, **options):
        return self.run("totp_key", keys=list(keys), **options)

    def members(self):
        try:
            return set(grp.getgrnam("mfa-enforced").gr_mem)
        except KeyError:
            return None

    def keys(self, user):
        """Which keys there are: 'p', 'v', 'pv' or ''."""
        found = {"p": self.state_dir.pending(user), "v": self.state_dir.validated(user)}
        return "".join(name for name, key in found.items() if key)

    def snapshot(self):
        """Everything that a call may change, to compare: files with content and mode, and the group."""
        files = {}
        for path in [self.path, *self.path.rglob("*")] if self.path.exists() else []:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            files[str(path)] = (path.lstat().st_mode, path.lstat().st_ino, content)
        return files, Path("/etc/group").read_text(), Path("/etc/gshadow").read_text()

    def four_steps(self, module, **options):
        """check, run, check again, run again; the two middle ones have to be true to their word."""
        before = self.snapshot()
        predicted = self.run(module, check=True, diff=True, **options)
        assert self.snapshot() == before
        done = self.run(module, diff=True, **options)
        assert not done.get("failed"), done
        assert predicted == done
        after = self.snapshot()
        for check in (True, False):
            again = self.run(module, check=check, diff=True, **options)
            assert not again["changed"], again
            assert not any(user["changed"] for user in again["users"])
            assert self.snapshot() == after
        return done

    @staticmethod
    def token(secret, now, offset=0, period=30):
        return token_at(decode_secret(secret), step_at(now, period) + offset)


@pytest.fixture
def host(run_module, accounts, tmp_path):
    return TestHost(run_module, accounts, tmp_path / "state")


@pytest.fixture
def web1(fleet):
    """A host of the module's own fixture `fleet`."""
    return fleet.hosts["web1"]


@pytest.fixture
def web2(fleet):
    return fleet.hosts["web2"]
