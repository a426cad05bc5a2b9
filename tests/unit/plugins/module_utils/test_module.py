# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What a module was given stands neither in the host's log nor in what it tells when it fails."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module

SECRET = "JBSWY3DPEHPK3PXP"
SPEC = {"user": {"type": "str"}, "recovery_codes": {"type": "list", "elements": "str", "no_log": True}}


@pytest.fixture
def run(monkeypatch, capsys):
    """What the module logs and what it tells, given options; `main` is what it does then."""
    logged = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(basic.syslog, "syslog", lambda _priority, text: logged.append(text))

    def run(main, **options):
        with patch_module_args({**options, "_ansible_verbosity": 4}), pytest.raises(SystemExit):
            main(Module(SPEC))
        return "\n".join(logged), json.loads(capsys.readouterr().out)

    return run


def unreached(module):
    raise AssertionError("the options were taken")


@pytest.mark.parametrize("recovery_codes", [f"{SECRET},{SECRET[:8]}", [{SECRET: 1}], [[SECRET]]])
def test_the_log_says_that_it_was_called_and_nothing_more(run, recovery_codes):
    logged, _told = run(lambda module: module.exit_json(), recovery_codes=recovery_codes)
    assert logged.endswith("Invoked")


@pytest.mark.parametrize(
    "options", [{"recovery_kodes": [SECRET]}, {"recovery_codes": {SECRET: 1}}, {SECRET[:4]: {"a": SECRET}}]
)
def test_bad_options_are_not_shown(run, options):
    _logged, told = run(unreached, **options)
    assert told["failed"] and told["msg"]
    assert SECRET not in json.dumps(told)


def test_a_later_failure_does_not_reveal_them(run):
    _logged, told = run(
        lambda module: module.fail_json(msg="no", user="alice"), user="alice", recovery_codes=f"{SECRET},1"
    )
    assert (told["msg"], told["user"]) == ("no", "alice")
    # ansible-core 2.21 and later leaves it out unless it is asked for.
    assert told.get("invocation", {"module_args": {}}) == {"module_args": {}}


def test_what_a_module_logs_itself_is_logged(run):
    def log(module):
        module.log("one line")
        module.exit_json()

    logged, _told = run(log, user="alice")
    assert logged.splitlines()[-1].endswith("one line")
