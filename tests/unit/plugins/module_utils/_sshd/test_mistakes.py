# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Published mistakes in sshd_config: each is found, by the real sshd's answers, and stands in docs/sshd_mistakes.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.meanings import MEANINGS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import CATALOGUE
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.config import PamConfig
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import Surroundings
from ansible_collections.fleetmfa.ssh.tests.support.sshd_host import (
    ALICE,
    BOB,
    GROUP,
    ROOT,
    SshdHost,
    needs_sshd,
)

MISTAKES = yaml.safe_load((Path(__file__).with_name("mistakes.yml")).read_text(encoding="utf-8"))
DOCS = Path(__file__).parents[5] / "docs"


@needs_sshd
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake["id"])
def test_published_mistake_is_found(tmp_path, mistake):
    host = SshdHost(tmp_path)
    host.write(mistake["sshd_config"], mistake.get("dropins"))
    enforced = ROOT.joined(GROUP) if mistake.get("user") == "root" else ALICE
    enforced = enforced._replace(groups=enforced.groups | set(mistake.get("groups", [])))
    known = Surroundings(lambda config, group: [enforced, BOB], lambda main: [])
    pam = PamConfig(str(tmp_path / "pam.d"), {"sshd": mistake["pam"]}) if "pam" in mistake else None
    report = Audit(host.audit_wish(), known, pam=pam).report()

    found = {finding["id"]: finding for finding in report["findings"]}
    assert mistake["finding"] in found
    assert any(mistake["evidence"] in text for text in found[mistake["finding"]]["evidence"])
    assert not [key for key in found if key.startswith("sshd_nobody")]


def test_docs_describe_every_mistake():
    text = (DOCS / "sshd_mistakes.md").read_text(encoding="utf-8")
    assert len(MISTAKES) >= 12
    for mistake in MISTAKES:
        section = text.split(f"## {mistake['id'].replace('_', ' ').capitalize()}\n")[1].split("\n## ")[0]
        assert mistake["what"] in section
        assert mistake["source"] in section
        assert f"`{mistake['finding']}`" in section
        assert mistake["evidence"] in section
        for lines in (mistake["sshd_config"], mistake.get("pam", ""), *mistake.get("dropins", {}).values()):
            assert lines in section
    assert text.count("\n## ") == len(MISTAKES)


def findings_in_docs():
    for page in ("findings_sshd.md", "host_audit.md"):
        for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if line.startswith("| `") and len(cells) == 4:
                yield cells[0].strip("`"), cells[1], cells[2], cells[3]


def test_docs_describe_every_finding():
    assert {name: (severity, remedy) for name, severity, _meaning, remedy in findings_in_docs()} == CATALOGUE


def test_docs_and_the_audit_say_the_same_of_a_finding():
    """The audit has the first sentence, without links."""
    plain = {
        name: re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text) for name, _severity, text, _remedy in findings_in_docs()
    }
    words = {name: set(re.findall(r"\w+", text)) for name, text in plain.items()}
    assert set(MEANINGS) == set(CATALOGUE)
    unlike = {
        name for name, text in MEANINGS.items() if not set(re.findall(r"\w+", text)) <= words[name] | {"and", "others"}
    }
    assert not unlike
