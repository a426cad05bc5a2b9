# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A thousand probes: a summary for one screen, a file for CI, a line now and then; and prompts that repeat an answer."""

from __future__ import annotations

import threading
from xml.etree import ElementTree

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.junit import junit_xml
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.prompts import LoginPrompts, StoppedError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.row import ProbeRow, ProbeStep
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.run import run_probes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._login_probe.summary import counts_of, summary
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.answers import PromptAnswers, TokenSource
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.prompts import PromptRules, token_pattern

STEPS = [
    ProbeStep("none", "offered", ["publickey"], []),
    ProbeStep("keyboard-interactive", "accepted", [], ["Code & <more>:"]),
]


def row(number=1, expected="asked", result="asked", reason=""):
    return ProbeRow(f"web{number}", "alice", expected, result, reason, STEPS, 0.25)


def test_summary_of_a_thousand_as_expected():
    rows = [row(number, result, result) for number in range(500) for result in ("asked", "denied")]
    assert summary(rows) == "1000 probes as expected: 500 asked, 500 denied"
    assert summary(rows[:1]) == "1 probe as expected: 1 asked"


def test_summary_of_a_thousand_that_differ_fits_a_screen():
    rows = [row(number, result="error", reason="because of something " * 30) for number in range(1000)]
    told = summary(rows)
    assert told.startswith(
        "1000 of 1000 probes not as expected (1000 error): web0, alice: expected asked, was error (be"
    )
    assert "web19, alice" in told and "web20, alice" not in told and told.endswith("; and 980 more")
    assert told.count("(because of something") == 5 and len(told) < 80 * 20
    assert counts_of(rows) == {"asked": 0, "not_asked": 0, "denied": 0, "error": 1000}


def test_junit():
    rows = [row(1), row(2, result="denied", reason="ä < b"), row(3, result="error", reason="dead"), row(4)]
    suites = ElementTree.fromstring(junit_xml(rows).decode())  # noqa: S314
    for numbers in (suites.attrib, suites[0].attrib):
        assert (numbers["tests"], numbers["failures"], numbers["errors"], numbers["time"]) == ("4", "1", "1", "1.00")
    cases = suites.findall("testsuite/testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases][:2] == [
        ("web1", "alice: asked"),
        ("web2", "alice: asked"),
    ]
    assert [child.tag for case in cases for child in case if child.tag != "system-out"] == ["failure", "error"]
    failure = cases[1].find("failure")
    assert (failure.get("message"), failure.text) == ("expected asked, was denied", "ä < b")
    assert "keyboard-interactive: accepted 'Code & <more>:'; then nothing" in cases[0].findtext("system-out")


def test_progress_is_told_while_probes_run():
    """The first two probes are done at once, the third waits until a line was printed."""
    said, printed = [], threading.Event()

    def row_of(number):
        if number == 3:
            assert printed.wait(300)
        return row(number, result="asked" if number != 2 else "denied")

    def say(text):
        said.append(text)
        if text.startswith("2 of 3"):
            printed.set()

    rows = run_probes([1, 2, 3], row_of, 3, say, every=0.02)
    assert [one.host for one in rows] == ["web1", "web2", "web3"]
    assert "2 of 3 probes done, 1 not as expected" in said


def test_no_more_than_asked_for_run_at_a_time():
    lock, running, most = threading.Lock(), [], []

    def row_of(number):
        with lock:
            running.append(number)
            most.append(len(running))
        threading.Event().wait(0.01)
        with lock:
            running.remove(number)
        return row(number)

    assert len(run_probes(list(range(40)), row_of, 4, lambda _text: None)) == 40
    assert max(most) <= 4


def test_an_interrupted_run_begins_no_more_probes():
    begun = []

    def row_of(number):
        begun.append(number)
        threading.Event().wait(0.05)
        return row(number)

    def say(_text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_probes(list(range(1000)), row_of, 2, say, every=0.02)
    assert len(begun) < 1000


RULES = PromptRules(token_pattern("code"), "assword")


def prompts(password):
    source = TokenSource(lambda: None, lambda: "987654")
    answers = PromptAnswers(RULES, password, lambda _jump: source, lambda _jump: None, lambda _text: None)
    return LoginPrompts(RULES, answers, True, password)


def test_a_prompt_that_repeats_an_answer_is_shown_without_it():
    one = prompts("open sesame")
    assert one("", "", [("Password:", False), ("code:", False)]) == ["open sesame", "987654"]
    with pytest.raises(StoppedError, match=r"Once more, \*+ and \*+") as caught:
        one("", "", [("Once more, open sesame and 987654", True)])
    assert one.seen == ["Password:", "code:", "Once more, ******** and ********"]
    assert "987654" not in str(caught.value)


def test_two_tokens_in_one_login_are_refused():
    one = prompts("open sesame")
    one("", "", [("code:", False)])
    with pytest.raises(StoppedError, match="a second token in the same login"):
        one("", "", [("code:", False)])
