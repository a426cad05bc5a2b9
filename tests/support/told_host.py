# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host whose users are told: the settings in the test's own /etc, and a hook that keeps what it gets."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.notices import FOLDER, NEW, SETTINGS_PATH
from ansible_collections.fleetmfa.ssh.plugins.module_utils._notices.program import main

KEEP = 'cat >>"$0.got"'


class ToldHost:
    """`hook` is a program that nobody but root can change; the test's temporary folder may be below /tmp, where others can write."""

    def __init__(self, state_dir: Path):
        self.state_dir = state_dir
        self._folder = tempfile.TemporaryDirectory(dir="/root")
        self.folder = Path(self._folder.name)
        self.hook = self.folder / "hook"
        self.write_hook(KEEP)
        self.write_settings()

    def write_settings(self, command: list[str] | None = None) -> None:
        path = Path(SETTINGS_PATH)
        path.parent.mkdir(exist_ok=True)
        command = [str(self.hook)] if command is None else command
        path.write_text(f"state_dir = {self.state_dir}\ngroup = mfa-enforced\ncommand = {json.dumps(command)}\n")
        path.chmod(0o600)

    def write_hook(self, script: str) -> None:
        self.hook.write_text(f"#!/bin/sh\n{script}\n")
        self.hook.chmod(0o755)

    def waiting(self) -> list[dict]:
        """What is recorded and not told yet, the oldest first."""
        folder = self.state_dir / FOLDER / NEW
        return (
            [json.loads((folder / name).read_text()) for name in sorted(os.listdir(folder))] if folder.exists() else []
        )

    def recorded(self) -> list[tuple[str, str]]:
        return [(one["user"], one["event"]) for one in self.waiting()]

    def send(self) -> list[dict]:
        """What the hook has got since the last call."""
        assert main(["send", SETTINGS_PATH]) == 0
        return self.got()

    def got(self) -> list[dict]:
        kept = Path(f"{self.hook}.got")
        lines = kept.read_text().splitlines() if kept.exists() else []
        kept.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        self._folder.cleanup()
