# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The files of a report, and the folder that they are put into. Private to the collection."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Callable, Iterable, Mapping

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import write_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.csv_files import findings_csv, users_csv
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.document import Document, content
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.junit import junit_xml
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.report_html import report_html
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.sarif import sarif
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._audit.signature import signature

DOCUMENT, SIGNATURE = "audit.json", "audit.json.sig"
Render = Callable[[Document], bytes]
FORMATS: Mapping[str, Mapping[str, Render]] = {
    "html": {"report.html": report_html},
    "csv": {"users.csv": users_csv, "findings.csv": findings_csv},
    "junit": {"junit.xml": junit_xml},
    "sarif": {"report.sarif": sarif},
}


def write_reports(document: Document, folder: Path, formats: Iterable[str], sign_key: str) -> list[str]:
    """The paths of what was written, the document first. All are readable by their owner only."""
    files = {DOCUMENT: content(document)}
    if sign_key:
        files[SIGNATURE] = signature(files[DOCUMENT], sign_key)
    for name in formats:
        files.update({path: render(document) for path, render in FORMATS[name].items()})
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not sign_key:  # one of an earlier document would not fit
            with contextlib.suppress(FileNotFoundError):
                (folder / SIGNATURE).unlink()
    except OSError as error:
        raise FleetMfaError(f"dest (mfa_audit_dest): {folder}: {error.strerror}") from error
    for name, written in files.items():
        write_file(str(folder / name), written, 0o600, os.geteuid(), os.getegid())
    return [str(folder / name) for name in files]
