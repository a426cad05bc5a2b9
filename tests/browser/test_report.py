# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The page of an audit in Chromium, checked with axe-core: `dev/check_release report` installs both and says in AXE where its script is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.changes import changes
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import sealed
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.report_html import report_html
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import document, fleet, login_row
from ansible_collections.fleetmfa.ssh.tests.support.browser import answer, run_chromium

# For as long as axe-core needs, by the clock of the page.
WAIT = "--virtual-time-budget=600000"
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def page():
    """With every section: findings, changes, hosts that were not reached, real logins."""
    before = document(fleet(5, 13, seed=2))
    made = document(fleet(6, 12, away=1), logins=[login_row("alice", "asked", "asked")])
    return report_html(sealed({**made, "changes": changes(before, made)}))


def complaints(page, *options):
    """Of axe-core."""
    check = f"""{Path(os.environ["AXE"]).read_text()}
        return (await axe.run()).violations.map(one => [one.id, one.nodes.map(node => node.html)])"""
    return answer(page, check, WAIT, *options)


@pytest.mark.parametrize("options", [[LIGHT], [DARK], ["--window-size=400,800"]])
def test_axe_core_has_nothing_against_it(page, options):
    assert complaints(page, *options) == []


def test_axe_core_would_find_something(page):
    found = complaints(page.replace(b"--text: #1b1f24", b"--text: #c1c1c1").replace(b' lang="en"', b""), LIGHT)
    assert {name for name, _places in found} == {"color-contrast", "html-has-lang"}


def test_it_is_light_or_dark_as_the_reader_wants(page):
    assert answer(page, BACKGROUND, LIGHT) == "rgb(255, 255, 255)"
    assert answer(page, BACKGROUND, DARK) == "rgb(20, 24, 28)"


def test_no_script_can_run(page):
    assert answer(page, "return 1") == 1
    assert answer(page, "return 1", scripts_allowed=False) is None


def test_it_can_be_printed(page, tmp_path):
    (tmp_path / "page.html").write_bytes(page)
    run_chromium(f"--print-to-pdf={tmp_path}/page.pdf", (tmp_path / "page.html").as_uri())
    printed = (tmp_path / "page.pdf").read_bytes()
    assert printed.startswith(b"%PDF") and printed.count(b"/Type /Page\n") > 5
