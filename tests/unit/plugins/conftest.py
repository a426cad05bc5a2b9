# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A host of one's own for tests about keys: accounts and groups that nobody else sees, and logins through the real
pam_google_authenticator."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import syslog
import tempfile
import threading
import time
from pathlib import Path

import jinja2
import pytest

from ansible_collections.fleetmfa.ssh.tests.support.pam_logins import SERVICE, PamLogin
from ansible_collections.fleetmfa.ssh.tests.support.told_host import ToldHost

_CLONE_NEWNS = 0x00020000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_THREAD_ENDS_WITHIN = 300  # seconds
_ACCOUNT_FILES = (
    "passwd",
    "group",
    "shadow",
    "gshadow",
    "nsswitch.conf",
    "login.defs",
    "localtime",
    "pam.d",
    "security",
)
_PAM_MODULE_FOLDERS = ("/lib/*/security", "/lib64/security", "/usr/lib/*/security", "/usr/lib64/security")

POLICY_TEMPLATE = Path(__file__).parents[3] / "roles/mfa/templates/etc/fleetmfa/policy.conf.j2"
POLICY_VARIABLES = {
    "ansible_managed": "Ansible managed",
    "mfa__state_dir": "/var/lib/fleetmfa",
    "mfa__overdue_group": "mfa-overdue",
    "mfa_group": "mfa-enforced",
    "mfa_users": "all",
    "mfa_exempt_users": [],
    "mfa__sshd": {"cannot_answer": []},
    "mfa_exempt_groups": [],
    "mfa_issuer": "SSH",
    "mfa_period": 30,
    "mfa_window": 3,
    "mfa_rate_limit_attempts": 3,
    "mfa_rate_limit_seconds": 30,
    "mfa_recovery_codes": 5,
    "mfa_enrollment_start": "",
    "mfa_enrollment_days": 7,
    "mfa_enrollment_overdue": "allow",
    "mfa_enrollment_extensions": {},
    "mfa_unknown_first_factor": "error",
    "mfa_last_login_notice": True,
}


class Accounts:
    """/etc as this process and its children see it; the machine's own is not touched."""

    def add(self, *users, groups=(), first_uid=20000, login_shell="/bin/bash"):
        """Accounts with a group of the same name each; written at once, so that a thousand cost nothing."""
        known = len(Path("/etc/passwd").read_text().splitlines())
        numbered = list(enumerate(users, start=first_uid + known))
        self._append("passwd", [f"{user}:x:{uid}:{uid}::/nonexistent:{login_shell}" for uid, user in numbered])
        self._append("group", [f"{user}:x:{uid}:" for uid, user in numbered])
        for group in groups:
            self.add_group(group, users)

    def add_group(self, group, members=()):
        """One of the machine's own with this name is replaced."""
        lines = Path("/etc/group").read_text().splitlines(keepends=True)
        Path("/etc/group").write_text("".join(line for line in lines if not line.startswith(f"{group}:")))
        known = len(lines)
        self._append("group", [f"{group}:x:{30000 + known}:{','.join(members)}"])
        self._append("gshadow", [f"{group}:!::{','.join(members)}"])

    def remove(self, user):
        self._keep(lambda name, _uid: name != user)

    def remove_people(self):
        self._keep(lambda _name, uid: uid < 1000 or uid == 65534)

    @staticmethod
    def _keep(wanted):
        lines = Path("/etc/passwd").read_text().splitlines(keepends=True)
        fields = [(line, line.split(":")) for line in lines]
        Path("/etc/passwd").write_text("".join(line for line, field in fields if wanted(field[0], int(field[2]))))

    @staticmethod
    def _append(name, lines):
        with Path("/etc", name).open("a") as handle:
            handle.writelines(f"{line}\n" for line in lines)


def _libc(function, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments):
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")


def _leave_for(namespace, threads):
    """setns(2) refuses while a thread that shares our root has not ended, and one ends a little later than Python says."""
    for thread in threads:
        thread.join(_THREAD_ENDS_WITHIN)
    deadline = time.monotonic() + _THREAD_ENDS_WITHIN
    while True:
        try:
            return _libc("setns", namespace, _CLONE_NEWNS)
        except OSError as error:
            if error.errno != errno.EINVAL or time.monotonic() > deadline:
                pytest.exit(f"every later test would see this test's /etc: {error}")
        time.sleep(0.01)


@pytest.fixture
def accounts(tmp_path):
    """Accounts of this test's own, in a mount namespace of its own; the only people are alice, bob and carol."""
    if os.geteuid() != 0:
        pytest.skip("needs root: group membership is changed by the system's own tools")
    copy = tmp_path / "etc"
    copy.mkdir()
    for name in _ACCOUNT_FILES:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True)
        elif source.exists():
            shutil.copy2(source, copy / name)
    (copy / "machine-id").write_text("0123456789abcdef" * 2 + "\n")
    before = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    threads = set(threading.enumerate())
    try:
        _libc("unshare", _CLONE_NEWNS)
    except OSError as error:
        pytest.skip(f"needs a mount namespace of its own for a private /etc: {error}")
    try:
        _libc("mount", b"none", b"/", None, _MS_REC_PRIVATE, None)
        _libc("mount", os.fsencode(copy), b"/etc", None, 0x1000, None)
        own = Accounts()
        own.remove_people()
        own.add("alice", "bob", "carol")
        yield own
    finally:
        _leave_for(before, set(threading.enumerate()) - threads)
        os.close(before)


class TokenLogins:
    """Asks the real PAM module, with the line that the collection writes, whether an answer lets a user in."""

    def __init__(self, keys, folder):
        self.folder = folder
        folder.mkdir()
        line = f"auth required pam_google_authenticator.so secret={keys}/${{USER}} user=root noskewadj\n"
        (folder / SERVICE).write_text(line)
        (folder / "other").write_text("auth required pam_deny.so\n")
        self.asked = False

    def __call__(self, user, answer, before_answer=None):
        """Whether the login succeeds; `before_answer` is called while the prompt is open."""
        login = PamLogin(self.folder, user)
        self.asked = login.has_prompt()
        if self.asked:
            if before_answer:
                before_answer()
            login.answer(answer)
        return login.succeeds()


@pytest.fixture
def pam_login(tmp_path):
    """pam_login(user, answer) -> bool, for the keys in tmp_path/state/keys."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the key files belong to root")
    if not any(any(Path("/").glob(f"{folder[1:]}/pam_google_authenticator.so")) for folder in _PAM_MODULE_FOLDERS):
        pytest.skip("needs libpam-google-authenticator on this machine")
    return TokenLogins(tmp_path / "state" / "keys", tmp_path / "pam.d")


@pytest.fixture
def render(tmp_path):
    """render(mfa_issuer="Example") -> path of the policy file that the role would write."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters["comment"] = lambda text: f"# {text}\n"

    def render_(**changed):
        path = tmp_path / "policy.conf"
        given = {**POLICY_VARIABLES, **changed}
        settings = {name[4:]: value for name, value in given.items() if not name.startswith("mfa__")}
        path.write_text(environment.from_string(POLICY_TEMPLATE.read_text()).render({**given, "mfa__set": settings}))
        return str(path)

    return render_


@pytest.fixture
def told(accounts, tmp_path):
    """A host whose users are told; its keys are in tmp_path/state."""
    host = ToldHost(tmp_path / "state")
    yield host
    host.close()


@pytest.fixture
def logged(monkeypatch):
    """The lines of the system's log."""
    lines = []
    monkeypatch.setattr(syslog, "syslog", lambda _priority, text: lines.append(text))
    return lines


@pytest.fixture
def roots_folder():
    """Everything above it belongs to root, unlike a folder below /tmp."""
    if os.getuid() != 0:
        pytest.skip("needs root")
    with tempfile.TemporaryDirectory(dir="/etc") as folder:
        yield Path(folder)
