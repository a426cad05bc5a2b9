# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""An example for mfa_notify_command: a mail to USER@DOMAIN, through the host's sendmail. Arguments: DOMAIN SENDER."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from email.message import EmailMessage

domain, sender = sys.argv[1:3]
notice = json.load(sys.stdin)
if notice["version"] != 1:
    raise SystemExit("an unknown version")
# What else a name may be has no place in an address, and nothing in it may look like an option or a header.
if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", notice["user"], re.ASCII):
    raise SystemExit("no name for an address")
mail = EmailMessage()
mail["From"] = sender
mail["To"] = address = f"{notice['user']}@{domain}"
mail["Subject"] = f"SSH token on {notice['host']}: {notice['event'].replace('_', ' ')}"
mail.set_content(f"{notice['text']}\n\n{notice['time']}, {notice['host']}\n")
done = subprocess.run(["/usr/sbin/sendmail", "-oi", "-f", sender, "--", address], input=mail.as_bytes(), check=False)
raise SystemExit(done.returncode)
