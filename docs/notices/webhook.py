# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An example for mfa_notify_command: the document is posted to a web server. Argument: the path of a file that only root can read,
with the address, which often is a secret, in the first line and the path of a CA (PEM), if it is not a public one, in the second."""

from __future__ import annotations

import ssl
import sys
import urllib.request
from pathlib import Path

SECONDS = 20


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The address is the only one that is told."""

    def redirect_request(self, *_arguments, **_values):
        return None


url, *ca = Path(sys.argv[1]).read_text(encoding="utf-8").split()
if not url.startswith("https://"):
    raise SystemExit("the address does not begin with https://")
https = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca[0] if ca else None))
request = urllib.request.Request(url, sys.stdin.buffer.read(), {"Content-Type": "application/json"})  # noqa: S310 - https
with urllib.request.build_opener(https, NoRedirect).open(request, timeout=SECONDS):
    pass  # any answer that is no success has raised an error
