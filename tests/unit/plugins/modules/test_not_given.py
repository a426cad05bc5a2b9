# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A call that does not speak of something leaves it as it is: who is exempt, which group is asked, the account check."""

from __future__ import annotations

import grp
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import POLICY_PATH
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.account_check import SHARED_FILE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._rollback.rollout import Rollout

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ASKED = "mfa-team"


def validated(*users):
    return [{"user": user, "secret": SECRET, "state": "validated"} for user in users]


def members():
    return set(grp.getgrnam(ASKED).gr_mem)


@pytest.fixture
def fleet_host(host, render):
    """As the role leaves it: another group than the default, carol exempt by name and bob by a group; all have keys."""
    host.accounts.add_group("robots", ["bob"])
    policy = Path(POLICY_PATH)
    policy.parent.mkdir()
    text = Path(render(mfa_group=ASKED, mfa_exempt_users=["carol"], mfa_exempt_groups=["robots"])).read_text()
    policy.write_text(text)
    keys = validated("alice", "bob", "carol")
    assert not host.totp_key(*keys, group=ASKED, exempt_users=["carol"], exempt_groups=["robots"]).get("failed")
    assert members() == {"alice"}
    return host


@pytest.mark.parametrize("state", ["present", "validated", "rotated"])
def test_totp_key_keeps_who_is_exempt(fleet_host, state):
    result = fleet_host.totp_key(*({"user": user, "state": state} for user in ("alice", "bob", "carol")))
    assert [(one["enforced"], one["exempt"]) for one in result["users"]] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    assert members() == {"alice"} and fleet_host.members() is None, "the default group was made"


def test_what_is_given_counts(fleet_host):
    fleet_host.totp_key(*validated("bob", "carol"), exempt_groups=[])
    assert members() == {"alice", "bob"}
    fleet_host.totp_key(*validated("carol"), exempt_users=[])
    assert members() == {"alice", "bob", "carol"}, "lists that are not given take nobody out"
    for user in ("alice", "bob", "carol"):
        assert not fleet_host.totp_key({"user": user})["changed"]
        settled = fleet_host.run("totp_validate", validations=[{"user": user, "tokens": ["123456", "234567"]}])
        assert not settled["changed"] and members() == {"alice", "bob", "carol"}
    fleet_host.totp_key({"user": "alice"}, exempt_users=["carol"], exempt_groups=[])
    assert members() == {"alice", "bob"}


def test_human_accounts_without_lists_are_those_that_are_not_exempt(fleet_host):
    fleet_host.accounts.add("dave")
    result = fleet_host.totp_key(human_accounts=True)
    assert [one["user"] for one in result["users"]] == ["alice", "dave"]


def test_totp_validate_keeps_who_is_exempt(fleet_host):
    fleet_host.totp_key(*({"user": user, "state": "rotated", "secret": SECRET[::-1]} for user in ("alice", "carol")))
    now = time.time()
    tokens = [fleet_host.token(SECRET[::-1], now, step) for step in (-1, 0)]
    result = fleet_host.run("totp_validate", validations=[{"user": u, "tokens": tokens} for u in ("alice", "carol")])
    assert [one["enforced"] for one in result["users"]] == [True, False], result
    assert members() == {"alice"}


def test_totp_key_info_and_sshd_policy_info_judge_by_the_same(fleet_host):
    users = {one["user"]: one for one in fleet_host.run("totp_key_info")["users"]}
    assert {name: (one["enforced"], one["exempt"]) for name, one in users.items()} == {
        "alice": (True, False), "bob": (False, True), "carol": (False, True),
    }  # fmt: skip
    assert not any(one["problems"] for one in users.values())


def test_a_policy_that_cannot_be_read_stops_a_call_that_needs_it(fleet_host):
    Path(POLICY_PATH).write_text("[host\n")
    before = fleet_host.snapshot()
    assert POLICY_PATH in fleet_host.totp_key({"user": "carol"})["msg"]
    assert fleet_host.snapshot() == before
    given = {"group": ASKED, "exempt_users": ["carol"], "exempt_groups": ["robots"]}
    assert not fleet_host.totp_key({"user": "carol"}, **given).get("failed")


# The account check

GATE = f"auth [success=ignore ignore=ignore auth_err=2 default=die] pam_succeed_if.so quiet user ingroup {ASKED}\n"
TOKEN = "auth requisite pam_google_authenticator.so secret=/var/lib/fleetmfa/keys/${USER} user=root noskewadj\n"
LAST = f"auth sufficient pam_succeed_if.so quiet user ingroup {ASKED}\n"
OWN = TOKEN + LAST + "auth include sshd\naccount include sshd\n"
CHECK = "# BEGIN fleetmfa.ssh account check"


@pytest.fixture
def services(tmp_path):
    folder = tmp_path / "services"
    folder.mkdir()
    (folder / "sshd").write_text("auth required pam_unix.so\naccount required pam_unix.so\n")
    return folder


@pytest.fixture
def roll_out(host, services):
    """Without a connection that logs in, so that each call is confirmed by the next."""
    ids = iter(f"{number:016x}" for number in range(1, 99))

    def run(**options):
        rollout_id = next(ids)
        result = host.run("totp_rollout", group=ASKED, rollout_id=rollout_id, confirm_timeout=3600, **options)
        assert not result.get("failed"), result
        if "rollback_at" in result:
            host.run("totp_rollout", phase="confirm", rollout_id=rollout_id)
        return result

    yield run
    rollout = Rollout(str(host.path))
    if rollout.folder.path.exists():
        rollout.settle()


def entries(services):
    common = {"confdir": str(services), "require_installed": False}
    return {
        "shared": {"service": "sshd", "content": GATE + TOKEN + LAST, **common},
        "own": {"service": "sshd-mfa", "content": OWN, "own_service": True, **common},
    }


@pytest.mark.parametrize("kind", ["shared", "own"])
@pytest.mark.parametrize("in_common", [True, False], ids=["common-account", "service"])
def test_the_account_check_stays_until_it_is_taken_out(run_module, services, roll_out, kind, in_common):
    if in_common:
        (services / SHARED_FILE).write_text("account required pam_permit.so\n")
        (services / "sshd").write_text("auth required pam_unix.so\naccount include common-account\n")
    entry = entries(services)[kind]
    check = {
        "services": ["sshd", "sshd-mfa"],
        "guard": "/usr/local/libexec/fleetmfa/totp-guard",
        "confdir": str(services),
    }

    def checked():
        return {path.name: path.read_text().count(CHECK) for path in services.iterdir() if CHECK in path.read_text()}

    roll_out(pam=[entry], account_check=check)
    there = checked()
    files = {path.name: path.read_text() for path in services.iterdir()}
    assert there and set(there.values()) == {1}
    for again in ({"pam": [entry]}, {"pam": []}, {"pam": [entry], "account_check": check}):
        assert not roll_out(**again)["changed"]
    changed = {**entry, "content": f"# another comment\n{entry['content']}"}
    assert roll_out(pam=[changed])["changed"] and checked() == there
    assert run_module("pam_totp", group=ASKED, **entry)["changed"]
    assert {path.name: path.read_text() for path in services.iterdir()} == files
    roll_out(pam=[entry], account_check={"state": "absent", "confdir": str(services)})
    assert checked() == {}


def test_a_check_that_is_to_be_there_needs_services_and_guard(host, services):
    result = host.run("totp_rollout", rollout_id="0" * 16, account_check={"services": ["sshd"]})
    assert result["failed"] and "guard" in result["msg"]
