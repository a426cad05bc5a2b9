# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A folder that is laid out like /etc, as operators keep it in a repository, and the verdicts on it."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.folder import EtcFolder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.judging import JudgedUsers, judge_folder
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.people import FleetGroups
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._judged_files.wanted import ComparedUsers, compared
from ansible_collections.fleetmfa.ssh.tests.support.pam_mistakes import DATA
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import GROUP, POLICY

MAIN = """\
Include /etc/ssh/sshd_config.d/*.conf
KbdInteractiveAuthentication no
UsePAM yes
"""
GATED = f"""\
auth [success=ignore ignore=ignore auth_err=2 default=die] pam_succeed_if.so quiet user ingroup {GROUP}
auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${{USER}} user=root noskewadj
auth sufficient pam_succeed_if.so quiet user ingroup {GROUP}
@include common-auth
account required pam_unix.so
session required pam_permit.so
"""
PLAIN = """\
@include common-auth
account required pam_unix.so
session required pam_permit.so
"""


class JudgedEtc:
    """Starts as one that is as wanted: members of the group are asked, and nobody else is."""

    def __init__(self, path: Path):
        self.path = path
        self.write("ssh/sshd_config", MAIN)
        self.write("ssh/sshd_config.d/00-mfa.conf", POLICY)
        self.write("pam.d/sshd", GATED)
        for name, text in DATA["includes"].items():
            self.write(f"pam.d/{name}", text)

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, name: str) -> None:
        (self.path / name).unlink()

    def judged(self, users: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> list[JudgedUsers]:
        fleet = FleetGroups(GROUP, frozenset(users), frozenset(groups))
        return judge_folder(EtcFolder(str(self.path)), fleet, None).classes

    def compared(self, others: str = "not_asked", **exempt: tuple[str, ...]) -> list[ComparedUsers]:
        return compared(self.judged(**exempt), others)

    def unwanted(self, others: str = "not_asked", **exempt: tuple[str, ...]) -> dict[str, str]:
        """Who is not as wanted, and their verdict."""
        return {one.judged.users: one.judged.verdict for one in self.compared(others, **exempt) if not one.ok}
