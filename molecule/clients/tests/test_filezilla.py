# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""docs/clients.md, FileZilla: a program with windows, on a display of its own."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from lab.logins import TIMEOUT

SITES = """<FileZilla3><Servers><Server><Host>{0.address}</Host><Port>{0.port}</Port><Protocol>1</Protocol><Type>0</Type>
<User>filezilla</User><Logontype>3</Logontype><Name>web1</Name></Server></Servers></FileZilla3>"""
SETTINGS = """<FileZilla3><Settings><Setting name="Greeting version">3.99.0</Setting><Setting name="Update Check">0</Setting>
<Setting name="SFTP keyfiles">{0.key}</Setting><Setting name="Log to file">1</Setting>
<Setting name="Logging file">{1}</Setting></Settings></FileZilla3>"""


@pytest.fixture
def display():
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x700x24"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()
    assert number, "Xvfb has not started"
    yield f":{number}"
    server.terminate()
    server.wait()


@pytest.fixture
def filezilla(server, tmp_path, display):
    """The environment in which it runs and is connecting to the server, and its log."""
    settings, log = tmp_path / "filezilla", tmp_path / "log"
    settings.mkdir()
    (settings / "sitemanager.xml").write_text(SITES.format(server))
    (settings / "filezilla.xml").write_text(SETTINGS.format(server, log))
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "DISPLAY": display}
    program = subprocess.Popen(
        ["filezilla", "-c", "0/web1"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    yield environment, log
    program.kill()
    program.wait()


def wait_for(found):
    deadline = time.monotonic() + TIMEOUT
    while not (seen := found()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return seen


def test_the_token_is_typed_into_its_window(filezilla, keys):
    environment, log = filezilla

    def xdotool(*arguments):
        return subprocess.run(
            ["xdotool", *arguments], env=environment, capture_output=True, text=True, check=False
        ).stdout

    def type_into(title, text):
        window = wait_for(lambda: xdotool("search", "--name", f"^{title}$")).split()[0]
        xdotool("windowfocus", "--sync", window)
        if text:
            xdotool("type", "--window", window, text)
        xdotool("key", "--window", window, "Return")
        wait_for(lambda: window not in xdotool("search", "--name", f"^{title}$").split())

    type_into("Unknown host key", "")
    type_into("Enter password", keys["filezilla"].token())
    logs = wait_for(lambda: [one for one in log.parent.glob("log*") if "listing of" in one.read_text()])
    assert 'Directory listing of "/home/filezilla" successful' in logs[0].read_text()
