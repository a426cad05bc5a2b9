# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""A page in Chromium, without a window."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_CHROMIUM = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu")
_NO_SCRIPTS = rb'<meta http-equiv="Content-Security-Policy"[^>]*>'
_ANSWER = """<script>(async () => {%s})().then(
  answer => { document.title = "answer " + JSON.stringify(answer) }, error => { document.title = "answer " + JSON.stringify(String(error)) }
)</script></body>"""


def answer(page: bytes, script: str, *options: str, scripts_allowed: bool = True) -> Any:
    """What the body of a function returns on the page, which is given leave to run scripts; None if nothing was run."""
    given = re.sub(_NO_SCRIPTS, b"", page) if scripts_allowed else page
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.html")
        path.write_bytes(given.replace(b"</body>", (_ANSWER % script).encode()))
        shown = run_chromium(*options, "--dump-dom", path.as_uri())
    told = re.search(r"<title>answer (.*?)</title>", shown, re.DOTALL)
    return json.loads(html.unescape(told[1])) if told else None


def run_chromium(*arguments: str) -> str:
    return subprocess.run([*_CHROMIUM, *arguments], capture_output=True, text=True, check=True, timeout=600).stdout
