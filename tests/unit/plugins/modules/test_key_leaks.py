# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""No secret, token or recovery code in anything that a module says, whatever it is given and however it fails."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import files

MARKER = "MARKERMARKERMARKERMARKERMARKER22"
CODE, TOKEN = "73737373", "919191"
PROGRAM = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
module = importlib.import_module("ansible_collections.fleetmfa.ssh.plugins.modules." + sys.argv[1])
arguments = json.loads(sys.argv[2])
if sys.argv[3:]:
    exec(sys.argv[3])
with patch_module_args({**arguments, "_ansible_diff": True, "_ansible_verbosity": 4, "_ansible_debug": True}):
    module.main()
"""


def said(host, module, sabotage="", **options):
    """Everything that a process of its own prints, tracebacks included."""
    if module == "totp_key":
        options.setdefault("unknown_first_factor", "accept")  # a private /etc has no sshd to ask
    arguments = json.dumps({"state_dir": str(host.path), **options})
    command = [sys.executable, "-c", PROGRAM, module, arguments, sabotage]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode()


def keys(entry):
    return {"keys": [{"user": "alice", "secret": MARKER, "recovery_codes": [CODE], **entry}]}


@pytest.mark.parametrize("state", ["present", "pending", "validated", "rotated", "absent", "nonsense"])
def test_every_state(host, state):
    for _twice in range(2):
        text = said(host, "totp_key", **keys({"state": state}))
        assert text.startswith(("{", "\n{")), text
        assert MARKER not in text
        assert CODE not in text


@pytest.mark.parametrize(
    "entry",
    [
        {"user": "ghost"},
        {"user": "../alice"},
        {"secret": f"{MARKER}="},
        {"secret": f"{MARKER}1"},
        {"secret": f"{MARKER} {MARKER} \u2603"},
        {"secret": MARKER * 10},
        {"secret": [MARKER]},
        {"secret": {MARKER: MARKER}},
        {"recovery_codes": [CODE, CODE]},
        {"recovery_codes": [f"{CODE}9"]},
        {"recovery_codes": f"{CODE},"},
        {"recovery_codes": {"code": CODE}},
        {"recovery_codes": [[CODE]]},
        {"account": "a:b"},
        {"state": "nonsense"},
        {"sekret": 1},
        {"secrets": 1, "state": []},
    ],
)
def test_bad_entries(host, entry):
    text = said(host, "totp_key", **keys(entry))
    assert '"failed": true' in text
    assert MARKER[:12] not in text
    assert CODE not in text


SABOTAGE = {
    "full disk": "import os\ndef fail(*a): raise OSError(28, 'No space left on device')\nos.fsync = fail",
    "crash while writing": "from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import state_dir\n"
    "def fail(*a): raise RuntimeError('crash')\nstate_dir.write_file = fail",
    "crash while rendering": "from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys import key_file_lines\n"
    "def fail(self): raise RuntimeError('crash')\nkey_file_lines.KeyFileLines.render = fail",
    "no tools": "from ansible_collections.fleetmfa.ssh.plugins.module_utils._system import commands\ncommands.PATH = '/x'",
}


@pytest.mark.parametrize("sabotage", list(SABOTAGE))
@pytest.mark.parametrize("generated", [False, True])
def test_failures_in_the_middle(host, sabotage, generated):
    host.totp_key({"user": "bob", "secret": MARKER, "recovery_codes": [CODE]})
    entry = (
        {"user": "alice"}
        if generated
        else {"user": "alice", "secret": MARKER, "recovery_codes": [CODE], "state": "validated"}
    )
    text = said(host, "totp_key", SABOTAGE[sabotage], keys=[entry, {"user": "bob", "state": "validated"}], window=5)
    assert "failed" in text or "Traceback" in text
    assert MARKER not in text
    assert CODE not in text
    validation = [{"user": "bob", "tokens": [TOKEN, "818181"]}]
    text = said(host, "totp_validate", SABOTAGE[sabotage], validations=validation)
    assert '"failed": true' in text or "Traceback" in text
    assert MARKER not in text
    assert TOKEN not in text


@pytest.mark.parametrize(
    "tokens",
    [
        [TOKEN],
        [TOKEN, TOKEN],
        [TOKEN, "818181"],
        [f"{TOKEN}1", "x"],
        [[TOKEN], 1],
        TOKEN,
        f"{TOKEN},818181",
        {"token": TOKEN},
    ],
)
def test_tokens(host, tokens):
    host.totp_key({"user": "alice", "secret": MARKER})
    text = said(host, "totp_validate", validations=[{"user": "alice", "tokens": tokens}])
    assert '"failed": true' in text
    assert TOKEN not in text
    assert MARKER not in text


def test_generated_secrets_are_shown_nowhere(host):
    told = said(host, "totp_key", keys=[{"user": "alice"}, {"user": "bob"}])
    told += said(host, "totp_key", keys=[{"user": "alice", "state": "validated"}, {"user": "bob", "state": "rotated"}])
    told += said(host, "totp_key_info")
    for key in (host.state_dir.validated("alice"), host.state_dir.pending("bob")):
        assert key.secret_text not in told
        assert not any(code in told for code in key.recovery_codes)


@pytest.mark.parametrize(
    "content", [f"{MARKER}\n{MARKER}\n", f'"{MARKER}\n', f'x\n" FLEETMFA {{{MARKER}\n{CODE}\nx{CODE}\n', f"{MARKER}\0"]
)
def test_broken_files(host, content):
    host.totp_key({"user": "alice", "secret": MARKER}, {"user": "bob", "secret": MARKER, "state": "validated"})
    for path in (host.path / "pending" / "alice", host.path / "keys" / "bob"):
        path.write_text(content)
    text = said(host, "totp_key_info")
    assert '"problems": [{' in text
    for state in ("present", "rotated", "validated", "pending"):
        text += said(host, "totp_key", keys=[{"user": "alice", "state": state}, {"user": "bob", "state": state}])
        text += said(host, "totp_validate", validations=[{"user": "alice", "tokens": [TOKEN, "818181"]}])
    assert "Traceback" not in text
    assert MARKER not in text
    assert CODE not in text


def test_nothing_half_written_on_a_full_disk(host, monkeypatch):
    def no_space(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    host.totp_key({"user": "alice", "secret": MARKER})
    before = host.state_dir.pending("alice")
    monkeypatch.setattr(files.os, "fsync", no_space)
    result = host.totp_key({"user": "alice", "secret": MARKER}, window=5)
    assert "No space left" in result["msg"]
    monkeypatch.undo()
    assert host.state_dir.pending("alice") == before
    assert os.listdir(host.path / "pending") == ["alice"]
