# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What the modules say of a lock is what the guard does, to the second; tests/unit/roles/test_guard_wrong_tokens.py has the guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import guard_lock
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.guard_lock import WrongTokens, wrong_tokens

GUARD = Path(__file__).parents[5] / "roles/mfa/files/usr/local/libexec/fleetmfa/totp-guard"


@pytest.fixture(autouse=True)
def boot(tmp_path, monkeypatch):
    """A thousand seconds ago, as boot `this`."""
    for name, text in (("_UPTIME", "1000.25 1.00\n"), ("_BOOT_ID", "this\n")):
        monkeypatch.setattr(guard_lock, name, tmp_path / name)
        (tmp_path / name).write_text(text)


def found(*lines):
    return wrong_tokens({line.split()[0]: line.split()[1:] for line in lines})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), WrongTokens()),
        ((b"wrong 9 9",), WrongTokens(9)),
        ((b"wrong 10 0", b"locked this 900 1800"), WrongTokens(10, True, 1700)),
        ((b"wrong 10 0", b"locked this 900 101"), WrongTokens(10, True, 1)),
        ((b"wrong 10 0", b"locked this 900 100"), WrongTokens(10)),
        ((b"wrong 10 0", b"locked this 900 0"), WrongTokens(10, True)),
        ((b"wrong 10 0", b"locked other 900 1800"), WrongTokens(10, True, 800)),
        ((b"wrong 10 0", b"locked other 900 1000"), WrongTokens(10)),
        ((b"wrong 10 0", b"locked this 5000 1800"), WrongTokens(10, True, 800)),
        ((b"wrong 10 0", b"locked other 900 0"), WrongTokens(10, True)),
        ((b"wrong 100 0",), WrongTokens(100)),
        ((b"wrong 200 0",), WrongTokens(200, True)),
        ((b"wrong x 0",), WrongTokens(locked=True)),
        ((b"wrong",), WrongTokens(locked=True)),
        ((b"locked this 900",), WrongTokens(locked=True)),
    ],
)
def test_what_a_record_says(lines, expected):
    assert found(*lines) == expected


def test_suspended():
    assert [WrongTokens(number).suspended for number in (99, 100)] == [False, True]


def test_the_numbers_of_the_guard():
    text = GUARD.read_text()
    assert f"SUSPENDED_AT={guard_lock.SUSPENDED_AT} " in text and f"HOPELESS_AT={guard_lock.HOPELESS_AT} " in text
