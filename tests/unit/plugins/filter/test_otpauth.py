# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The filters otpauth_uri, otpauth_parse and totp_qr: their results, their errors, and what Ansible makes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.fleetmfa.ssh.plugins.filter.otpauth import FilterModule
from ansible_collections.fleetmfa.ssh.tests.support.qr_picture import picture_of
from dev.terminal_window import DARK, Window

ROOT = Path(__file__).parents[4]
FILTERS = FilterModule().filters()
uri, parse, qr = (FILTERS[name] for name in ("otpauth_uri", "otpauth_parse", "totp_qr"))
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
needs_decoder = pytest.mark.skipif(not shutil.which("zbarimg"), reason="needs zbarimg (zbar-tools)")


def test_each_filter_is_documented():
    documented = {path.stem for path in (ROOT / "plugins/filter").glob("*.yml")}
    assert documented == set(FILTERS)


@pytest.mark.parametrize("issuer", ["Example Inc", "Größe & Söhne/東京?", "100% #1"])
@pytest.mark.parametrize(
    ("algorithm", "digits", "period"), [("SHA1", 6, 30), ("SHA256", 8, 60), ("sha512", "8", "30"), ("SHA1", 7, 15)]
)
def test_what_is_written_is_read_back_and_read_by_pyotp(issuer, algorithm, digits, period):
    written = uri(SECRET.lower(), "jörg@example.com", issuer, period=period, digits=digits, algorithm=algorithm)
    assert parse(written) == {
        "type": "totp",
        "secret": SECRET,
        "issuer": issuer,
        "account": "jörg@example.com",
        "algorithm": algorithm.upper(),
        "digits": int(digits),
        "period": int(period),
    }
    if int(digits) != 7:  # pyotp's own limit
        oracle = pytest.importorskip("pyotp").parse_uri(written)
        assert (oracle.secret, oracle.issuer, oracle.name) == (SECRET, issuer, "jörg@example.com")
        assert (oracle.digest().name, oracle.digits, oracle.interval) == (algorithm.lower(), int(digits), int(period))


def test_defaults_are_left_out():
    assert uri(SECRET, "alice") == f"otpauth://totp/SSH:alice?secret={SECRET}&issuer=SSH"


@pytest.mark.parametrize(
    ("label", "issuer", "account"),
    [
        # The examples of the Key Uri Format.
        ("Example:alice@google.com", "Example", "alice@google.com"),
        ("Provider1:Alice%20Smith", "Provider1", "Alice Smith"),
        ("Big%20Corporation%3A%20alice%40bigco.com", "Big Corporation", "alice@bigco.com"),
        ("ACME%20Co:john.doe@email.com?issuer=ACME%20Co", "ACME Co", "john.doe@email.com"),
        # Colons in what surrounds the colon.
        ("Lab%3A%20East:alice", "Lab: East", "alice"),
        ("Lab:urn%3Aalice", "Lab", "urn:alice"),
        ("Lab:urn:alice?issuer=Lab", "Lab", "urn:alice"),
        ("Lab%3AEast%3Aalice?issuer=Lab%3AEast", "Lab:East", "alice"),
        ("alice?issuer=Lab", "Lab", "alice"),
        ("alice", "", "alice"),
        ("M%C3%BCller:j%C3%B6rg", "Müller", "jörg"),
        ("Müller:jörg", "Müller", "jörg"),
        ("Old:alice?issuer=New", "New", "alice"),
        ("100%2525:alice", "100%25", "alice"),
    ],
)
def test_labels(label, issuer, account):
    key = parse(f"otpauth://totp/{label}{'&' if '?' in label else '?'}secret={SECRET}")
    assert (key["issuer"], key["account"]) == (issuer, account)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: uri(SECRET + "1", "alice"), "otpauth_uri: the secret is not base32"),
        (lambda: uri(["a"], "alice"), "otpauth_uri: the secret must be a text"),
        (lambda: uri(SECRET, "a:b"), "otpauth_uri: account must be .* without a colon"),
        (lambda: uri(SECRET, "alice", "Lab: East"), "otpauth_uri: issuer must be .* without a colon"),
        (lambda: uri(SECRET, "alice", period=61), "otpauth_uri: period: 61 is not in the range 1 to 60"),
        (lambda: uri(SECRET, "alice", period=SECRET), "otpauth_uri: period: must be a number"),
        (lambda: uri(SECRET, "alice", digits=9), "otpauth_uri: digits: must be one of 6, 7, 8"),
        (lambda: uri(SECRET, "alice", algorithm=SECRET), "otpauth_uri: algorithm: must be one of SHA1, SHA256, SHA512"),
        (lambda: parse(SECRET), "otpauth_parse: this is not an otpauth URI"),
        (lambda: parse(f"otpauth://hotp/alice?secret={SECRET}"), "otpauth_parse: .* not for a time-based key"),
        (lambda: parse(f"otpauth://totp/alice?secret={SECRET}&algorithm=MD5"), "algorithm .* must be one of SHA1"),
        (lambda: parse(f"otpauth://totp/alice?secret={SECRET}&digits=5"), "digits .* must be 6 to 8"),
        (lambda: parse(f"otpauth://totp/alice?secret={SECRET}1"), "the secret is not base32"),
        (lambda: parse("otpauth://totp/alice?issuer=Lab"), "the otpauth URI has no secret"),
        (lambda: qr(SECRET), "totp_qr: this is not an otpauth URI"),
        (lambda: qr(uri(SECRET, "alice"), SECRET), "totp_qr: format: must be one of svg, text"),
    ],
)
def test_errors_name_the_filter_and_show_no_secret(call, told):
    with pytest.raises(AnsibleFilterError, match=told) as caught:
        call()
    assert SECRET not in str(caught.value)


@needs_decoder
def test_text_is_read_by_a_decoder(tmp_path):
    written = uri(SECRET, "alice", "Größe & Söhne")
    (tmp_path / "code").write_text(qr(written, "text"))
    with Window(["cat", str(tmp_path / "code")], columns=110, rows=60) as window:
        window.wait_for_end()
        assert window.qr_text(DARK) == written


@needs_decoder
def test_svg_is_read_by_a_decoder(tmp_path):
    written = uri(SECRET, "alice", "Größe & Söhne")
    svg = qr(written)
    assert svg.startswith("<svg") and 'xmlns="http://www.w3.org/2000/svg"' in svg
    read = ["zbarimg", "-q", "--raw", str(picture_of(svg, tmp_path))]
    assert subprocess.run(read, capture_output=True, text=True, check=True).stdout.strip() == written


def test_in_a_template(tmp_path):
    """By FQCN, with a secret that is encrypted in the inventory; an error at -vvvvv does not show it."""
    (tmp_path / "password").write_text("a vault password")
    vault = ["--vault-password-file", str(tmp_path / "password")]
    encrypt = ["ansible-vault", "encrypt_string", *vault, "--name", "vault_totp", "--stdin-name", "vault_totp", SECRET]
    encrypted = subprocess.run(encrypt[:-3] + [SECRET], capture_output=True, text=True, check=True).stdout
    (tmp_path / "vars.yml").write_text(encrypted)
    code = "vault_totp | fleetmfa.ssh.otpauth_uri('alice', 'Lab') | fleetmfa.ssh.otpauth_parse"
    tasks = [
        {"ansible.builtin.assert": {"that": f"({code}).issuer == 'Lab'"}},
        {"ansible.builtin.debug": {"msg": f"{{{{ {code.replace('Lab', 'La:b')} }}}}"}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "vars_files": ["vars.yml"], "tasks": tasks}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = ["ansible-playbook", "-vvvvv", "-i", "localhost,", *vault, str(tmp_path / "play.yml")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    output = done.stdout + done.stderr
    assert json.dumps("All assertions passed") in output, output
    assert done.returncode and "otpauth_uri: issuer must be 1 to 100" in output, output
    assert SECRET not in output
