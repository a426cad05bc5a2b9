# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The key store in one encrypted file: what is on disk, what a reader sees, and what goes wrong."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store import vault_file
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.person import HistoryEvent, Person, Proven
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.vault_text import VaultText
from ansible_collections.fleetmfa.ssh.tests.support.people import CODES, START, key, person, secret, spent

VAULT_PASSWORD = "a vault password of the tests"
ALICE = person(key(codes=frozenset(CODES), validated=Proven(START, "web1"), burnt={7: frozenset(["web1"])}))
BOB = person(key("bob's"), user="bob", history=frozenset([HistoryEvent(START, "operator", "new key", "Grüße")]))
EVERYBODY = {"alice": ALICE, "bob": BOB}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder/store.yml"


def set_content(path, text, password=VAULT_PASSWORD):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(VaultLib([]).encrypt(text, VaultSecret(password.encode())))


def refused(call):
    """The error's message, which never shows a secret."""
    with pytest.raises(FleetMfaError) as error:
        call()
    message = str(error.value)
    assert secret("phone") not in message and not any(code in message for code in CODES)
    return message


def test_what_was_written_is_read(open_file, path):
    assert open_file().read() == {} and not path.exists()
    assert open_file().merge_in(EVERYBODY) == ["alice", "bob"]
    assert open_file().read() == EVERYBODY and open_file().read(["bob", "carol"]) == {"bob": BOB}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert secret("phone").encode() not in path.read_bytes()


def test_few_and_many_people(open_file, monkeypatch):
    """Whether lines are searched for or indexed, what was written is read."""
    names = [f"user{number}" for number in range(30)] + ["DOM\\\\user1", 'a"b', "Jörg", "user"]
    written = {name: person(key(name), user=name) for name in names}
    for name in names[::-1]:
        assert open_file().merge_in({name: written[name]}) == [name]
    for asked in (names, names[:3], names[-4:]):
        assert open_file().read(asked) == {name: written[name] for name in asked}
    assert open_file().merge_in(written) == []
    revoked = {name: person(revoked_through=2, user=name) for name in names}
    for some in (names[3:5], names[5:]):
        assert open_file().merge_in({name: revoked[name] for name in some}) == some
    assert {name: one.revoked_through for name, one in open_file().read().items()} == {
        name: 0 if name in names[:3] else 2 for name in names
    }


def test_the_id_stays(open_file):
    store = open_file()
    made = store.head.id
    store.merge_in(EVERYBODY)
    open_file().merge_in({"carol": Person("carol", revoked_through=1)})
    assert open_file().head.id == made


def test_nothing_new_writes_nothing(open_file, path):
    assert open_file().merge_in({"alice": Person("alice")}) == [] and not path.exists()
    open_file().merge_in(EVERYBODY)
    before = path.stat()
    assert open_file().merge_in(EVERYBODY) == []
    assert path.stat() == before and not Path(f"{path}.backup").exists()


def test_ansible_vault_shows_and_edits_it(open_file, path, tmp_path):
    open_file().merge_in(EVERYBODY)
    password = tmp_path / "password"
    password.write_text(VAULT_PASSWORD)
    (tmp_path / "editor").write_text(f"#!{sys.executable}\n" + _EDITOR)
    (tmp_path / "editor").chmod(0o700)

    def ansible_vault(verb):
        return subprocess.run(
            ["ansible-vault", verb, "--vault-password-file", password, path],
            env={**os.environ, "EDITOR": str(tmp_path / "editor")}, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    head, *people = [json.loads(line) for line in ansible_vault("view").splitlines()]
    assert head["format"] == 1 and [one["user"] for one in people] == ["alice", "bob"]
    assert people[0]["keys"][0]["validated"] == {"when": "2026-09-21T14:13:20Z", "host": "web1"}
    ansible_vault("edit")
    assert open_file().read() == {"alice": ALICE, "robert": Person("robert", BOB.keys, 0, BOB.history)}
    assert open_file().head.aliases == {"web": {"asmith": "alice"}}


# As a person would: other spaces, other order, an alias.
_EDITOR = """
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
lines[0]["aliases"] = {"web": {"asmith": "alice"}}
lines[2]["user"] = "robert"
lines[2] = dict(reversed(lines[2].items()))
open(sys.argv[1], "w").write("\\n\\n".join(map(json.dumps, lines)))
"""


def test_the_secret_of_the_vault_id(open_file, path):
    two = [("fleet", "password of the fleet"), ("other", "another password")]
    open_file(*two, vault_id="other").merge_in(EVERYBODY)
    assert path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;other\n")
    open_file(*two).merge_in({"carol": Person("carol", revoked_through=1)})
    assert path.read_bytes().startswith(b"$ANSIBLE_VAULT;1.2;AES256;other\n"), "changed with the secret it had"
    assert set(open_file(two[1]).read()) == {"alice", "bob", "carol"}
    assert "no vault secret with the id third" in refused(
        lambda: open_file(*two, vault_id="third").merge_in({"dave": Person("dave", revoked_through=1)})
    )


def test_missing_and_wrong_secret(open_file, path):
    open_file().merge_in(EVERYBODY)
    assert "--vault-id" in refused(lambda: VaultText([]))
    message = refused(lambda: open_file(("default", "incorrect-horse")).read())
    assert str(path) in message and "vault ids: default" in message and "incorrect-horse" not in message


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[:-300], "cannot be decrypted"),
        (lambda content: content[:1000] + b"0" * 10 + content[1010:], "cannot be decrypted"),
        (lambda content: b"", "not in the format of ansible-vault"),
        (lambda content: b"users: {}\n", "not in the format of ansible-vault"),
    ],
)
def test_damaged_file(open_file, path, damage, told):
    open_file().merge_in(EVERYBODY)
    path.write_bytes(damage(path.read_bytes()))
    damaged = path.read_bytes()
    assert told in refused(open_file().read)
    assert told in refused(lambda: open_file().merge_in(EVERYBODY))
    assert path.read_bytes() == damaged


_HEAD = '{"format":1,"store":"0123456789abcdef"}\n'
_KEY = {"secret": secret("phone"), "generation": 1, "created": "2026-09-21T14:13:20Z"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1, column 1: is not JSON"),
        ("some: yaml\n", "line 1, column 1: is not JSON"),
        ("{}\n", "is not a key store"),
        (_HEAD.replace("1", "2", 1), "field format must be 1; use the version"),
        (_HEAD.replace("0123", "012"), "field store must be the 16"),
        (_HEAD + '{"user":"alice","keys":[}', "the line of a person, column 25: is not JSON"),
        (_HEAD + '{"user":"alice"}\n' * 2, "person 'alice' has two records"),
        (_HEAD + '{ "user": "alice"}\n{"user":"alice"}', "person 'alice' has two records"),
        (_HEAD + '{"user": "../alice"}', "'../alice': field user"),
        (_HEAD + '{"keys": []}', "a person without a name: field user is missing"),
        (_HEAD + '{"user":"alice","revoked":1}', "person 'alice': 1 fields are unknown"),
        (_HEAD + '{"user":"alice","revoked_through":true}', "person 'alice': field revoked_through must be a whole"),
    ],
)
def test_faulty_text(open_file, path, text, told):
    set_content(path, text)
    assert told in refused(open_file().read)
    assert told in refused(lambda: open_file().read(["alice"]))


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("secret", secret("phone")[:-1] + "1", "field secret cannot be used: the secret is not base32"),
        ("secret", None, "field secret is missing"),
        ("generation", 0, "field generation must be a whole number, 1 to"),
        ("created", "21 September", "field created must be a UTC time"),
        ("period", 3600, "field period must be a whole number, 1 to 60"),
        ("recovery_codes", [CODES[0] + "1"], "field recovery_codes has a code that is not eight digits"),
        ("recovery_codes", CODES[0], "field recovery_codes must be a list"),
        ("validated", {"when": 5, "host": "web1"}, "field validated is wrong: validated: field when"),
        ("validated", {"when": "2026-09-21T14:13:20Z", "host": "web1", "by": ""}, "1 fields are unknown"),
        ("burnt_steps", {secret("phone"): ["web1"]}, "field burnt_steps must give"),
        ("drift", {"when": "2026-09-21T14:13:20Z", "seconds": "5"}, "field seconds must be a whole number"),
        (secret("phone"), 1, "1 fields are unknown"),
    ],
)
def test_faulty_key_names_person_key_and_field(open_file, path, field, value, told):
    set_content(path, _HEAD + json.dumps({"user": "alice", "keys": [_KEY, {**_KEY, "period": 60, field: value}]}))
    message = refused(open_file().read)
    assert "person 'alice', key 2" in message and told in message


def test_a_spent_code_cannot_be_left(open_file, path):
    used = sorted(spent("phone", CODES[0]))
    record = {"user": "alice", "keys": [{**_KEY, "recovery_codes": CODES, "spent_codes": used}]}
    set_content(path, _HEAD + json.dumps(record))
    assert "spent_codes says was used" in refused(open_file().read)


def test_backups(open_file, path, monkeypatch):
    changes = [{"alice": Person("alice", revoked_through=number)} for number in range(1, 12)]
    for number, change in enumerate(changes):
        _set_day(monkeypatch, datetime.date(2026, 11, 1 + number))
        before = path.read_bytes() if number else None
        open_file().merge_in(change)
        if number:
            assert Path(f"{path}.backup").read_bytes() == before
            assert Path(f"{path}.backup-2026-11-{1 + number:02}").read_bytes() == before
    of_days = sorted(path.parent.glob("store.yml.backup-*"))
    assert len(of_days) == vault_file.DAYS_KEPT and of_days[-1].name.endswith("-11")
    before = of_days[-1].read_bytes()
    open_file().merge_in(EVERYBODY)
    assert of_days[-1].read_bytes() == before, "the first one of the day stays"
    assert not list(path.parent.glob("*.tmp"))


def _set_day(monkeypatch, day):
    class Day(datetime.date):
        @classmethod
        def today(cls):
            return day

    monkeypatch.setattr(vault_file.datetime, "date", Day)


def test_a_lost_file_is_not_replaced_by_a_new_one(open_file, path):
    open_file().merge_in(EVERYBODY)
    open_file().merge_in({"carol": Person("carol", revoked_through=1)})
    path.unlink()
    assert "a key store was lost" in refused(open_file().read)
    assert "a key store was lost" in refused(lambda: open_file().merge_in(EVERYBODY))
    assert not path.exists()


def test_locked_by_a_parallel_run(open_file, path):
    open_file().merge_in({"alice": ALICE})
    with Path(f"{path}.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert open_file().read() == {"alice": ALICE}, "a reader waits for nobody"
        message = refused(lambda: open_file(lock_seconds=0.1).merge_in({"bob": BOB}))
    assert f"{path} has been locked" in message and f"process {os.getpid()} of " in message
    assert open_file().merge_in({"bob": BOB}) == ["bob"]


def test_changes_at_the_same_time_are_all_kept(open_file):
    names = [f"user{number}" for number in range(12)]
    threads = [
        threading.Thread(target=open_file().merge_in, args=({name: person(key(name), user=name)},)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(open_file().read()) == sorted(names)


def test_an_opened_store_sees_what_others_write(open_file):
    early = open_file()
    assert early.read() == {}
    open_file().merge_in({"alice": ALICE})
    assert early.read() == {"alice": ALICE}
    early.merge_in({"bob": BOB})
    assert open_file().read() == EVERYBODY


def test_a_failing_write_leaves_the_old_file(open_file, path, monkeypatch):
    open_file().merge_in({"alice": ALICE})
    before = path.read_bytes()
    monkeypatch.setattr(vault_file, "write_file", _no_space)
    store = open_file()
    assert "no space" in refused(lambda: store.merge_in({"bob": BOB}))
    assert store.read() == {"alice": ALICE} and path.read_bytes() == before


def _no_space(*_arguments):
    raise FleetMfaError("no space")


def test_a_link_is_not_followed(open_file, path, tmp_path):
    open_file().merge_in({"alice": ALICE})
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refused(open_file().read)
