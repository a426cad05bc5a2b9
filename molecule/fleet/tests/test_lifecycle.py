# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Lost devices, leavers and too many attempts, as an operator on the phone handles them. Real logins are the judge.

Each test has people of its own, whom no other test of this scenario knows.
"""

from __future__ import annotations

import re
import time

import pytest
from conftest import NAMES, SERVERS, STEP, fresh_token

from lab.logins import client_options, login, run_client

AWAY = "debian11"
KEYS = "/var/lib/fleetmfa/keys"


def burnt_now() -> int:
    """The last step that a validation of this moment has used."""
    return int(time.time() // STEP) + 1


def recovery_codes(fleet, name, user):
    return [line for line in fleet.root(name, f"cat {KEYS}/{user}").splitlines() if re.fullmatch("[0-9]{8}", line)]


def denied(gets_in, names, user, answer):
    return [name for name in names if gets_in(name, user, answer)] == []


def test_a_lost_phone(fleet, gets_in, tmp_path):
    """The old key is dead wherever the run has got to, and on the host that was away from its next sync on."""
    old = fleet.validate("debian12-1", "erin")
    burnt = burnt_now()
    assert fleet.sync().succeeded
    code, other = recovery_codes(fleet, "debian12-1", "erin")[:2]
    run = fleet.decide("recover", f"all:!{AWAY}", mfa_recover_user="erin", mfa_recover_file=str(tmp_path / "erin.html"))
    assert run.succeeded and old.secret not in run.output, run.output
    reached = [name for name in NAMES if name != AWAY]
    _step, token = fresh_token(old, burnt)
    assert denied(gets_in, reached, "erin", token) and denied(gets_in, reached, "erin", code)
    assert gets_in(AWAY, "erin", other), "not told yet"

    new = fleet.validate("debian13-1", "erin")
    burnt = burnt_now()
    assert new.secret != old.secret and new.secret[:4] in (tmp_path / "erin.html").read_text()
    run = fleet.sync()
    assert run.succeeded, run.output
    step, token = fresh_token(new, burnt)
    assert denied(gets_in, NAMES, "erin", old.at(step * STEP)) and denied(gets_in, [AWAY], "erin", code)
    step, token = fresh_token(new, step)
    assert [name for name in NAMES if not gets_in(name, "erin", token)] == []
    assert fleet.sync().succeeded and fleet.sync().changed == set()


def test_not_asked_until_the_new_phone_is_there(fleet, gets_in, not_asked, tmp_path):
    fleet.validate("debian12-2", "frank")
    assert fleet.sync().succeeded and not [name for name in NAMES if not_asked(name, "frank")]
    sheet = {"mfa_recover_user": "frank", "mfa_recover_file": str(tmp_path / "frank.html")}
    run = fleet.decide("recover", mfa_recover_access="not_asked", **sheet)
    assert run.succeeded, run.output
    assert [name for name in NAMES if not not_asked(name, "frank")] == []
    assert "does not show your key" in fleet.root(AWAY, "su frank -c 'mfa-enroll show' 2>&1 || true")
    new = fleet.validate(AWAY, "frank")
    burnt = burnt_now()
    assert fleet.sync().succeeded
    _step, token = fresh_token(new, burnt)
    assert [name for name in NAMES if not gets_in(name, "frank", token)] == []


def test_a_help_desk_code(fleet, gets_in, tmp_path):
    file = tmp_path / "code"
    code = {"mfa_recover_user": "frank", "mfa_recover_mode": "help_desk_code", "mfa_recover_file": str(file)}
    run = fleet.decide("recover", **code)
    assert run.succeeded, run.output
    answer = re.search(r"\b\d{4} \d{4}\b", file.read_text())[0].replace(" ", "")
    assert answer not in run.output
    assert gets_in("debian13-2", "frank", answer) and not gets_in("debian13-2", "frank", answer)
    ended = f'sed -i \'s/\\("expiring": "r[0-9]* \\)[0-9]*/\\11/\' {KEYS}/frank'
    fleet.root("debian12-1", ended)
    assert not gets_in("debian12-1", "frank", answer), "its time is over"
    assert fleet.sync().succeeded
    assert denied(gets_in, NAMES, "frank", answer)


def test_too_many_attempts(fleet, gets_in):
    codes = recovery_codes(fleet, "debian12-1", "frank")
    assert gets_in("debian12-1", "frank", codes[0])
    fleet.root("debian12-1", f"sed -i 's/RATE_LIMIT [0-9]* [0-9]*/RATE_LIMIT 1 3600/' {KEYS}/frank")
    assert not login(SERVERS["debian12-1"], "frank", [codes[1]]).allowed, "one attempt an hour, and that was it"
    run = fleet.decide("unlock", mfa_unlock_users="frank")
    assert run.succeeded and "debian12-1" in run.changed, run.output
    assert gets_in("debian12-1", "frank", codes[1])


def test_a_leaver(fleet, gets_in, not_asked):
    """One who has validated a key, and one who never did."""
    codes = recovery_codes(fleet, "debian13-1", "frank")
    assert not_asked("debian13-1", "gail")
    run = fleet.decide("revoke", f"all:!{AWAY}", mfa_revoke_users="frank,gail")
    assert run.succeeded, run.output
    assert not_asked(AWAY, "gail"), "not told yet"
    assert fleet.sync(AWAY).succeeded
    for user in ("frank", "gail"):
        assert denied(gets_in, NAMES, user, codes[-1])
    assert fleet.decide("revoke", mfa_revoke_users="frank,gail").changed == set()


def test_the_loser_of_two_keys_is_told_once(fleet):
    first, _second = fleet.validate("debian12-1", "hank"), fleet.validate("debian13-2", "hank")
    burnt = burnt_now()
    assert fleet.sync().succeeded
    told = []
    for _time in range(2):
        burnt, token = fresh_token(first, burnt)
        told.append(_session(SERVERS["debian13-2"], "hank", token))
    assert "does not count any more" in told[0] and "on debian12-1" in told[0]
    assert "does not count any more" not in told[1]


@pytest.mark.release
def test_another_name_on_one_host_and_a_key_that_is_too_old(fleet, gets_in, not_asked):
    """Jane's account on debian12-2 is jsmith; on other hosts that is the name of somebody else."""
    fleet.root("debian12-2", "userdel jane")
    accounts = {name: "jsmith" if name == "debian12-2" else "jane" for name in NAMES}
    old = fleet.validate("debian12-1", "jane")
    burnt = burnt_now()
    assert fleet.sync().succeeded and not_asked("debian12-2", "jsmith")
    fleet.set_aliases({"debian12-2": {"jsmith": "jane"}})
    assert fleet.sync().succeeded
    burnt, token = fresh_token(old, burnt)
    assert [name for name, user in accounts.items() if not gets_in(name, user, token)] == []
    assert not_asked("debian12-1", "jsmith")

    fleet.root("debian12-1", f'sed -i \'s/"since": [0-9]*/"since": 1700000000/\' {KEYS}/jane')
    run = fleet.sync("all", "-e", "mfa_key_max_age=365")
    assert run.succeeded and "key_old" in run.output, run.output
    burnt, token = fresh_token(old, burnt)
    assert [name for name, user in accounts.items() if not gets_in(name, user, token)] == [], "it counts until then"
    new = fleet.validate("debian12-2", "jsmith")
    burnt = burnt_now()
    assert fleet.sync().succeeded
    step, token = fresh_token(new, burnt)
    assert [name for name, user in accounts.items() if gets_in(name, user, old.at(step * STEP))] == []
    step, token = fresh_token(new, step)
    assert [name for name, user in accounts.items() if not gets_in(name, user, token)] == []


def _session(server, user, token):
    """What an interactive login prints."""
    argv = ["ssh", "-tt", *client_options(server), f"{user}@{server.address}"]
    done = run_client(argv, [token], stdin="exit\n")
    assert done.asked, done
    return " ".join(done.output.split())


@pytest.mark.parametrize("name", NAMES)
def test_no_reason_and_no_secret_of_the_store_is_on_a_host(fleet, name):
    assert fleet.root(name, "grep -rl 'a test of the fleet' /etc /var/lib/fleetmfa 2>/dev/null || true") == ""
