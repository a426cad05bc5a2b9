# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Interprets the variables of roles mfa and mfa_audit, from any source, or refuses them by name. Private to the collection.

YAML has types; an INI inventory and `-e name=value` only have text (and an INI inventory also what looks like Python).
So text is converted to the type in the argument_specs.yml of the role if there is only one interpretation. No message
contains a value, since it may be a secret in the wrong place.
"""

from __future__ import annotations

import datetime
import difflib
import posixpath
import re
from typing import Any, Callable

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, SETTING_OF_OPTION, check_range
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import check_label
from ansible_collections.fleetmfa.ssh.plugins.module_utils._misplaced import NOT_SHOWN, is_secret
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import EnforcedGroup
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._claim_settings import (
    check_endpoint,
    check_prefix,
    claim_problems,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._doors import door_problems
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._entry_lists import (
    read_exemptions,
    read_import_keys,
    read_keys,
    read_logins,
    structure,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._networks import check_network
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._remembered_logins import remember_problems
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._second_device import (
    check_any_device,
    second_device_problems,
)
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._security_keys import read_security_keys
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES

PREFIX, INTERNAL = "mfa_", ("mfa__", "mfa_audit__")
SECRET = "mfa_keys"
IMPORTED = "mfa_import_keys"
# Variables of the playbooks, which only task file `validate` of the role reads.
TOKENS = ("mfa_validate_first", "mfa_validate_second")
OF_STATUS = ("mfa_status_users", "mfa_status_show", "mfa_status_json")
OF_JUDGING = ("mfa_judge_with_role", "mfa_judge_others", "mfa_judge_junit", "mfa_judge_sshd")
OF_PLAYBOOKS = (
    "mfa_serial",
    "mfa_max_fail_percentage",
    "mfa_validate_user",
    "mfa_validate_device",
    *TOKENS,
    "mfa_reason",
    "mfa_revoke_users",
    "mfa_revoke_device",
    "mfa_recover_user",
    "mfa_recover_mode",
    "mfa_recover_device",
    "mfa_recover_again",
    "mfa_recover_file",
    "mfa_unlock_users",
    "mfa_unlock_only_remembered",
    *OF_STATUS,
    *OF_JUDGING,
)
# Left empty by a mistake, one of these must not mean all devices.
DEVICES = ("mfa_revoke_device", "mfa_recover_device")
RECOVER_MODES = ("new_key", "help_desk_code", "show")
# Renamed variables.
RENAMED = {"mfa_enroll": "mfa_enrollment", "mfa_enroll_python": "mfa_enrollment_python"}

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def read_settings(options: dict[str, dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """The settings by name without `mfa_`; `options` is the argument spec, `given` are all variables whose names begin
    with mfa_.

    A FleetMfaError names all invalid variables. `mfa_keys`, `mfa_import_keys` and `mfa_audit_logins` are checked but not returned,
    since they contain secrets. Of the key store only `store` is returned, whether there is one.
    """
    problems, settings = [], {}
    for name, value in given.items():
        try:
            if name in options:
                settings[name[len(PREFIX) :]] = _meant(name, options[name], value)
            elif name in TOKENS:
                _check_token(value)
            elif name in OF_PLAYBOOKS:
                refuse_secrets(value)
                if name in DEVICES:
                    check_any_device(value)
                if name == "mfa_recover_mode" and value not in RECOVER_MODES:
                    raise FleetMfaError(f"must be one of {', '.join(RECOVER_MODES)}")
            elif name not in STORE_VARIABLES:  # those are read where the store is opened, and some are secrets
                raise FleetMfaError(_unknown(name, [*options, *OF_PLAYBOOKS, *STORE_VARIABLES]))
        except FleetMfaError as error:
            problems.append(f"{shown_name(name)}: {error}")
    problems += claim_problems(settings)
    problems += door_problems(settings)
    problems += remember_problems(settings)
    problems += second_device_problems(settings, settings.get("keys", ()))
    if problems:
        raise FleetMfaError("; ".join(problems))
    for name in ("keys", "import_keys", "audit_logins"):
        settings.pop(name, None)
    settings["store"] = bool(given.get("mfa_store"))
    return settings


def shown_name(name: str) -> str:
    return f"a variable {NOT_SHOWN}" if is_secret(name[len(PREFIX) :]) else name


def _unknown(name: str, known: list[str]) -> str:
    if name in RENAMED:
        return f"this variable was renamed to {RENAMED[name]}; use that name"
    alike = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {alike[0]}?" if alike else ", and names that begin with mfa_ are reserved for it"
    return f"role fleetmfa.ssh.mfa has no such variable{meant}"


def _meant(name: str, option: dict[str, Any], value: Any) -> Any:
    if value is None:
        raise FleetMfaError("is empty; give it a value, or omit the variable to use its default")
    value = _reader(name, option)(value)
    refuse_secrets(value)
    if "choices" in option and not set(value if isinstance(value, list) else [value]) <= set(option["choices"]):
        raise FleetMfaError(f"must be one of {', '.join(option['choices'])}")
    setting = SETTING_OF_OPTION.get(name[len(PREFIX) :], name[len(PREFIX) :])
    if setting in RANGES:
        check_range_of(setting, value)
    if name in _CHECKS:
        _CHECKS[name](value)
    return value


def check_range_of(setting: str, value: int) -> None:
    """Like check_range, without the value in the message."""
    try:
        check_range(setting, value)
    except FleetMfaError:
        raise FleetMfaError(f"must be a number from {RANGES[setting]}") from None


# Types


def _bool(value: Any) -> bool:
    text = str(value).strip().lower()
    if isinstance(value, bool) or (isinstance(value, (str, int)) and text in (*_TRUE, *_FALSE)):
        return text in _TRUE
    raise FleetMfaError("must be true or false")


def _int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,9}\s*", value, re.ASCII):
        return int(value)
    raise FleetMfaError("must be a whole number")


def _str(value: Any) -> str:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise FleetMfaError("must be a string; quote it")
    text = str(value)
    if not text.isprintable() or text != text.strip():
        raise FleetMfaError("has a line break, a control character, or a blank at an end")
    return text


def _path(value: Any) -> str:
    text = _str(value)
    if not posixpath.isabs(text) or " " in text:
        raise FleetMfaError("must be an absolute path, without blanks")
    return text


def _list(value: Any) -> list[str]:
    return [_element(number, element) for number, element in enumerate(_elements(value), 1)]


def _exemptions(value: Any) -> list[Any]:
    """A list of names, and of entries {name, reason, approved_by, until}."""
    return read_exemptions(_elements(value), _element)


def _security_keys(value: Any) -> list[dict[str, Any]]:
    return read_security_keys(value, _element)


def _elements(value: Any) -> list[Any]:
    """Of a list of names. A single name, or names separated by commas, may be given as a string."""
    if isinstance(value, str):
        names = structure(value, list)
        if names is None and re.search(r"[^\s,]\s+[^\s,]", value):
            raise FleetMfaError("is a string with blanks; write a list, [one, another]")
        value = [name.strip() for name in value.split(",") if name.strip()] if names is None else names
    if not isinstance(value, (list, tuple)):
        raise FleetMfaError("must be a list of names, [one, another]")
    return list(value)


def _element(number: int, element: Any) -> str:
    try:
        name = _str(element)
        check_user_name(name)  # for names of groups too: both become lines in one policy file
    except FleetMfaError:
        raise FleetMfaError(f"entry {number} is not a name") from None
    return name


def _dict(value: Any) -> dict[Any, Any]:
    if isinstance(value, str):
        value = structure(value, dict)
    if not isinstance(value, dict):
        raise FleetMfaError("must be a dictionary, such as {users: {alice: 14}}")
    return value


def _users(value: Any) -> Any:
    if value == "all":
        return value
    names = _list(value)
    if "all" in [name.lower() for name in names]:
        raise FleetMfaError("must be a list of names, or just the word all")
    return names


def _endpoints(value: Any) -> list[str]:
    """A single URL, or URLs separated by commas, may be given as a string."""
    if isinstance(value, str):
        found = structure(value, list)
        value = [url.strip() for url in value.split(",") if url.strip()] if found is None else found
    if not isinstance(value, (list, tuple)):
        raise FleetMfaError("must be a list of URLs, [https://one:2379, https://another:2379]")
    return [check_endpoint(number, url) for number, url in enumerate(value, 1)]


def _command(value: Any) -> list[str]:
    """A program and its arguments. A program alone may be given as a string; no shell takes words apart."""
    if isinstance(value, str):
        found = structure(value, list)
        value = [value] if found is None and value else found or []
    if not isinstance(value, (list, tuple)):
        raise FleetMfaError("must be a list of a program and its arguments, [/usr/local/sbin/tell, --from, me]")
    parts = [part if isinstance(part, str) else str(_int(part)) for part in value]
    if not all(part.isprintable() for part in parts):
        raise FleetMfaError("has a line break or a control character")
    if parts and (not posixpath.isabs(parts[0]) or " " in parts[0]):
        raise FleetMfaError("must begin with the absolute path of a program, without blanks; write arguments as a list")
    return parts


def _networks(value: Any) -> list[str]:
    return [check_network(number, one) for number, one in enumerate(_elements(value), 1)]


def _reader(name: str, option: dict[str, Any]) -> Callable[[Any], Any]:
    own = {
        "mfa_users": _users,
        SECRET: read_keys,
        IMPORTED: read_import_keys,
        "mfa_audit_logins": read_logins,
        "mfa_claims_endpoints": _endpoints,
        "mfa_penalty_exempt": _networks,
        "mfa_notify_command": _command,
        "mfa_security_keys": _security_keys,
        **dict.fromkeys(("mfa_exempt_users", "mfa_exempt_groups"), _exemptions),
    }
    return own.get(name) or _READERS[option["type"]]


_READERS: dict[str, Callable[[Any], Any]] = {
    "bool": _bool,
    "int": _int,
    "str": _str,
    "path": _path,
    "list": _list,
    "dict": _dict,
}


# Single variables


def _check_date(value: str) -> None:
    try:
        sound = not value or datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        sound = False
    if not sound:
        raise FleetMfaError("must be a date such as 2026-03-31, or empty")


def _check_group(value: str) -> None:
    try:
        EnforcedGroup(value)
    except FleetMfaError:
        raise FleetMfaError("is not a valid name for a local group (lower case, digits, '-' and '_')") from None


def _check_issuer(value: str) -> None:
    try:
        check_label(value, "issuer")
    except FleetMfaError:
        raise FleetMfaError("cannot be an issuer: it must be short, printable and without a colon") from None


def _check_extensions(value: dict[Any, Any]) -> None:
    unknown = set(value) - {"users", "groups"}
    if unknown:
        raise FleetMfaError("may contain only users and groups")
    for kind, days in value.items():
        if not isinstance(days, dict):
            raise FleetMfaError(f"{kind} must be a dictionary of names and days, {{alice: 14}}")
        for number, (name, count) in enumerate(days.items(), 1):
            try:
                _element(number, name)
                days[name] = _int(count)
                check_range_of("enrollment_days", days[name])
            except FleetMfaError as error:
                raise FleetMfaError(f"{kind}, entry {number}: {error}") from None


def _check_token(value: Any) -> None:
    if not isinstance(value, str):
        raise FleetMfaError("must be a string, in quotation marks: a token may begin with 0")


_CHECKS: dict[str, Callable[[Any], None]] = {
    "mfa_enrollment_start": _check_date,
    "mfa_group": _check_group,
    "mfa_issuer": _check_issuer,
    "mfa_claims_prefix": check_prefix,
    "mfa_enrollment_extensions": _check_extensions,
}
