# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors

from __future__ import annotations

import json
import random

import pytest

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import (
    KeyFile,
    KeySettings,
    differences,
    generate_recovery_codes,
)

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SETTINGS = KeySettings()


def key(text, secret=SECRET):
    return KeyFile.parse(f"{secret}\n{text}".encode("latin-1"))


def merged(text, settings=SETTINGS):
    return key(text).merged(settings, "Example", "alice").render().decode("latin-1").split("\n")[1:-1]


def new(**values):
    arguments = {"issuer": "Example", "account": "alice", "recovery_codes": ["10000001"], "now": 1000, **values}
    return KeyFile.create(SECRET, arguments.pop("settings", SETTINGS), **arguments)


META = '" FLEETMFA {"account": "alice", "issuer": "Example"}'
MANAGED = ['" TOTP_AUTH', '" DISALLOW_REUSE', '" RATE_LIMIT 3 30', META]


def test_a_new_key():
    content = new()
    lines = content.render().decode().splitlines()
    assert lines[0] == SECRET
    assert lines[-1] == "10000001"
    assert {'" TOTP_AUTH', '" DISALLOW_REUSE', '" RATE_LIMIT 3 30', '" STEP_SIZE 30'} <= set(lines)
    assert content.problems == []
    assert (content.period, content.window, content.rate_limit) == (30, 3, (3, 30))
    assert (content.issuer, content.account, content.since) == ("Example", "alice", 1000)
    assert content.merged(SETTINGS, "Example", "alice") == content


def test_merging_keeps_state_and_what_it_does_not_know():
    lines = [
        *MANAGED[:1],
        '" LAST0 host 17',
        '" RATE_LIMIT 3 30 100 110',
        '" DISALLOW_REUSE 4 5',
        '" TIME_SKEW 0',
        META,
        "10000001",
    ]
    assert merged("\n".join(lines)) == lines
    assert merged("\n".join(lines), KeySettings(3, 5, 60))[2] == '" RATE_LIMIT 5 60 100 110'


def test_merging_corrects_managed_lines():
    lines = merged(
        '" HOTP_COUNTER 1\n"TOTP_AUTH\n" WINDOW_SIZE 17\n" RATE_LIMIT x 30 5\n" DISALLOW_REUSE 5 x 6\n10000001'
    )
    assert '" HOTP_COUNTER 1' not in lines
    assert '"TOTP_AUTH' in lines, "a line the PAM module ignores is not ours"
    assert {'" TOTP_AUTH', '" WINDOW_SIZE 3', '" RATE_LIMIT 3 30', '" DISALLOW_REUSE 5 6', "10000001"} <= set(lines)


def test_what_means_the_same_stays_as_it_is():
    lines = ['" RATE_LIMIT  3\t30', '" TOTP_AUTH yes', '" DISALLOW_REUSE ', META, "", "10000001\r"]
    assert merged("\n".join(lines)) == lines


def test_an_option_is_set_where_it_stands_and_once():
    lines = merged("\n".join(['" WINDOW_SIZE 9', *MANAGED, '" WINDOW_SIZE 7', "10000001"]))
    assert lines == ['" WINDOW_SIZE 3', *MANAGED, "10000001"]


def test_a_wider_window_burns_what_the_pam_module_forgot():
    lines = "\n".join(['" TOTP_AUTH', '" DISALLOW_REUSE 100', '" RATE_LIMIT 3 30', META])
    assert key(lines).merged(KeySettings(window=7), "Example", "alice").used_steps == list(range(94, 101))
    assert key(lines).merged(KeySettings(window=2), "Example", "alice").used_steps == [100]


def test_last_login_is_not_the_validation():
    burnt = new().with_burnt([10, 11])
    assert burnt.last_login is None
    login = KeyFile.parse(burnt.render().replace(b"REUSE 10 11", b"REUSE 10 11 15"))
    assert login.last_login == 450
    assert login.with_burnt([20]).last_login == 450
    assert login.with_burnt([20]).meta_numbers("burnt") == [10, 11, 20]
    assert login.with_burnt([15]).last_login == 450
    assert burnt.merged(KeySettings(window=9), "Example", "alice").last_login is None
    assert login.merged(KeySettings(window=9), "Example", "alice").last_login == 450


@pytest.mark.parametrize("meta", ["{", "[]", "3", '{"since": "x", "tries": 3, "burnt": ["y"]}'])
def test_broken_metadata_is_replaced_not_trusted(meta):
    broken = key(f'" FLEETMFA {meta}')
    assert (broken.since, broken.meta_numbers("tries"), broken.meta_numbers("burnt")) == (None, [], [])
    assert broken.merged(SETTINGS, "Example", "alice").issuer == "Example"


def test_metadata_is_one_line_of_ascii():
    text = new(issuer='\u00fc"\n\r\\\0\u2603').render()
    line = next(line for line in text.split(b"\n") if line.startswith(b'" FLEETMFA '))
    assert line.isascii()
    assert json.loads(line[len('" FLEETMFA ') :])["issuer"] == '\u00fc"\n\r\\\0\u2603'


def test_same_key_is_secret_and_period():
    assert key("", SECRET.lower()).same_key(key('" WINDOW_SIZE 9'))
    assert key("", "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP").same_key(key(""))
    assert not key('" STEP_SIZE 60').same_key(key(""))
    assert not key("", "broken!").same_key(key("", "broken!"))


def test_differences_say_what_changed_and_no_secret():
    before = new()
    after = KeyFile.create(
        "KRUGKIDROVUWG2ZAKRUGKIDROVUWG2ZA", KeySettings(5, 4, 60), "Corp", "al", ["20000002"] * 2, 1000
    )
    words = differences(before, after)
    assert words == [
        "issuer Example -> Corp",
        "account alice -> al",
        "window 3 -> 5",
        "rate limit 3 in 30 s -> 4 in 60 s",
        "recovery codes 1 -> 2",
        "secret replaced",
    ]
    assert differences(before, before) == []
    assert differences(before, before.with_burnt([1])) == ["used tokens added"]


def test_problems_name_lines_not_contents():
    text = f'" TOTP_AUTH\n" TOTP_AUTH\n"RATE_LIMIT 3 30\n10000001\n{SECRET}\n20000002'
    problems = "\n".join(map(str, key(text).problems))
    for line in ("line 3: this option is already set above", "line 4: an option must start with", "line 6: neither"):
        assert line in problems
    assert SECRET not in problems
    assert "2000" not in problems


def test_too_large_a_file_is_never_written():
    with pytest.raises(FleetMfaError, match="65536"):
        new(recovery_codes=[str(10_000_000 + number) for number in range(8000)]).render()


def test_recovery_codes():
    codes = generate_recovery_codes(100)
    assert len(set(codes)) == 100
    assert all(len(code) == 8 and code[0] != "0" for code in codes)
    replaced = key(f"{META}\n10000001\nbroken\n30000003").with_recovery_codes(codes)
    assert replaced.recovery_codes == codes
    assert replaced.issuer == "Example"


def test_any_bytes_are_kept_and_merging_twice_is_merging_once():
    chance = random.Random(7)
    pieces = [
        '" ',
        '"',
        "TOTP_AUTH",
        "RATE_LIMIT",
        "DISALLOW_REUSE",
        "WINDOW_SIZE",
        "FLEETMFA",
        " 3",
        " 30",
        "\n",
        "\r",
        "\xff",
        "12345678",
        "\t",
        "{}",
        "-1",
    ]
    for _round in range(3000):
        content = "".join(chance.choice(pieces) for _round in range(chance.randrange(30))).encode("latin-1")
        parsed = KeyFile.parse(content)
        assert parsed.render() in (content, content + b"\n")
        once = parsed.merged(SETTINGS, "Example", "alice")
        assert once.merged(SETTINGS, "Example", "alice") == once
        assert KeyFile.parse(once.render()) == once
        assert set(parsed.used_steps) <= set(once.used_steps)
        assert parsed.recovery_codes == once.recovery_codes
        assert once.problems is not None


def test_a_key_is_not_printed():
    assert SECRET not in repr(new())
    assert SECRET not in str(new())
