# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The log of logins: what lines mean, files of syslog, and a real journal."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit import log_events, log_lines
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_events import event_of, log_report
from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.log_lines import LogLine, LogLines, idents
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError

KNOWN = {"alice", "bob smith"}
IDENTS = idents(["sshd", "sshd-mfa"])
FROM = "from 203.0.113.7 port 50000"
KEYS = "/var/lib/fleetmfa/keys"
REUSE = 'Trying to reuse a previously used time-based code. ("{}")Retry again in 20 seconds. Warning! This might mean, you are'
NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("ident", "message", "event"),
    [
        ("sshd", f"Accepted publickey for alice {FROM} ssh2: ED25519 SHA256:x", ("accepted", "alice", "203.0.113.7")),
        (
            "sshd-session",
            f"Accepted keyboard-interactive/pam for alice {FROM} ssh2",
            ("accepted", "alice", "203.0.113.7"),
        ),
        ("sshd-auth", f"Failed keyboard-interactive/pam for alice {FROM} ssh2", ("refused", "alice", "203.0.113.7")),
        ("sshd", f"Failed password for bob smith {FROM} ssh2", ("refused", "bob smith", "203.0.113.7")),
        ("sshd", f"Failed password for invalid user hunter2 {FROM} ssh2", None),
        ("sshd", f"Invalid user hunter2 {FROM}", ("refused", "", "203.0.113.7")),
        ("sshd", f"Invalid user x from 198.51.100.1 port 1 {FROM}", ("refused", "", "203.0.113.7")),
        ("sshd", f"Failed password for hunter2 {FROM} ssh2", ("refused", "", "203.0.113.7")),
        ("sshd", f"Failed publickey for alice {FROM} ssh2: RSA SHA256:x", None),
        ("sshd", f"Failed none for alice {FROM} ssh2", None),
        ("sshd", f"Partial publickey for alice {FROM} ssh2", None),
        ("sshd", "Access denied for user alice by PAM account configuration [preauth]", ("refused", "alice", "")),
        (
            "sshd",
            "fatal: Access denied for user alice by PAM account configuration [preauth]",
            ("refused", "alice", ""),
        ),
        (
            "sshd",
            "User alice from 203.0.113.7 not allowed because not listed in AllowUsers",
            ("refused", "alice", "203.0.113.7"),
        ),
        ("sshd", "User alice not allowed because account is locked", ("locked", "alice", "")),
        (
            "sshd",
            "pam_faillock(sshd:auth): Consecutive login failures for user alice account temporarily locked",
            ("locked", "alice", ""),
        ),
        ("sshd", "pam_unix(sshd:auth): authentication failure; user=alice", None),
        (
            "totp-guard",
            "refused alice from 203.0.113.7: this token has already let in another login",
            ("reused", "alice", "203.0.113.7"),
        ),
        (
            "totp-guard",
            "refused alice from h: this token has already let in a login on another host: x",
            ("reused", "alice", "h"),
        ),
        ("totp-guard", "refused alice (as ALICE): more than 3 attempts in 30 seconds", ("rate_limited", "alice", "")),
        (
            "totp-guard",
            "refused alice from 203.0.113.7: no token was given in this login",
            ("refused", "alice", "203.0.113.7"),
        ),
        (
            "totp-guard",
            "refused alice from h: locked after 10 wrong tokens in a row",
            ("locked", "alice", "h"),
        ),
        (
            "totp-guard",
            "locked alice (as ALICE) from 203.0.113.7: 10 wrong tokens in a row, for 1800 seconds",
            ("locked", "alice", "203.0.113.7"),
        ),
        ("totp-guard", "accepted on a claim on this host alone alice: x", None),
        # sshd says who was let in, and whose token was wrong: each login counts once.
        ("totp-guard", "asked alice from h: for a token", None),
        ("totp-guard", "accepted alice from h: a token", None),
        ("totp-guard", "wrong token of alice from h: 3 in a row", None),
        ("totp-guard", "not asked alice from h: has no key on this host", None),
        ("sshd(pam_google_authenticator)", REUSE.format(f"{KEYS}/alice"), ("reused", "alice", "")),
        ("sshd-mfa(pam_google_auth)", REUSE.format("/home/alice/.google_authenticator"), ("reused", "alice", "")),
        (
            "sshd(pam_google_auth)",
            f'Too many concurrent login attempts ("{KEYS}/alice"). Please try again.',
            ("rate_limited", "alice", ""),
        ),
        ("sshd(pam_google_auth)", "Invalid verification code for alice", None),
    ],
)
def test_what_a_line_means(ident, message, event):
    assert event_of(LogLine(0.0, ident, "1", message), KNOWN) == event


def test_text_of_the_guard():
    """Its messages are found as the program writes them."""
    program = (Path(__file__).parents[5] / "roles/mfa/files/usr/local/libexec/fleetmfa/totp-guard").read_text()
    for text in (
        "this token has already let in another login",
        "more than $limit attempts in $period seconds",
        "locked after $wrong wrong tokens in a row",
        'decide 1 locked "$until" "$wrong wrong tokens in a row, ',
    ):
        assert text in program


def test_text_of_the_module():
    found = [path for path in Path("/").glob("usr/lib/*/security/pam_google_authenticator.so")]
    if not found:
        pytest.skip("no pam_google_authenticator on this machine")
    text = found[0].read_bytes()
    assert b"Trying to reuse a previously used time-based code." in text
    assert b"Too many concurrent login attempts" in text


def bsd(seconds, message, ident="sshd", process=1):
    return f"{time.strftime('%b %e %H:%M:%S', time.localtime(seconds))} host {ident}[{process}]: {message}\n"


ACCEPTED = f"Accepted publickey for alice {FROM} ssh2"


class LogFolder:
    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text, seconds=NOW):
        content = text if isinstance(text, bytes) else text.encode()
        path = self.folder / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") and not isinstance(text, bytes) else content)
        os.utime(path, (seconds, seconds))

    def read(self, days=7, now=NOW):
        return LogLines(days, IDENTS, journal=None, files=[f"{self.folder}/auth.log*"], now=now)


@pytest.fixture
def logs(tmp_path):
    return LogFolder(tmp_path)


def rows(found):
    return [
        (row["event"], row["user"], row["count"], row["first"], row["last"])
        for row in log_report(7, found, KNOWN)["events"]
    ]


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_files_of_syslog(logs):
    """The present one, a rotated one, a packed one; and one that is too old to be read."""
    day = 86400
    logs.write("auth.log", bsd(NOW - 60, ACCEPTED) + bsd(NOW - 50, "something else") + bsd(NOW - 40, ACCEPTED, "cron"))
    logs.write("auth.log.1", bsd(NOW - day, ACCEPTED) + bsd(NOW - 8 * day, ACCEPTED), NOW - day)
    iso = time.strftime("%Y-%m-%dT%H:%M:%S.123456+00:00", time.gmtime(NOW - 2 * day))
    logs.write("auth.log.2.gz", f"{iso} host sshd-session[7]: {ACCEPTED}\n", NOW - 2 * day)
    logs.write("auth.log.3", bsd(NOW - 9 * day, ACCEPTED), NOW - 9 * day)
    found = logs.read()
    assert (found.source, found.cut) == ("file", False)
    assert rows(found) == [("accepted", "alice", 3, utc(NOW - 2 * day), utc(NOW - 60))]
    assert rows(logs.read(days=1)) == [("accepted", "alice", 2, utc(NOW - day), utc(NOW - 60))]


def test_time_without_a_year(logs):
    """A line of the last day of the year that is read on the first of the next."""
    new_year = time.mktime((2026, 1, 1, 0, 30, 0, 0, 0, -1))
    logs.write("auth.log", bsd(new_year - 3600, ACCEPTED), new_year)
    assert rows(logs.read(now=new_year)) == [("accepted", "alice", 1, utc(new_year - 3600), utc(new_year - 3600))]


def test_no_log_at_all(logs):
    assert (logs.read().source, logs.read().lines) == ("none", [])


def test_broken_file_is_said(logs):
    logs.write("auth.log.gz", b"\x1f\x8b\x08nonsense")
    assert "auth.log.gz cannot be read" in logs.read().problem


def test_journal_that_does_not_answer(logs, monkeypatch):
    """Files are read in its place; without any, nothing is known."""

    def fail(*_command):
        raise FleetMfaError("journalctl did not end within 60 seconds")

    monkeypatch.setattr(log_lines, "find_program", str)
    monkeypatch.setattr(log_lines, "run", fail)
    found = LogLines(7, IDENTS, files=[f"{logs.folder}/auth.log*"], now=NOW)
    assert (found.source, found.problem) == ("none", "journalctl did not end within 60 seconds")
    logs.write("auth.log", bsd(NOW - 60, ACCEPTED))
    found = LogLines(7, IDENTS, files=[f"{logs.folder}/auth.log*"], now=NOW)
    assert (found.source, len(found.lines), found.problem) == ("file", 1, "journalctl did not end within 60 seconds")


def test_bounds(logs, monkeypatch):
    """The latest lines, the most frequent rows; and that there were more is said."""
    text = "".join(bsd(NOW - 100 + n, f"Failed password for alice from 203.0.113.{n} port 1 ssh2") for n in range(20))
    text += bsd(NOW - 1, "Failed password for alice from 203.0.113.19 port 1 ssh2")
    logs.write("auth.log", text)
    monkeypatch.setattr(log_events, "_MOST_ROWS", 5)
    report = log_report(7, logs.read(), KNOWN)
    assert report["truncated"] and len(report["events"]) == 5
    assert (report["events"][0]["address"], report["events"][0]["count"]) == ("203.0.113.19", 2)
    monkeypatch.setattr(log_events, "_MOST_ROWS", 100)
    assert not log_report(7, logs.read(), KNOWN)["truncated"]
    monkeypatch.setattr(log_lines, "_MOST_LINES", 3)
    found = logs.read()
    assert len(found.lines) == 3 and found.cut and found.lines[-1].when == NOW - 1
    monkeypatch.setattr(log_lines, "_MOST_BYTES", 150)
    assert logs.read().cut


JOURNAL_REMOTE = shutil.which("systemd-journal-remote", path=f"/usr/lib/systemd:/lib/systemd:{os.environ['PATH']}")


@pytest.fixture
def journal(tmp_path):
    """A journal of entries (seconds, ident, message), which the real journalctl reads; a fourth element is who wrote it."""
    if not (JOURNAL_REMOTE and shutil.which("journalctl")):
        pytest.skip("needs journalctl and systemd-journal-remote, which makes a journal of an export")

    def make(*entries):
        path, boot = tmp_path / "test.journal", "0" * 31 + "1"
        exported = "".join(
            f"__REALTIME_TIMESTAMP={int(when * 1e6)}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID={boot}\n"
            f"SYSLOG_IDENTIFIER={ident}\nSYSLOG_PID=1\n_HOSTNAME=host\n_UID={writer[0] if writer else 0}\nMESSAGE={message}\n\n"
            for number, (when, ident, message, *writer) in enumerate(entries)
        )
        subprocess.run(
            [JOURNAL_REMOTE, f"--output={path}", "-"], input=exported.encode(), check=True, capture_output=True
        )
        return [f"--file={path}"]

    return make


def test_journal(journal):
    which = journal(
        (NOW - 8 * 86400, "sshd", ACCEPTED),
        (NOW - 300, "sshd", ACCEPTED),
        (NOW - 200, "sshd-session", ACCEPTED),
        (NOW - 100, "totp-guard", "refused alice from h: this token has already let in another login"),
        (NOW - 90, "sshd(pam_google_authenticator)", REUSE.format(f"{KEYS}/alice")),
        (NOW - 80, "sshd-mfa(pam_google_auth)", REUSE.format(f"{KEYS}/alice")),
        (NOW - 70, "cron", ACCEPTED),
        (NOW - 60, "sshd", ACCEPTED, 1000),
    )
    found = LogLines(7, IDENTS, journal=which, files=(), now=NOW)
    assert (found.source, found.cut, found.problem) == ("journal", False, "")
    assert rows(found) == [
        ("accepted", "alice", 2, utc(NOW - 300), utc(NOW - 200)),
        ("reused", "alice", 2, utc(NOW - 90), utc(NOW - 80)),
        ("reused", "alice", 1, utc(NOW - 100), utc(NOW - 100)),
    ]


def test_journal_without_logins(journal):
    """Nobody has logged in, which is not the same as no log."""
    assert LogLines(7, IDENTS, journal=journal((NOW, "cron", "x")), files=(), now=NOW).source == "journal"
