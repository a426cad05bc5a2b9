# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
from __future__ import annotations

import pytest


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """commands(docker="exit 1") makes these shell scripts the only programs on PATH, beside a few basic ones."""

    def put(**scripts):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for name, body in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n", encoding="utf-8")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return folder

    return put


@pytest.fixture
def cache(tmp_path, monkeypatch):
    from lab import files

    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    return files.CACHE
