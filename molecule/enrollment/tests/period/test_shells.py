# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The offer appears in every shell that a user may have, and the shell starts after it."""

from __future__ import annotations

import pytest

SHELLS = ["/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/usr/bin/tcsh"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("answer", ["n\r", "\x03"], ids=["later", "Ctrl-C"])
def test_offer_then_shell(root, open_session, shell, answer):
    if not root.file(shell).exists:
        pytest.skip("not installed on this host")
    root.run(f"usermod -s {shell} shells && touch /home/shells/.zshrc")
    session = open_session("shells")
    session.wait_for("Enroll now")
    session.send(answer)
    session.settle()
    session.enter("echo I am in `id -un`" if shell != "/usr/bin/fish" else "echo I am in (id -un)")
    session.wait_for("I am in shells")
