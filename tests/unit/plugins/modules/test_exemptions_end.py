# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An exemption ends on the host alone: real logins through a real sshd and PAM before and after, and who must not be locked out."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root import audit, overdue, service
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import POLICY_PATH, read_policy
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.prompts import OTHER, TOKEN
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.tests.support.factor_logins import SSH_KEY, FactorLogins
from ansible_collections.fleetmfa.ssh.tests.support.running_sshd import RunningSshd
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import needs_sshd

pytestmark = [
    needs_sshd,
    pytest.mark.skipif(find_module("pam_google_authenticator.so") is None, reason="needs libpam-google-authenticator"),
]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
BOB = {"user": "bob", "secret": SECRET, "state": "validated"}
MANY = {"window": 17, "rate_limit_attempts": 50}  # a busy machine may take minutes
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
PidFile none
UsePAM yes
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication yes
AuthenticationMethods publickey
AuthorizedKeysFile /etc/ssh_keys/%u
Match Group mfa-enforced
    AuthenticationMethods publickey,keyboard-interactive:pam
"""
REST = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
TODAY = datetime.date.today()
# Not the days beside today: midnight may come while the tests run.
ENDED, CURRENT = (TODAY + datetime.timedelta(days=days) for days in (-2, 2))


class ExemptHost:
    """Bob has an SSH key and a validated TOTP key, and is exempt."""

    def __init__(self, host, render, folder):
        self.host, self._render, self.folder = host, render, folder
        self.log = []
        for name in ("ssh", "ssh_keys", "fleetmfa"):
            Path("/etc", name).mkdir(mode=0o755)
        Path("/etc/environment").touch()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "id")], check=True)
        host_key = "/etc/ssh/ssh_host_ed25519_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
        self.give_ssh_key("bob")
        self.write_pam(
            f"auth requisite pam_google_authenticator.so secret={host.path}/keys/${{USER}} user=root noskewadj\n"
        )
        self.write_config(CONFIG.format(port=22))

    def give_ssh_key(self, user):
        Path("/etc/ssh_keys", user).write_text((self.folder / "id.pub").read_text())

    @staticmethod
    def write_pam(lines):
        Path("/etc/pam.d/sshd").write_text(lines + REST)

    @staticmethod
    def write_config(text):
        Path("/etc/ssh/sshd_config").write_text(text)

    def exempt(self, *entries, **variables):
        """As the role leaves the host; of the entries, names are of users unless `kind` says something else."""
        policy = self._render(**{"mfa__state_dir": str(self.host.path), **variables})
        Path(POLICY_PATH).write_text(Path(policy).read_text())
        made = [{"kind": "user", **entry} for entry in entries]
        Path("/etc/fleetmfa/exemptions.json").write_text(json.dumps(made))

    def midnight(self):
        """What the timer starts; whether it went well."""
        return service.main(["deadline"]) == 0

    def kept(self):
        path = self.host.path / "exemptions_kept"
        return json.loads(path.read_text()) if path.exists() else {}

    def site(self, *entries, **options):
        """The module of a run, with the lists of the inventory; bob's key is one of the fleet."""
        given = {"exempt_users": list(entries), "exempt_groups": [], "group": "mfa-enforced", **MANY, **options}
        result = self.host.totp_key({**BOB}, **given)
        assert not result.get("failed"), result
        return result


@pytest.fixture
def exempt_host(host, render, tmp_path, monkeypatch):
    made = ExemptHost(host, render, tmp_path)
    # Modules log, too, in other words.
    monkeypatch.setattr(
        audit.syslog, "syslog", lambda _p, line: made.log.append(line) if line.startswith("user ") else None
    )
    made.site("bob")
    assert host.members() == set()
    return made


@pytest.fixture
def logins(exempt_host, host, tmp_path):
    sshd = RunningSshd(tmp_path, CONFIG)
    typed = lambda: {TOKEN: host.token(SECRET, time.time()), OTHER: "000000"}  # noqa: E731
    yield FactorLogins("bob", sshd.port, str(tmp_path / "id"), typed)
    sshd.stop()


def test_attack_past_the_last_day_the_ssh_key_alone_is_not_enough(exempt_host, host, logins, capsys):
    entry = {"name": "bob", "until": str(CURRENT), "reason": "hand injury", "approved_by": "ciso"}
    exempt_host.exempt(entry)
    assert exempt_host.midnight() and host.members() == set()
    assert logins.get_in(frozenset({SSH_KEY}))

    entry["until"] = str(ENDED)  # the days pass
    exempt_host.exempt(entry)
    assert exempt_host.midnight()
    assert host.members() == {"bob"}, exempt_host.kept()
    assert "no longer exempt, and asked for a token: bob" in capsys.readouterr().out
    assert exempt_host.log == [
        "user bob: the exemption has ended; joined mfa-enforced and will be asked for a token at the next login"
    ]
    assert not logins.get_in(frozenset({SSH_KEY}))
    assert logins.get_in(frozenset({SSH_KEY, TOKEN}))

    # A run, and the next hour, agree.
    assert not exempt_host.site(entry)["changed"]
    before = host.snapshot()
    assert exempt_host.midnight() and host.snapshot() == before and len(exempt_host.log) == 1
    # The clock set back: the host itself lets nobody out again.
    exempt_host.exempt({**entry, "until": str(CURRENT)})
    assert exempt_host.midnight() and host.members() == {"bob"}
    assert not logins.get_in(frozenset({SSH_KEY}))
    # A run does, as the entry says; which is also how an exemption is prolonged.
    assert exempt_host.site({**entry, "until": str(CURRENT)})["changed"] and host.members() == set()


def test_members_of_a_group_whose_exemption_ends(exempt_host, host):
    host.accounts.add_group("temps", ["bob", "carol"])
    exempt_host.exempt({"kind": "group", "name": "temps", "until": str(ENDED)})
    assert exempt_host.midnight() and host.members() == {"bob"}


def test_another_entry_keeps_the_exemption(exempt_host, host):
    host.accounts.add_group("temps", ["bob"])
    ended = {"kind": "group", "name": "temps", "until": str(ENDED)}
    for other in ({"name": "bob"}, {"name": "bob", "until": str(CURRENT)}):
        exempt_host.exempt(ended, other)
        assert exempt_host.midnight() and host.members() == set() and exempt_host.kept() == {}
    exempt_host.exempt(ended, mfa_exempt_users=["bob"])
    assert exempt_host.midnight() and host.members() == set()


class TestStaysExempt:
    """Who would be locked out, or lock everybody out: said in the log once, and to every run and audit."""

    ENTRY = {"name": "bob", "until": str(ENDED)}

    def stays(self, exempt_host, host, why, **variables):
        exempt_host.exempt(self.ENTRY, **variables)
        for _hour in range(2):
            assert exempt_host.midnight() and host.members() == set()
            assert re.search(why, exempt_host.kept()["bob"]), exempt_host.kept()
        assert len(exempt_host.log) == 1 and "user bob: STAYS EXEMPT" in exempt_host.log[0]
        assert read_policy().exempt_users == ["bob"]
        # A run agrees: it neither fails nor changes anything.
        result = exempt_host.site(self.ENTRY)
        assert not result["changed"] and result["users"][0]["exempt"] and host.members() == set()

    def test_without_the_first_factor_until_it_is_there(self, exempt_host, host):
        os.unlink("/etc/ssh_keys/bob")
        self.stays(exempt_host, host, "could not log in any more once a token is asked for")
        exempt_host.give_ssh_key("bob")
        assert exempt_host.midnight() and host.members() == {"bob"} and exempt_host.kept() == {}

    def test_the_account_that_ansible_connects_with(self, exempt_host, host):
        self.stays(exempt_host, host, "Ansible connects as this account", mfa__sshd={"cannot_answer": ["bob"]})

    def test_where_nobody_could_log_in_any_more(self, exempt_host, host):
        exempt_host.write_config("AllowUsers bob\n" + CONFIG.format(port=22))
        exempt_host.write_pam("auth required pam_deny.so\n")
        self.stays(exempt_host, host, "nobody could log in to this host")

    def test_where_sshd_cannot_be_asked(self, exempt_host, host):
        exempt_host.write_config("Nonsense yes\n")
        self.stays(exempt_host, host, "cannot be asked|Nonsense")

    def test_a_key_that_lets_nobody_in(self, exempt_host, host):
        (host.path / "keys/bob").chmod(0o644)
        exempt_host.exempt(self.ENTRY)
        assert exempt_host.midnight() and host.members() == set() and "lets nobody in" in exempt_host.kept()["bob"]

    def test_another_name_of_the_user_that_nobody_asks(self, exempt_host, host):
        uid = next(
            line.split(":")[2] for line in Path("/etc/passwd").read_text().splitlines() if line.startswith("bob:")
        )
        with Path("/etc/passwd").open("a") as passwd:
            passwd.write(f"robert:x:{uid}:{uid}::/nonexistent:/bin/bash\n")
        exempt_host.exempt(self.ENTRY)
        assert exempt_host.midnight() and host.members() == set() and "robert" in exempt_host.kept()["bob"]

    def test_root_whom_sshd_lets_answer_no_prompt(self, exempt_host, host):
        exempt_host.give_ssh_key("root")
        host.totp_key({**BOB, "user": "root"}, exempt_users=["root", "bob"], exempt_groups=[], group="mfa-enforced")
        exempt_host.exempt({"name": "root", "until": str(ENDED)}, mfa_exempt_users=["bob"])
        assert exempt_host.midnight() and host.members() == set()
        assert "PermitRootLogin yes" in exempt_host.kept()["root"]
        exempt_host.write_config(CONFIG.format(port=22).replace("prohibit-password", "yes"))
        assert exempt_host.midnight() and host.members() == {"root"}

    def test_what_fails_halfway_is_taken_back(self, exempt_host, host, monkeypatch):
        update = EnforcedGroup.update

        def broken(group, join=(), leave=()):
            changed = update(group, join, leave)
            if join:
                raise FleetMfaError("the disk is full")
            return changed

        monkeypatch.setattr(EnforcedGroup, "update", broken)
        self.stays(exempt_host, host, "the disk is full")

    def test_the_record_counts_only_with_the_entry(self, exempt_host, host):
        """An operator who takes the entry out decides, and the run checks and refuses by itself."""
        self.stays(exempt_host, host, "Ansible connects", mfa__sshd={"cannot_answer": ["bob"]})
        exempt_host.exempt()
        assert exempt_host.midnight() and exempt_host.kept() == {} and read_policy().exempt_users == []
        assert exempt_host.site()["changed"] and host.members() == {"bob"}


def test_who_has_no_validated_key_is_not_asked_and_has_the_whole_period_to_enroll(exempt_host, host, monkeypatch):
    host.accounts.add_group("mfa-overdue")
    host.totp_key({"user": "carol"}, exempt_users=[], exempt_groups=[], group="mfa-enforced")
    path = host.path / "pending/carol"
    month_ago = int(time.time()) - 30 * 86400
    path.write_text(re.sub(r'"since": [0-9]+', f'"since": {month_ago}', path.read_text()))
    exempt_host.exempt({"name": "carol", "until": str(ENDED)}, mfa_enrollment_overdue="deny", mfa_exempt_users=["bob"])
    assert exempt_host.midnight() and host.members() == set() and exempt_host.kept() == {}
    state, policy = host.state_dir, read_policy()
    last = ENDED + datetime.timedelta(days=7)
    assert not overdue.is_overdue(policy, state, "carol", last)
    assert overdue.is_overdue(policy, state, "carol", last + datetime.timedelta(days=1))
    exempt_host.exempt(mfa_enrollment_overdue="deny", mfa_exempt_users=["bob"])  # as if carol had never been exempt
    assert overdue.is_overdue(read_policy(), state, "carol", TODAY)


@pytest.mark.parametrize(
    "content", ["{", '["bob"]', '[{"name": "bob"}]', '[{"kind": "user", "name": "bob", "until": "soon"}]']
)
def test_a_broken_file_is_named_and_changes_nothing(exempt_host, host, content, capsys):
    exempt_host.exempt()
    Path("/etc/fleetmfa/exemptions.json").write_text(content)
    before = host.snapshot()
    assert not exempt_host.midnight() and host.snapshot() == before
    assert "/etc/fleetmfa/exemptions.json cannot be read as a list of exemptions" in capsys.readouterr().err
