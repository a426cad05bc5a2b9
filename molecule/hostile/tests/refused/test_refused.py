# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What `site` cannot handle it refuses, with the id of the finding, and leaves files and logins unchanged."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.comes_with()

SECOND_SSHD = """
printf 'Port 2222\\nPidFile none\\nUsePAM yes\\n' > /etc/ssh/second_config
cat > /etc/systemd/system/second-sshd.service <<UNIT
[Service]
ExecStart=/usr/sbin/sshd -D -f /etc/ssh/second_config
UNIT
systemctl daemon-reload
systemctl start second-sshd
"""
EARLY = "printf '%s\\n' {} > /etc/ssh/sshd_config.d/00-a.conf"
# What the host is made to be, and what the error has to say.
REFUSED = {
    "second sshd": (SECOND_SSHD, ["sshd_second_daemon", "/etc/ssh/second_config"]),
    "no PAM": (EARLY.format("'UsePAM no'"), ["sshd_pam_disabled", "/etc/ssh/sshd_config.d/00-a.conf:1", "UsePAM yes"]),
    "nonsense in a drop-in": (
        "echo 'PermitRootLogin perhaps' > /etc/ssh/sshd_config.d/60-local.conf",
        ["sshd_config_invalid", "60-local.conf"],
    ),
    "no service sshd": (
        "mv /etc/pam.d/sshd /etc/pam.d/sshd.old",
        ["PAM service /etc/pam.d/sshd does not exist or is empty"],
    ),
    "half a block": ("echo '# BEGIN fleetmfa.ssh' >> /etc/pam.d/sshd", ["/etc/pam.d/sshd", "do not match"]),
}
AS_BEFORE = """
systemctl stop second-sshd || true
rm -rf /etc/ssh /etc/pam.d /etc/systemd/system/second-sshd.service
cp -a /root/met/ssh /root/met/pam.d /etc/
systemctl daemon-reload
"""


@pytest.fixture
def host(root, request, reload_sshd):
    """The host is set up like that, and files are compared with this state."""
    make, wanted = REFUSED[request.param]
    root.run_expect([0], "mkdir /root/met && cp -a /root/ssh /root/pam.d /root/met/")
    root.run_expect([0], make)
    if root.run("/usr/sbin/sshd -t").rc == 0:
        reload_sshd()
    root.run_expect([0], "rm -rf /root/ssh /root/pam.d && cp -a /etc/ssh /etc/pam.d /root/")
    yield wanted
    root.run_expect([0], AS_BEFORE)
    reload_sshd()
    root.run_expect([0], "rm -rf /root/ssh /root/pam.d && mv /root/met/* /root/ && rmdir /root/met")


EACH_TIME = ("second sshd", "half a block")


def all_of(names, each_time):
    """The others are tried before a release."""
    return [name if name in each_time else pytest.param(name, marks=pytest.mark.release) for name in names]


@pytest.mark.parametrize("host", all_of(REFUSED, EACH_TIME), indirect=True)
def test_site_refuses_and_changes_nothing(host, site, is_as_before, gets_in_by_key):
    # Without a PAM service of its own name, sshd falls back to `other`.
    logins = [gets_in_by_key(user) for user in ("alice", "bob", "carol")]
    went_well, printed = site()
    assert not went_well
    said = " ".join(printed.split())
    assert [words for words in host if words not in said] == [], printed
    assert is_as_before()
    assert [gets_in_by_key(user) for user in ("alice", "bob", "carol")] == logins


@pytest.mark.parametrize("option", all_of(["mfa_keys", "mfa_users"], ["mfa_keys"]))
def test_the_account_that_ansible_connects_with_is_not_enforced(option, root, site, is_as_before, gets_in_by_key):
    """With a validated key it is refused; with a pending one it stays as it is, and may not enroll itself."""
    key = {"user": "ansible", "secret": "V2CWBV6WRH7X3SVQGO5ZEHFGGJ7KXQ5T", "state": "validated"}
    given = {"mfa_keys": {"mfa_keys": [key]}, "mfa_users": {"mfa_keys": [], "mfa_users": ["ansible"]}}[option]
    try:
        went_well, printed = site("-e", json.dumps({"mfa_exempt_users": [], "mfa_enrollment": True, **given}))
        if option == "mfa_keys":
            assert not went_well and "add the account to mfa_exempt_users" in " ".join(printed.split())
            assert is_as_before()
        else:
            assert went_well, printed
            assert "    ansible\n" in root.file("/etc/fleetmfa/policy.conf").content_string
        assert gets_in_by_key("ansible")
        assert not root.file("/var/lib/fleetmfa/keys/ansible").exists
    finally:
        removed, printed = site("-e", "mfa_state=absent")
        assert removed, printed


# The account is named by ssh, not by the inventory; the controller's own environment names another one, or none.
NAMED_BY_SSH = {"ssh_config": ("-F {config}", {"USER": None}), "-o User=": ("-o User=ansible", {"USER": "root"})}


@pytest.mark.parametrize("named_by", all_of(NAMED_BY_SSH, ["ssh_config"]))
def test_the_account_is_what_the_host_says(named_by, root, run_nameless, site, gets_in_by_key, tmp_path):
    """On a host that already enforces, a new member changes neither PAM nor sshd, but still must not be the connected
    account."""
    config = tmp_path / "ssh_config"
    config.write_text("Host *\n  User ansible\n")
    arguments, environment = NAMED_BY_SSH[named_by]
    arguments = arguments.format(config=config)
    validated = {"user": "ansible", "secret": "V2CWBV6WRH7X3SVQGO5ZEHFGGJ7KXQ5T", "state": "validated"}
    pending = {**validated, "state": "present"}
    went_well, printed = site()
    assert went_well, printed
    members = root.group("mfa-enforced").members
    try:
        for check in ([], ["--check"]):
            refused = run_nameless("fleetmfa.ssh.site", arguments, environment, *check, mfa_keys=[validated])
            assert "ansible, which this run connects with, has a validated key" in refused
        went_well, printed = site("-e", json.dumps({"mfa_keys": [pending], "mfa_users": ["ansible"]}))
        assert went_well, printed
        tokens = {"mfa_validate_first": "000000", "mfa_validate_second": "000001", "mfa_validate_user": "ansible"}
        refused = run_nameless("fleetmfa.ssh.validate", arguments, environment, **tokens)
        assert "ansible, which this run connects with, has a validated key" in refused
        assert root.group("mfa-enforced").members == members
        assert gets_in_by_key("ansible")
    finally:
        removed, printed = site("-e", "mfa_state=absent")
        assert removed, printed


def test_site_goes_on_once_it_is_put_right(site, gets_in_by_key, gets_in_with_a_token):
    went_well, printed = site()
    assert went_well, printed
    assert not gets_in_by_key("alice")
    assert gets_in_with_a_token("alice")
    assert gets_in_by_key("bob")
