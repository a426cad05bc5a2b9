# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The policy is put in so that it is read first, is asked of the real sshd, and leaves without a trace."""

from __future__ import annotations

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import FindingsError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.binary import Sshd
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SshdConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.daemons import Daemon
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.match import Account, Connection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings, plan_sshd_totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.policy import PolicyReader
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import apply_all
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    ALICE,
    BOB,
    DEBIAN,
    POLICY,
    ROOT,
    SshdHost,
    needs_sshd,
)

pytestmark = needs_sshd


@pytest.fixture
def host(tmp_path):
    return SshdHost(tmp_path)


def enforce(host, *accounts, running=(), **wish):
    found = Surroundings(lambda config, group: list(accounts or (ALICE, BOB, ROOT)), lambda main: list(running))
    changes, sshd = plan_sshd_totp(host.wish(**wish), found)
    apply_all(changes)
    return changes


def refusal(host, *accounts, **wish):
    before = host.config.read_bytes()
    with pytest.raises(FindingsError) as error:
        enforce(host, *accounts, **wish)
    assert host.config.read_bytes() == before
    assert not host.path.exists()
    return {finding.id: " ".join(finding.evidence) for finding in error.value.findings}


def methods(host, account, address="192.0.2.1"):
    with PolicyReader(Sshd(str(host.sshd)), SshdConfig(str(host.config))) as reader:
        return reader.settings(account, Connection(address, address))["authenticationmethods"]


ASKED, NOT_ASKED = ["publickey,keyboard-interactive:pam"], ["any"]

# What a host may look like, and whether an Include at the head of its main file is needed.
HOSTS = {
    "debian": (DEBIAN, {}, False),
    "cloud image": (
        DEBIAN,
        {"50-cloud-init.conf": "PasswordAuthentication yes\nKbdInteractiveAuthentication no\n"},
        False,
    ),
    "harmless drop-in before": (DEBIAN, {"00-a.conf": "Banner none\nMatch User x\n X11Forwarding no\n"}, False),
    "earlier global list": (DEBIAN, {"00-a.conf": "AuthenticationMethods any\n"}, False),
    "earlier Match in a drop-in": (DEBIAN, {"00-a.conf": "Match User alice\n AuthenticationMethods publickey\n"}, True),
    "earlier Match by another name": (DEBIAN, {"00-a.conf": "Match all\n ChallengeResponseAuthentication no\n"}, True),
    "earlier Match for one network": (
        DEBIAN,
        {"00-a.conf": "Match Address 192.0.2.0/24\n AuthenticationMethods publickey\n"},
        True,
    ),
    "Include below a Match": ("UsePAM yes\nMatch User x\n Banner none\nInclude DROPINS/*.conf\n", {}, True),
    "Include below settings": (
        "UsePAM yes\nMatch all\n AuthenticationMethods publickey\nInclude DROPINS/*.conf\n",
        {},
        True,
    ),
    "Include of other names": ("Include DROPINS/*.cfg\nUsePAM yes\n", {}, True),
    "no Include": ("UsePAM yes\n", {}, True),
    "no newline at the end": ("UsePAM yes", {}, True),
    "CRLF": ("# comment\r\nUsePAM yes\r\n", {}, True),
    "comments before": ("\n\n# a comment\n\nUsePAM yes\n", {}, True),
    "keywords in capitals": ("include DROPINS/*.conf\nUSEPAM yes\n", {}, False),
}


@pytest.mark.parametrize("name", HOSTS)
def test_read_first_and_removed_without_a_trace(host, name):
    text, dropins, needs_block = HOSTS[name]
    host.config.write_bytes(host.filled(text).encode())
    for file, content in dropins.items():
        (host.dropins / file).write_text(content)
    original = host.config.read_bytes()

    enforce(host)
    assert (b"# BEGIN fleetmfa.ssh" in host.config.read_bytes()) is needs_block
    assert methods(host, ALICE) == ASKED
    assert methods(host, BOB) != ASKED
    assert not [change for change in enforce(host) if change.changed]

    enforce(host, state="absent")
    assert host.config.read_bytes() == original
    assert sorted(path.name for path in host.dropins.iterdir()) == sorted(dropins)
    assert not [change for change in enforce(host, state="absent") if change.changed]


def test_block_goes_when_it_is_not_needed_any_more(host):
    host.write("UsePAM yes\n")
    enforce(host)
    host.config.write_text(host.config.read_text() + host.filled("# now included\n"))
    mended = host.filled("Include DROPINS/*.conf\nUsePAM yes\n")
    host.config.write_text(host.config.read_text().replace("UsePAM yes\n# now included\n", mended))
    enforce(host)
    assert host.config.read_text() == mended
    assert methods(host, ALICE) == ASKED


def test_folder_that_is_missing_is_made_and_goes_again(host):
    host.write("UsePAM yes\n")
    host.dropins.rmdir()
    enforce(host)
    assert methods(host, ALICE) == ASKED
    assert not [change for change in enforce(host) if change.changed]
    enforce(host, state="absent")
    assert not host.dropins.exists()
    assert host.config.read_text() == "UsePAM yes\n"


def test_folder_of_the_distribution_stays(host):
    host.write("UsePAM yes\n")
    enforce(host)
    enforce(host, state="absent")
    assert host.dropins.is_dir()


def test_main_file_keeps_mode(host):
    host.write("UsePAM yes\n")
    host.config.chmod(0o600)
    enforce(host)
    assert host.config.stat().st_mode & 0o777 == 0o600


def test_half_a_block_is_refused(host):
    host.write("# BEGIN fleetmfa.ssh\nUsePAM yes\n")
    with pytest.raises(FleetMfaError, match="do not match"):
        enforce(host)


def test_old_sshd_without_include_is_refused(host):
    host.write()
    host.sshd.write_text("#!/bin/sh\necho 'OpenSSH_8.0p1, OpenSSL 1.1.1k' >&2\nexit 1\n")
    with pytest.raises(FleetMfaError, match=r"OpenSSH 8\.0 has no Include; fleetmfa.ssh needs OpenSSH 8\.2"):
        enforce(host)


# What is refused


def test_content_that_sshd_refuses(host):
    host.write()
    found = refusal(host, content=POLICY.replace("publickey,key", "publickey, key"))
    assert f"{host.path} line 3" in found["sshd_config_invalid"], "the real file is named, not the staged copy"


def test_global_line_that_an_include_reads_below_a_match(host):
    """Before 8.7 the drop-in has a global line; the Include at the head does not keep the old one from reading it too."""
    host.write("UsePAM yes\nMatch User carol\n Banner none\nInclude DROPINS/*.conf\n")
    found = refusal(host, content="MaxStartups 100\n" + POLICY)
    assert f"{host.path} is read below `Match User carol` too" in found["sshd_include_below_match"]


def test_configuration_that_is_broken_already(host):
    host.write(DEBIAN + "Nonsense yes\n")
    assert "even without our change" in refusal(host)["sshd_config_invalid"]


def test_own_broken_dropin_is_fixed(host):
    host.write(DEBIAN, {"00-fleetmfa.conf": "Nonsense yes\n"})
    enforce(host)
    assert methods(host, ALICE) == ASKED


def test_content_without_match_group(host):
    host.write()
    for content in (
        "AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes\n",
        "Banner none\n",
    ):
        with pytest.raises(FleetMfaError, match="sets nothing below `Match Group mfa-enforced`"):
            enforce(host, content=content)


def test_wrong_group(host):
    host.write()
    with pytest.raises(FleetMfaError, match="nobody would be asked"):
        enforce(host, content=POLICY.replace("mfa-enforced", "mfa-enforce"))


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (POLICY.replace("publickey,keyboard-interactive:pam", "publickey"), "sshd_publickey_without_token"),
        (POLICY.replace("publickey,keyboard-interactive:pam", "any"), "sshd_any_method"),
        (POLICY.replace("publickey,", "publickey "), "sshd_publickey_without_token"),
        (POLICY.replace("    Kbd", "    # Kbd"), "sshd_keyboard_interactive_disabled"),
        (POLICY.replace("interactive:pam", "interactive:bsdauth"), "sshd_method_disabled"),
        (POLICY.replace("publickey,", "password,"), "sshd_password_before_keyboard_interactive"),
        (POLICY.replace("publickey,keyboard", "hostbased publickey,keyboard") + "    HostbasedAuthentication yes\n",
         "sshd_hostbased_without_token"),
    ],
)  # fmt: skip
def test_content_that_does_not_enforce(host, content, finding):
    host.write()
    assert finding in refusal(host, content=content)


def test_pam_off(host):
    host.write(DEBIAN.replace("UsePAM yes", "UsePAM no"))
    assert "sshd_config:4: usepam no" in refusal(host)["sshd_pam_disabled"]


def test_key_method_off_for_one_who_will_be_enforced(host):
    host.write(DEBIAN + "Match User bob\n PubkeyAuthentication no\n")
    assert "bob" in refusal(host)["sshd_method_disabled"]
    enforce(host, exempt_users=["bob"])


def test_root_counts_only_as_a_member(host):
    host.write(DEBIAN + "PermitRootLogin prohibit-password\n")
    enforce(host)
    enforce(host, state="absent")
    assert "permitrootlogin" in refusal(host, ROOT.joined("mfa-enforced"))["sshd_root_cannot_pass"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("Match all\n    PasswordAuthentication no\n", "passwordauthentication `yes` would become `no`"),
        ("Match User bob\n    X11Forwarding no\n", "x11forwarding `yes` would become `no`"),
        (
            "Match Address 10.0.0.0/8\n    Banner /etc/motd\n",
            "from 10.0.0.0 to port 22: banner `none` would become `/etc/motd`",
        ),
    ],
)
def test_others_must_not_notice(host, more, said):
    host.write()
    assert said in refusal(host, content=POLICY + more)["sshd_changes_others"]


def test_global_setting_for_everybody(host):
    host.write()
    assert "maxauthtries" in refusal(host, content="MaxAuthTries 2\n" + POLICY)["sshd_changes_others"]


def test_own_earlier_block_that_wins(host):
    """Nothing changes for alice as she is, but as a member she would be fed to PAM by the password method too."""
    host.write()
    content = "Match User alice\n    PasswordAuthentication yes\n" + POLICY + "    PasswordAuthentication no\n"
    found = refusal(host, content=content)
    assert "alice from 203.0.113.7 to port 22: passwordauthentication would be `yes`, not `no`" in str(found)


def test_user_of_tomorrow_counts(host):
    """Nobody is there yet but root, who is not to be a member."""
    host.write(DEBIAN.replace("UsePAM yes", "UsePAM no"))
    assert "fleetmfa-any-user" in refusal(host, ROOT)["sshd_pam_disabled"]


def test_second_daemon_that_lets_members_in(host):
    host.write()
    other = host.config.parent / "other"
    other.write_text("Port 2222\nUsePAM yes\n")
    running = [Daemon("process 1", str(host.config), ()), Daemon("process 7", str(other), ())]
    assert "enforced users get in without a token" in refusal(host, running=running)["sshd_second_daemon"]
    enforce(host, running=running, accept_findings=["sshd_second_daemon"])
    enforce(host, state="absent")
    other.write_text(host.filled("Include DROPINS/*.conf\nPort 2222\nUsePAM yes\n"))
    enforce(host, running=running)


def test_overdue_users_may_be_treated_differently_but_are_asked_once_enforced(host):
    host.write()
    overdue = Account("dave", 1004, frozenset({"mfa-overdue"}))
    block = "Match Group mfa-overdue\n    ForceCommand /bin/enroll\n"
    enforce(host, overdue, BOB, content=POLICY + block, overdue_group="mfa-overdue")
    enforce(host, state="absent")
    assert "sshd_changes_others" in refusal(host, overdue, content=POLICY + block)
    first = block + "    AuthenticationMethods publickey\n" + POLICY
    assert "sshd_publickey_without_token" in refusal(host, BOB, content=first, overdue_group="mfa-overdue")


def test_denied_user_is_left_alone(host):
    host.write(DEBIAN + "DenyUsers bob\nMatch User bob\n PubkeyAuthentication no\n")
    enforce(host)


def test_member_of_other_groups(host):
    host.write(DEBIAN + "Match Group wheel\n AuthenticationMethods publickey\n")
    both = Account("carol", 1003, frozenset({"wheel", "mfa-enforced"}))
    enforce(host, both, BOB)
    assert methods(host, both) == ASKED
    assert methods(host, both.left("mfa-enforced")) == ["publickey"]
