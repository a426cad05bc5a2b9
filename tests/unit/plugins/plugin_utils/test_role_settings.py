# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Every variable of role mfa, with what YAML, an INI inventory and -e make of it: taken as meant, or refused by name."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._role_settings import RENAMED, read_settings

SPECS = Path(__file__).parents[4] / "roles/mfa/meta/argument_specs.yml"
OPTIONS = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]
OF_TYPE = {
    kind: sorted(name for name, option in OPTIONS.items() if option["type"] == kind and "choices" not in option)
    for kind in ("bool", "int", "list", "dict", "str", "path")
}
SECRETS = ("mfa_keys", "mfa_import_keys")
NO_NAMES = (
    *SECRETS,
    "mfa_claims_endpoints",
    "mfa_services",
    "mfa_penalty_exempt",
    "mfa_notify_command",
    "mfa_security_keys",
)
NAMES = [name for name in OF_TYPE["list"] if name not in NO_NAMES]
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def read(name, value):
    return read_settings(OPTIONS, {name: value}).get(name[4:])


def refused(name, value):
    with pytest.raises(FleetMfaError) as error:
        read(name, value)
    assert str(error.value).startswith(f"{name}: ")
    return str(error.value)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_defaults_are_what_they_are(name):
    expected = None if name in SECRETS else OPTIONS[name]["default"]
    assert read(name, OPTIONS[name]["default"]) == expected


def test_networks():
    given = ["192.0.2.10", "198.51.100.0/24", "2001:DB8::1", "2001:db8::/64"]
    meant = ["192.0.2.10", "198.51.100.0/24", "2001:db8::1", "2001:db8::/64"]
    for value in (given, ",".join(given), str(given)):
        assert read("mfa_penalty_exempt", value) == meant


@pytest.mark.parametrize(
    "value", ["192.0.2.10/24", "bastion", "192.0.2.*", "!192.0.2.1", "192.0.2.1 yes", "fe80::1%eth0", "", 17, SECRET]
)
def test_invalid_networks(value):
    said = refused("mfa_penalty_exempt", ["192.0.2.1", value])
    assert "entry 2 is not an address or a network" in said and SECRET not in said


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_nothing_is_refused(name):
    assert "is empty" in refused(name, None)


@pytest.mark.parametrize("name", OF_TYPE["bool"])
def test_booleans(name):
    for value in (True, "true", "True", "yes", "on", "1", 1):
        assert read(name, value) is True
    for value in (False, "false", "False", "no", "off", "0", 0):
        assert read(name, value) is False
    for value in ("", "maybe", "falsch", 2, 1.0, [], [True], {}, "none"):
        assert "true or false" in refused(name, value)


@pytest.mark.parametrize("name", OF_TYPE["int"])
def test_numbers(name):
    default = OPTIONS[name]["default"]
    assert read(name, str(default)) == read(name, default) == default
    for value in (True, "", "many", "7 days", 7.5, "7.0", [7], {}, "0x10", "٧"):
        assert "whole number" in refused(name, value)
    for value in (-1, "-1", 10**6, "99999"):
        assert "a number from" in refused(name, value)


@pytest.mark.parametrize("name", NAMES)
def test_lists_of_names(name):
    assert read(name, "automation") == ["automation"]
    assert read(name, "deploy,breakglass") == read(name, ["deploy", "breakglass"]) == ["deploy", "breakglass"]
    assert read(name, "['deploy', 'breakglass']") == ["deploy", "breakglass"]
    assert read(name, "[]") == read(name, "") == read(name, ()) == []
    assert read(name, [1000, "domain admins"]) == ["1000", "domain admins"]
    assert "write a list" in refused(name, "deploy breakglass")
    for value in (True, 7, {"deploy": 1}, "[a", "{a: 1}"):
        refused(name, value)
    for value in ([None], ["a", True], [["a"]], [{"user": "a"}], ["a\nb"], [" a"], ["../a"], [""]):
        assert "is not a name" in refused(name, value)


@pytest.mark.parametrize(
    ("value", "meant"),
    [("all", "all"), ("alice", ["alice"]), ("alice,bob", ["alice", "bob"]), (["alice"], ["alice"]), ([], [])],
)
def test_users(value, meant):
    assert read("mfa_users", value) == meant


@pytest.mark.parametrize("value", ["All", ["all"], "all,alice", "alice bob", 7, True, {}])
def test_invalid_users(value):
    refused("mfa_users", value)


@pytest.mark.parametrize("name", [name for name in OF_TYPE["str"] if name != "mfa_enrollment_start"])
def test_texts(name):
    assert read(name, "example") == "example"
    for value in (True, ["example"], {}, 1.5, "a\nb", "example "):
        refused(name, value)


@pytest.mark.parametrize("name", OF_TYPE["path"])
def test_paths(name):
    assert read(name, "/opt/python3") == "/opt/python3"
    for value in (True, ["/opt"], "python3", "/opt/python3 -x", "/opt\n", 3):
        refused(name, value)


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if "choices" in option])
def test_choices(name):
    for value in OPTIONS[name]["choices"]:
        assert read_settings(OPTIONS, {name: value, "mfa_claims_endpoints": ["https://etcd1:2379"]})[name[4:]] == value
    for value in (SECRET, "", True, ["present"], OPTIONS[name]["choices"][0].upper()):
        assert SECRET not in refused(name, value)


def test_dates():
    assert read("mfa_enrollment_start", datetime.date(2026, 3, 31)) == read("mfa_enrollment_start", "2026-03-31")
    assert read("mfa_enrollment_start", "") == ""
    for value in ("31.3.2026", "2026-3-1", "20260331", "2026-02-30", 20260331, True, datetime.datetime(2026, 3, 31)):
        refused("mfa_enrollment_start", value)


def test_extensions():
    name = "mfa_enrollment_extensions"
    assert read(name, {"users": {"alice": "14"}}) == {"users": {"alice": 14}}
    assert read(name, "{'users': {'alice': 14}, 'groups': {}}") == {"users": {"alice": 14}, "groups": {}}
    for value in (
        {"user": {}},
        {"users": ["alice"]},
        {"users": {"alice": "many"}},
        {"users": {"alice": 0}},
        {"groups": {"a\nb": 3}},
        {"users": None},
        "alice=14",
        [],
        True,
    ):
        refused(name, value)


def test_groups_and_issuers():
    assert "local group" in refused("mfa_group", "MFA Users")
    assert "colon" in refused("mfa_issuer", "Example: Inc")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("https://etcd1:2379", ["https://etcd1:2379"]),
        ("https://a.example,https://192.0.2.1:2379/", ["https://a.example", "https://192.0.2.1:2379"]),
        (["https://[2001:db8::1]:2379"], ["https://[2001:db8::1]:2379"]),
        ("[https://a, https://b]", ["https://a", "https://b"]),
    ],
)
def test_endpoints(value, meant):
    assert read("mfa_claims_endpoints", value) == meant


@pytest.mark.parametrize(
    "url",
    ["http://a:2379", "a:2379", "https://", "https://a:0", "https://a:65536", "https://a/v3", "https://u:p@a:1", "https://a b",
     "https://a\n", "https://-a", 7, None, ["https://a"]],
)  # fmt: skip
def test_invalid_endpoints(url):
    assert "entry 2 is not https://HOST:PORT" in refused("mfa_claims_endpoints", ["https://a:2379", url])


@pytest.mark.parametrize("value", [7, {}, True, "[https://a"])
def test_endpoints_that_are_no_list(value):
    refused("mfa_claims_endpoints", value)


@pytest.mark.parametrize("value", ["", "a b", "a" * 101, "a=b"])
def test_invalid_prefixes(value):
    assert "may have 1 to 100 letters" in refused("mfa_claims_prefix", value)


def test_claims_in_etcd_need_endpoints_and_the_guard():
    endpoints = {"mfa_claims_endpoints": "https://etcd1:2379"}
    with pytest.raises(FleetMfaError, match="^mfa_claims_endpoints: is empty; mfa_claims: etcd needs"):
        read_settings(OPTIONS, {"mfa_claims": "etcd", "mfa_claims_endpoints": []})
    with pytest.raises(FleetMfaError, match="^mfa_claims: etcd needs mfa_guard: true"):
        read_settings(OPTIONS, {"mfa_claims": "etcd", "mfa_guard": False, **endpoints})
    assert read_settings(OPTIONS, {"mfa_claims": "local", "mfa_guard": False, "mfa_claims_endpoints": []})
    assert read_settings(OPTIONS, {"mfa_claims": "etcd", "mfa_guard": True, **endpoints})


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ([], "^mfa_services: must contain sshd"),
        (["su"], "^mfa_services: must contain sshd"),
        (["sshd", "sddm"], "^mfa_services: sddm cannot ask for a token after the password: it shows one field"),
        (["sshd", "xrdp-sesman"], "xrdp-sesman cannot ask .*: it has one password for all prompts"),
        (["sshd", "common-auth"], "common-auth cannot ask .*: it is no service"),
    ],
)
def test_doors_that_cannot_ask(services, told):
    with pytest.raises(FleetMfaError, match=told):
        read_settings(OPTIONS, {"mfa_services": services})
    assert read_settings(OPTIONS, {"mfa_services": "sshd,su,anything"})["services"] == ["sshd", "su", "anything"]


TABLET = [{"user": "alice", "device": "tablet", "secret": SECRET}]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"mfa_keys": TABLET}, "^mfa_keys: entry 1 is for a second device, .* mfa_second_device: true$"),
        ({"mfa_second_device": True, "mfa_guard": False}, "^mfa_second_device: needs mfa_guard: true"),
        ({"mfa_second_device": True, "mfa_factors": "either"}, "^mfa_second_device: needs mfa_factors: publickey.totp"),
        ({"mfa_second_device": True, "mfa_factors": "password+totp"}, "^mfa_second_device: needs mfa_factors"),
        ({"mfa_keys": [{**TABLET[0], "device": 7}]}, "^mfa_keys: entry 1: device: must be a string"),
        ({"mfa_keys": [{**TABLET[0], "device": "My Tablet"}]}, "^mfa_keys: entry 1: device: must be a short name"),
    ],
)
def test_what_a_second_device_needs(given, told):
    with pytest.raises(FleetMfaError, match=told) as error:
        read_settings(OPTIONS, given)
    assert SECRET not in str(error.value)


def test_a_second_device():
    found = read_settings(OPTIONS, {"mfa_second_device": True, "mfa_factors": "publickey+totp", "mfa_keys": TABLET})
    assert found["second_device"] is True


REMEMBER = {"mfa_remember_seconds": 28800}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({**REMEMBER, "mfa_guard": False}, "^mfa_remember_seconds: needs mfa_guard: true"),
        ({**REMEMBER, "mfa_factors": "either"}, "^mfa_remember_seconds: needs mfa_factors: publickey.totp"),
        ({**REMEMBER, "mfa_factors": "password+totp"}, "^mfa_remember_seconds: needs mfa_factors"),
        ({"mfa_remember_seconds": 43201}, "^mfa_remember_seconds: must be a number from 0 to 43200$"),
        ({"mfa_remember_seconds": -1}, "^mfa_remember_seconds: must be a number from 0 to 43200$"),
        *(
            (
                {**REMEMBER, "mfa_remember_groups": ["ops", name]},
                "^mfa_remember_groups: entry 2 cannot be in a PAM line",
            )
            for name in ("domain users", "1000", "a]b", "a\\b", "a#b", "DOMAIN\\ops", "a$b", "-x", "a:b", "é")
            if name not in ("-x", "a:b")
        ),
    ],
)
def test_what_remembering_needs(given, told):
    with pytest.raises(FleetMfaError, match=told):
        read_settings(OPTIONS, given)


def test_remembering():
    found = read_settings(OPTIONS, {"mfa_remember_seconds": "3600", "mfa_remember_groups": "ops,x.y_z@example-1"})
    assert (found["remember_seconds"], found["remember_groups"]) == (3600, ["ops", "x.y_z@example-1"])
    off = {
        "mfa_remember_seconds": 0,
        "mfa_guard": False,
        "mfa_factors": "either",
        "mfa_remember_groups": ["domain ops"],
    }
    assert read_settings(OPTIONS, off)["remember_seconds"] == 0


KEYS = {
    f"secret={SECRET}": "a list of entries",
    "no dictionary": "a list of entries",
    (SECRET,): "entry 1 is not a dictionary",
    (("usr", "alice"), ("secret", SECRET)): "entry 1 has an unknown item; an entry may have user, state, secret",
    (("secret", SECRET),): "entry 1 has no user",
    (("user", None), ("secret", SECRET)): "entry 1 has no user",
}


@pytest.mark.parametrize(("value", "told"), KEYS.items())
def test_keys(value, told):
    if isinstance(value, tuple):
        value = [dict(value) if isinstance(value[0], tuple) else value[0]]
    message = refused("mfa_keys", value)
    assert told in message and SECRET not in message
    assert read_settings(OPTIONS, {"mfa_keys": [{"user": "alice", "secret": SECRET}]}) == {"store": False}


def test_the_store():
    """Whether there is one; where it is stays with the actions that open it."""
    given = {"mfa_store": "vault_file", "mfa_store_path": "/srv/store", "mfa_store_hashi_vault_token": SECRET}
    assert read_settings(OPTIONS, given) == {"store": True}
    assert read_settings(OPTIONS, {**given, "mfa_store": ""}) == {"store": False}


def test_keys_to_import():
    for value in ([{"secret": SECRET}], f"[{{secret: {SECRET}}}]", []):
        assert read_settings(OPTIONS, {"mfa_import_keys": value}) == {"store": False}
    for value, told in (
        (SECRET, "a list of entries"),
        ([SECRET], "entry 1 is not a dict"),
        ([{SECRET: 1}], "none belongs"),
    ):
        message = refused("mfa_import_keys", value)
        assert told in message and SECRET not in message


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("mfa_exempt_user", "mfa_exempt_users"),
        ("mfa_enrolment_days", "mfa_enrollment_days"),
        ("mfa_gaurd", "mfa_guard"),
    ],
)
def test_misspelled_variables_are_named(name, alike):
    assert f"has no such variable; did you mean {alike}?" in refused(name, SECRET)


@pytest.mark.parametrize(("name", "now"), RENAMED.items())
def test_renamed_variables_are_named_with_their_new_name(name, now):
    assert now in OPTIONS and name not in OPTIONS
    assert f"was renamed to {now};" in refused(name, SECRET)


def test_unknown_variables_are_named():
    assert "names that begin with mfa_ are reserved for it" in refused("mfa_qqqqqqqqqqq", 1)


def test_all_of_them_are_named_at_once():
    with pytest.raises(FleetMfaError) as error:
        read_settings(OPTIONS, {"mfa_guard": "perhaps", "mfa_window": 0, "mfa_exempt_user": []})
    assert all(name in str(error.value) for name in ("mfa_guard: ", "mfa_window: ", "mfa_exempt_user: "))


def test_tokens_stay_text():
    refused("mfa_validate_first", 12345)
    assert read_settings(OPTIONS, {"mfa_validate_first": "012345", "mfa_serial": [1, "25%"]}) == {"store": False}


@pytest.mark.parametrize("name", ["mfa_revoke_device", "mfa_recover_device"])
def test_a_device_left_empty_does_not_mean_all(name):
    for value in ("", None, "My Tablet", 7, ["tablet"]):
        with pytest.raises(FleetMfaError, match=f"^{name}: .*(short name|name of a device)"):
            read_settings(OPTIONS, {name: value})
    for value in ("first", "tablet"):
        read_settings(OPTIONS, {name: value})


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ([], []),
        ("", []),
        ("[]", []),
        ("/usr/local/sbin/tell", ["/usr/local/sbin/tell"]),
        ('["/usr/local/sbin/tell", "--to", "a b"]', ["/usr/local/sbin/tell", "--to", "a b"]),
        (["/usr/local/sbin/tell", 5, "$(id)"], ["/usr/local/sbin/tell", "5", "$(id)"]),
    ],
)
def test_a_command(value, meant):
    assert read("mfa_notify_command", value) == meant


@pytest.mark.parametrize("value", ["tell", "./tell", ["tell", "/x"], "/usr/local/sbin/tell --to me", ["/a b"], [""]])
def test_a_command_that_is_no_absolute_path(value):
    assert "must begin with the absolute path of a program" in refused("mfa_notify_command", value)


@pytest.mark.parametrize("value", [5, True, {"a": 1}, ["/x", ["y"]], ["/x", "a\nb"], ["/x", None], ["/x", True]])
def test_what_is_no_command(value):
    refused("mfa_notify_command", value)


def test_a_secret_is_no_argument():
    assert SECRET not in refused("mfa_notify_command", ["/usr/local/sbin/tell", SECRET])
