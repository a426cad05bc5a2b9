# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The enrollment sheet of a user: one self-contained HTML page that prints on one sheet. Private to the collection."""

from __future__ import annotations

from html import escape
from string import Template
from typing import NamedTuple

from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import canonical_secret, otpauth_uri
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._qr_code import qr_code_of

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="robots" content="noindex">
<title>Token MFA for $user</title>
<style>
@page { size: A4; margin: 16mm; }
body { font: 11pt/1.45 system-ui, "DejaVu Sans", sans-serif; color: #000; background: #fff;
       max-width: 178mm; margin: 0 auto; }
h1 { font-size: 19pt; margin: 0 0 2mm; }
h2 { font-size: 12.5pt; margin: 5mm 0 1mm; }
p, ol { margin: 1mm 0; }
ol { padding-left: 6mm; }
li { margin: 1mm 0; }
code, .key { font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.entry { display: flex; gap: 8mm; align-items: center; border: 0.4mm solid #000; padding: 4mm; margin: 3mm 0; }
.entry svg { width: 62mm; height: 62mm; flex: none; }
.key { font-size: 13pt; line-height: 1.7; white-space: pre; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 4mm; margin: 2mm 0 0; }
dd { margin: 0; }
.keep { border-top: 0.4mm dashed #000; margin-top: 8mm; }
.warning { border-left: 1.5mm solid #000; padding: 1mm 0 1mm 3mm; margin: 3mm 0; }
</style>
</head>
<body>
<h1>Token MFA for $user</h1>
<p class="warning"><strong>This sheet is a key.</strong> Whoever sees it can make your tokens. Do not copy or photograph it
other than with the app, and destroy it once your key is validated.</p>
<h2>1. Put the key into your authenticator app</h2>
<p>Use any app for time-based tokens (TOTP). Scan the code, or choose to enter a key by hand and type it:</p>
<div class="entry">
$picture
<div>
<div class="key">$key</div>
<dl>
<dt>Issuer</dt><dd>$issuer</dd>
<dt>Account</dt><dd>$account</dd>
<dt>Kind</dt><dd>time-based, 6 digits, every $period seconds</dd>
</dl>
</div>
</div>
$rest
$codes
</body>
</html>
""")

_FIRST_DEVICE = Template("""<h2>2. Validate it with two tokens</h2>
<ol>
<li>Log in to a host with SSH as you are used to, and run <code>mfa-enroll</code>.</li>
<li>Type the token that the app shows, wait for the next one, and type that, too.</li>
<li>Keep the recovery codes that you get then.</li>
</ol>
<p>From then on, each new login to that host asks for a token. Before that, nothing changes. The same entry in your app
serves every host that got this key; each host is validated once.</p>
<h2>When the phone is lost</h2>
<ol>
<li>Log in with a recovery code in place of the token; each works once.</li>
<li>Tell $contact at once. You get a new key, and the old one ends.</li>
</ol>
<p>A new phone, and the old one still works? Move the entry with the app's own function, or ask for a new key.</p>""")

_SECOND_DEVICE = Template("""<h2>2. Validate it with two tokens</h2>
<p>This key is for your second device, <strong>$device</strong>. Call $contact, and read out the token that the app shows and the
next one. From then on, a token of either device logs you in.</p>
<h2>When a device is lost</h2>
<p>Log in with the other one, and tell $contact at once. The key of the lost device ends, and the other one stays.</p>""")

_CODES = Template("""<div class="keep">
<h2>Recovery codes</h2>
<p>Cut this part off and keep it. Each code logs you in once on each host, in place of a token.</p>
<div class="key">$codes</div>
</div>""")


class SheetKey(NamedTuple):
    user: str
    secret: str
    issuer: str
    account: str
    period: int
    recovery_codes: list[str]
    device: str | None = None  # the name of a second device


def enrollment_sheet(key: SheetKey, contact: str) -> str:
    """The HTML page. All given values are escaped."""
    uri = otpauth_uri(key.secret, key.issuer, key.account, period=key.period)
    picture = qr_code_of(uri, "m").svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None)
    codes = _lines(key.recovery_codes, per_line=5)
    rest = _SECOND_DEVICE.substitute(device=escape(key.device), contact=escape(contact)) if key.device else None
    return _PAGE.substitute(
        rest=rest or _FIRST_DEVICE.substitute(contact=escape(contact)),
        user=escape(key.user),
        picture=picture,
        key=_lines(_groups(canonical_secret(key.secret)), per_line=4),
        issuer=escape(key.issuer),
        account=escape(key.account),
        period=key.period,
        codes=_CODES.substitute(codes=escape(codes)) if codes else "",
    )


def _groups(secret: str) -> list[str]:
    return [secret[index : index + 4] for index in range(0, len(secret), 4)]


def _lines(words: list[str], per_line: int) -> str:
    return "\n".join(" ".join(words[index : index + per_line]) for index in range(0, len(words), per_line))
