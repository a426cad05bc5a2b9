# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Sheets as a playbook writes them; the QR code is read by a real decoder."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from html.parser import HTMLParser

import pytest

from ansible_collections.fleetmfa.ssh.tests.support.qr_picture import picture_of

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OTHER = "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA"
CODES = ["12345678", "23456789"]
KEY = {"user": "alice", "secret": SECRET, "recovery_codes": CODES, "state": "pending"}


@pytest.fixture
def sheets(tmp_path):
    """sheets(keys=[...], check=True, ok=False) runs the task in a playbook; its output."""

    def run(*options, ok=True, **arguments):
        arguments = {"dest": str(tmp_path / "sheets"), "keys": [KEY], **arguments}
        tasks = [{"fleetmfa.ssh.enrollment_sheets": arguments, "no_log": True}]
        playbook = tmp_path / "playbook.yml"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        done = subprocess.run(
            ["ansible-playbook", "-vvv", "--diff", *options, str(playbook)],
            capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.mark.skipif(not shutil.which("zbarimg"), reason="needs zbarimg (zbar-tools)")
def test_the_code_on_the_sheet_is_the_key(sheets, tmp_path):
    sheets(issuer="Example Fleet", contact="the help desk")
    html = (tmp_path / "sheets/alice.html").read_text()
    done = subprocess.run(
        ["zbarimg", "-q", "--raw", picture_of(html, tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == f"otpauth://totp/Example%20Fleet:alice?secret={SECRET}&issuer=Example%20Fleet"
    assert html.count("JBSW Y3DP EHPK 3PXP") == 2 and all(code in html for code in CODES)
    assert "Tell the help desk at once" in html


def test_modes_and_idempotence(sheets, tmp_path):
    sheets("--check")
    assert not (tmp_path / "sheets").exists()
    assert "changed=1" in sheets()
    sheet = tmp_path / "sheets/alice.html"
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600 and stat.S_IMODE(sheet.parent.stat().st_mode) == 0o700
    assert "changed=0" in sheets() and "changed=0" in sheets("--check")


def test_nothing_secret_is_printed(sheets):
    output = (
        sheets() + sheets(keys=[{**KEY, "secret": SECRET + "0189"}], ok=False) + sheets(keys=[f"{SECRET}"], ok=False)
    )
    for secret in (SECRET, *CODES, "otpauth"):
        assert secret not in output


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"secret": "SHORT234"}, "keys, entry 2: the secret has 40 bits"),
        ({"secret": None}, "keys, entry 2"),
        ({"user": "../alice"}, "keys, entry 2: '../alice' cannot be the name"),
    ],
)
def test_a_wrong_key_stops_it_before_anything_is_written(sheets, tmp_path, changed, told):
    assert told in sheets(keys=[KEY, {**KEY, "user": "bob", **changed}], ok=False)
    assert not (tmp_path / "sheets").exists()


class Links(HTMLParser):
    """What a page would load or run."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, name) for name, _value in attrs if name in ("src", "href", "onload", "onerror", "action")]
        self.found += [(tag, "")] * (tag in ("script", "link", "iframe", "img"))


def test_a_page_needs_nothing_and_runs_nothing(sheets, tmp_path):
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    sheets(keys=[{**KEY, "issuer": evil, "account": evil, "recovery_codes": [evil]}], contact=evil)
    links = Links()
    links.feed((tmp_path / "sheets/alice.html").read_text())
    assert links.found == []


def test_a_second_device_has_a_sheet_of_its_own(sheets, tmp_path):
    sheets(keys=[KEY, {"user": "alice", "device": "tablet", "secret": OTHER}])
    first, second = ((tmp_path / "sheets" / name).read_text() for name in ("alice.html", "alice.tablet.html"))
    assert "mfa-enroll" in first and "tablet" not in first
    assert "mfa-enroll" not in second and "your second device, <strong>tablet</strong>" in second
    assert "device: must be a short name" in sheets(keys=[{**KEY, "device": "../x"}], ok=False)
