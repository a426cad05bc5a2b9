# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What docs/troubleshooting.md quotes from the log is what the guard writes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUARD = (ROOT / "roles/mfa/files/usr/local/libexec/fleetmfa/totp-guard").read_text()
# In the page `3`, a path or a number stands for a variable of the program, and an ellipsis for anything.
VARIABLE = re.compile(r"\$\{?\w+\}?|\d+|/\S+|…")


def fixed(text):
    """The words of a message that do not depend on the login."""
    return " ".join(VARIABLE.sub(" ", text).split())


def test_quoted_refusals_are_those_of_the_guard():
    quoted = re.findall(r"totp-guard: refused alice …: ([^`]+)`", (ROOT / "docs/troubleshooting.md").read_text())
    written = {fixed(told) for told in re.findall(r"refuse \w+ ['\"]([^'\"]+)['\"]", GUARD)}
    assert len(quoted) > 5
    for message in quoted:
        assert any(one.startswith(fixed(message)) for one in written), message
