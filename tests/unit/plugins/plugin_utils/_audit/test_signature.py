# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The signature, checked by the real ssh-keygen -Y verify, with the command of the guide."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import content
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.reports import write_reports
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.signature import check_key, signature
from ansible_collections.fleetmfa.ssh.tests.support.audited_fleet import document, fleet

GUIDE = Path(__file__).parents[5] / "docs/audit.md"


def made_key(folder, passphrase=""):
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)], check=True)
    return path


def verify(folder, key):
    (folder / "allowed_signers").write_text(f'audit namespaces="fleetmfa-audit" {key.with_suffix(".pub").read_text()}')
    command = re.search(r"^(ssh-keygen -Y verify .*)$", GUIDE.read_text(), re.MULTILINE)[1]
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)


def test_signed_and_verified(tmp_path):
    key, made = made_key(tmp_path), document(fleet(2, 3))
    files = write_reports(made, tmp_path, [], str(key))
    assert [Path(path).name for path in files] == ["audit.json", "audit.json.sig"]
    done = verify(tmp_path, key)
    assert done.returncode == 0 and "Good" in done.stdout, done.stderr
    path = tmp_path / "audit.json"
    path.write_bytes(path.read_bytes().replace(b"enforced", b"Enforced", 1))
    assert verify(tmp_path, key).returncode


def test_the_signature_of_an_earlier_document_does_not_stay(tmp_path):
    write_reports(document(fleet(2, 3)), tmp_path, [], str(made_key(tmp_path)))
    write_reports(document(fleet(2, 3)), tmp_path, [], "")
    assert not (tmp_path / "audit.json.sig").exists()


def test_a_key_with_a_passphrase_is_refused_and_does_not_wait(tmp_path):
    key = made_key(tmp_path, "correct horse")
    with pytest.raises(FleetMfaError, match="mfa_audit_sign_key.*without a passphrase"):
        signature(content(document({})), str(key))


def test_a_key_that_is_not_there(tmp_path):
    with pytest.raises(FleetMfaError, match="mfa_audit_sign_key.*there is no file"):
        check_key(str(tmp_path / "none"))
