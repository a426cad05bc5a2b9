# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""What every file of the repository has to keep to, and what the README says is here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
# Texts that cannot carry a header of their own, or are one.
NO_HEADER = {".png", ".svg", ".txt", ".json"}
# Copied to hosts as they are: what a distribution ships, for hosts of a scenario, and what the role installs. See REUSE.toml.
COPIED = re.compile(r"molecule/\w+/files/|roles/mfa/files/(etc|usr/local/share)/")
README = (ROOT / "README.md").read_text()


def test_every_file_says_its_licence():
    assert len(FILES) > 50
    bare = [
        str(path.relative_to(ROOT))
        for path in FILES
        if path.suffix not in NO_HEADER
        and not COPIED.match(str(path.relative_to(ROOT)))
        and path.name not in ("COPYING", "CHANGELOG.rst", "changelog.yaml")
        and not all(
            tag in path.read_text(errors="replace")[:600]
            for tag in ("SPDX-License-Identifier", "SPDX-FileCopyrightText")
        )
    ]
    assert not bare


def test_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) <= 150
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert len(links) > 5
    assert not [link for link in links if not (ROOT / link).exists()]


def test_every_document_is_in_the_list_of_documents():
    names = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert len(names) > 20
    assert not {name for name in names if f"({name})" not in (ROOT / "docs/README.md").read_text()}


def headings(path):
    """The names that a code host gives to the headings of a document."""
    found = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_of_documents_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        place, _, heading = link.partition("#")
        if "://" not in link:
            target = document.parent / place if place else document
            assert target.exists(), link
            assert not heading or heading in headings(target), link


@pytest.mark.parametrize(
    ("what", "pattern"),
    [("modules", "plugins/modules/*.py"), ("roles", "roles/*"), ("playbooks", "playbooks/*.yml")],
)
def test_readme_table_of_contents(what, pattern):
    there = {path.stem for path in ROOT.glob(pattern)}
    assert there
    missing = [name for name in there if f"`{name}`" not in README and f"`fleetmfa.ssh.{name}`" not in README]
    assert not missing, f"{what} that the README does not name"


def test_scenarios_verify_something():
    checked = 0
    for config in ROOT.glob("molecule/*/molecule.yml"):
        for step in yaml.safe_load(config.read_text())["scenario"]["test_sequence"]:
            verb, _blank, argument = step.partition(" ")
            if verb == "verify":
                checked += 1
                assert list((config.parent / (argument or "tests")).rglob("test_*.py")), f"{config}: {step}"
    assert checked


def test_no_folder_is_empty():
    folders = {parent for path in FILES for parent in path.parents if ROOT in parent.parents}
    there = {path for path in ROOT.glob("*/**/") if not set(path.relative_to(ROOT).parts) & {".git", "__pycache__"}}
    hidden = {path for path in there if path.relative_to(ROOT).parts[0].startswith(".")}
    assert not {path for path in there - hidden if path not in folders}
