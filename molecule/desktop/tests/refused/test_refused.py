# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Services that the role cannot cover as Debian has them: the run stops with the reason, and no file of PAM and sshd is changed."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("services", "tried", "said"),
    [
        (["cockpit"], [], "a wrong password does not end the stack at once (as it would with requisite, or with include in place"),
        (["polkit-1"], ["polkit-1"], "/usr/lib/pam.d/polkit-1 belongs to a package, so it is not changed; copy it to /etc/pam.d"),
        (["xrdp-sesman"], ["xrdp-sesman"], "it has one password for all prompts, so an enforced user could never log in"),
    ],
    ids=["cockpit", "polkit-1", "xrdp-sesman"],
)  # fmt: skip
def test_refused(root, site, services, tried, said):
    files = "cd /etc && find pam.d ssh -type f | sort | xargs sha256sum"
    before = root.check_output(files)
    done, output = site(["sshd", *services], tried)
    assert not done and said in output, output
    assert root.check_output(files) == before
    assert before.count("pam.d/") > 10
