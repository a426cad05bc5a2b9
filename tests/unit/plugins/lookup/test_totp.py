# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The lookup totp: the vectors of RFC 6238, waiting, the key store, and errors that show nothing."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.parsing.vault import VaultSecret, VaultSecretsContext

from ansible_collections.fleetmfa.ssh.plugins.doc_fragments import key_store_variables
from ansible_collections.fleetmfa.ssh.plugins.lookup import totp
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import decode_secret, token_at
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import Person, PersonKey, Proven
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_file import VaultFile
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText

ROOT = Path(__file__).parents[4]
NAME = "fleetmfa.ssh.totp"
SECRET = "Y2U24FBANJHH6OC42PVFV5FITU7S3GI2"
VAULT = [("default", VaultSecret(b"a vault password"))]
# RFC 6238, appendix B: the secrets have as many bytes as the hash function gives.
SECRETS = {"SHA1": 20, "SHA256": 32, "SHA512": 64}
VECTORS = {
    59: ("94287082", "46119246", "90693936"),
    1111111109: ("07081804", "68084774", "25091201"),
    1111111111: ("14050471", "67062674", "99943326"),
    1234567890: ("89005924", "91819424", "93441116"),
    2000000000: ("69279037", "90698825", "38618901"),
    20000000000: ("65353130", "77737706", "47863826"),
}
CASES = [(now, algorithm, token) for now, tokens in VECTORS.items() for algorithm, token in zip(SECRETS, tokens)]


def secret_of(algorithm):
    length = SECRETS[algorithm]
    return base64.b32encode((b"1234567890" * 7)[:length]).decode().rstrip("=")


def tokens(*terms, variables=None, **options):
    """The plugin as its loader would make it."""
    lookup = totp.LookupModule()
    lookup._load_name = lookup.ansible_name = NAME
    documented = yaml.safe_load(totp.DOCUMENTATION)["options"]
    stores = yaml.safe_load(key_store_variables.ModuleDocFragment.DOCUMENTATION)["options"]
    constants.config.initialize_plugin_configuration_definitions("lookup", NAME, {**documented, **stores})
    return lookup.run(list(terms), variables or {}, **options)


@pytest.fixture
def at(monkeypatch):
    """Sets the clock; waiting moves it."""
    clock = [0.0]
    monkeypatch.setattr(totp.time, "time", lambda: clock[0])
    monkeypatch.setattr(totp.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))

    def set_(now):
        clock[0] = float(now)

    return set_


@pytest.mark.parametrize(("now", "algorithm", "token"), CASES)
def test_rfc_6238(at, now, algorithm, token):
    at(now)
    secret = secret_of(algorithm)
    assert tokens(secret, algorithm=algorithm, digits=8) == [token]
    assert tokens(secret, algorithm=algorithm) == [token[2:]]
    uri = f"otpauth://totp/Lab:alice?secret={secret}&algorithm={algorithm}&digits=8"
    at(2 * now)
    assert tokens(secret, f"{uri}&period=60", algorithm=algorithm, digits=8, period=60) == [token, token]


def test_same_as_pyotp():
    pyotp = pytest.importorskip("pyotp")
    before = time.time()
    found = tokens(SECRET, period=60)
    assert set(found) <= {pyotp.TOTP(SECRET, interval=60).at(now) for now in (before, time.time())}


def test_wait_gives_another_token_each_time(at):
    at(1_000_000_007.5)
    step = 1_000_000_007 // 30
    assert tokens(SECRET) == [token_at(decode_secret(SECRET), step)]
    assert tokens(SECRET, wait=True) == [token_at(decode_secret(SECRET), step + 1)]
    assert totp.time.time() == (step + 1) * 30
    assert tokens(SECRET, SECRET, wait="yes") == [token_at(decode_secret(SECRET), step + more) for more in (2, 3)]


def test_key_of_the_store(at, tmp_path, monkeypatch):
    at(600)
    store = VaultFile(str(tmp_path / "store"), VaultText(VAULT))
    valid = PersonKey(SECRET, period=60, created=1, validated=Proven(2, "web1"))
    store.merge_in({"alice": Person("alice").with_key(valid)})
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(VAULT))
    variables = {"mfa_store": "vault_file", "mfa_store_path": str(tmp_path / "store"), "inventory_hostname": "web1"}
    assert tokens(variables=variables, user="alice") == [token_at(decode_secret(SECRET), 10)]
    with pytest.raises(AnsibleLookupError, match="no validated key of bob"):
        tokens(variables=variables, user="bob")
    with pytest.raises(AnsibleLookupError, match="no validated key of .not shown"):
        tokens(variables=variables, user="123456")


@pytest.mark.parametrize(
    ("terms", "options", "told"),
    [
        ([], {}, "give a secret, an otpauth URI, or the option user"),
        ([SECRET], {"user": "alice"}, "user: give either"),
        ([SECRET, SECRET + "1"], {}, "term 2: the secret is not base32"),
        ([[SECRET]], {}, "term 1: must be a secret"),
        ([f"otpauth://hotp/alice?secret={SECRET}"], {}, "term 1: the otpauth URI is not for a time-based key"),
        ([SECRET], {"period": 0}, "period: 0 is not in the range 1 to 60"),
        ([SECRET], {"period": "123456"}, "period: must be a number"),
        ([SECRET], {"digits": 5}, "digits: must be one of 6, 7, 8"),
        ([SECRET], {"algorithm": "MD5"}, "algorithm: must be one of SHA1, SHA256, SHA512"),
        ([SECRET], {"wait": "soon"}, "wait: must be true or false"),
        ([], {"user": SECRET}, "user: what looks like a secret stands where none belongs"),
        ([], {"secret": SECRET}, "the options are user, wait"),
        ([], {"user": "alice"}, "mfa_store: is missing"),
    ],
)
def test_errors_show_no_secret(terms, options, told):
    with pytest.raises(AnsibleLookupError, match=told) as caught:
        tokens(*terms, **options)
    assert SECRET not in str(caught.value) and "123456" not in str(caught.value)


def test_in_a_play(tmp_path):
    """Neither a good nor a bad secret is shown at -vvvvv, and the token only where it is asked for."""
    tasks = [
        {"ansible.builtin.assert": {"that": "lookup('fleetmfa.ssh.totp', secret) is match('^[0-9]{6}$')"}},
        {"ansible.builtin.debug": {"msg": "{{ lookup('fleetmfa.ssh.totp', secret ~ '1') }}"}},
    ]
    play = {"hosts": "localhost", "gather_facts": False, "vars": {"secret": SECRET}, "tasks": tasks}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    command = ["ansible-playbook", "-vvvvv", "-i", "localhost,", str(tmp_path / "play.yml")]
    first = int(time.time()) // 30
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
    output = done.stdout + done.stderr
    assert done.returncode and "All assertions passed" in output, output
    assert "term 1: the secret is not base32" in output and SECRET not in output, output
    steps = range(first, int(time.time()) // 30 + 1)
    assert not [step for step in steps if token_at(decode_secret(SECRET), step) in output]
