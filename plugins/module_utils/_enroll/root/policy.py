# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""The enrollment policy of a host: a file that the role writes and everybody may read. Private to the collection.

It is read at each request, so a changed period or extension takes effect immediately, without reloading a daemon.
"""

from __future__ import annotations

import configparser
import datetime
import json
import os
from typing import Mapping, NamedTuple, Sequence

from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.period import Period, period_of_user
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.key_file import KeyFile
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import (
    GivenHostOptions,
    HostOptions,
    given_exemptions,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import RANGES, check_choice
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.accounts import DEFAULT_GROUP, Exemptions, is_named
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import (
    OPTIONS,
    Exemption,
    exempt_today,
    exemption,
    kept_exempt,
    with_security_keys,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.files import read_file

POLICY_PATH = "/etc/fleetmfa/policy.conf"
# Beside it, for root only: the exemptions that have a reason, an approver or a last day.
EXEMPTIONS_FILE = "exemptions.json"
UNKNOWN_FIRST_FACTOR = ("error", "accept")
OVERDUE_MODES = ("allow", "enroll_only", "deny")


class Policy(NamedTuple):
    """The role's variables of the same names (with mfa_ added); `users` None means every human account. `offered`: mfa_enrollment.

    The exempt lists are those of the day on which the policy was read; `exemptions` has everything that ever ends, or has ended.
    """

    state_dir: str
    group: str
    overdue_group: str
    users: list[str] | None
    exempt_users: list[str]
    connecting_users: list[str]
    exempt_groups: list[str]
    issuer: str
    period: int
    window: int
    rate_limit_attempts: int
    rate_limit_seconds: int
    recovery_codes: int
    enrollment_start: datetime.date | None
    enrollment_days: int
    enrollment_overdue: str
    user_extensions: Mapping[str, int]
    group_extensions: Mapping[str, int]
    unknown_first_factor: str
    exemptions: Sequence[Exemption] = ()
    offered: bool = True
    last_login_notice: bool = True

    @property
    def users_left_alone(self) -> list[str]:
        """Users who neither enroll nor become overdue: exempt users, and accounts whose connections cannot answer a
        prompt."""
        return [*self.exempt_users, *self.connecting_users]

    @property
    def left_alone(self) -> Exemptions:
        return Exemptions(self.users_left_alone, self.exempt_groups)

    def period_of_key(self, user: str, pending: KeyFile | None) -> Period | None:
        """The user's period, or the one that an operator has set for this pending key alone."""
        provisioned = pending.since if pending else None
        if pending and pending.deadline:
            return Period(datetime.date.fromtimestamp(provisioned or 0), pending.deadline)
        return self.period_of(user, provisioned)

    def period_of(self, user: str, provisioned: float | None) -> Period | None:
        """The user's period; if several extensions apply, the longest is used."""
        extensions = [0, *(days for name, days in self.user_extensions.items() if is_named(user, [name]))]
        extensions += [days for group, days in self.group_extensions.items() if user in Exemptions(groups=[group])]
        day = None if provisioned is None else self._first_day(user, datetime.date.fromtimestamp(provisioned))
        return period_of_user(self.enrollment_start, day, self.enrollment_days, max(extensions))

    def _first_day(self, user: str, provisioned: datetime.date) -> datetime.date:
        """Who was exempt has the whole period from the end of that on: nobody is overdue at the same midnight."""
        ends = [one.until for one in self.exemptions if one.until is not None and user in one.whom]
        return max([provisioned, *(day + datetime.timedelta(days=1) for day in ends)])


def read_policy(path: str = POLICY_PATH) -> Policy:
    """The policy, checked; a FleetMfaError names the file and the invalid option."""
    content = read_file(path)
    if content is None:
        raise FleetMfaError(f"{path} is missing; run the role fleetmfa.ssh.mfa on this host")
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    # User names are case-sensitive.
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(content.decode("utf-8"), source=path)
        policy = _policy(parser)
    except (configparser.Error, UnicodeDecodeError, KeyError) as error:
        raise FleetMfaError(f"{path} cannot be read as an enrollment policy: {error}") from error
    except ValueError as error:
        raise FleetMfaError(f"{path}: {error}") from error
    return _with_exemptions(policy, os.path.join(os.path.dirname(path), EXEMPTIONS_FILE))


def _with_exemptions(policy: Policy, path: str) -> Policy:
    entries = with_security_keys([*_plain(policy), *_read_exemptions(path)])
    exempt = exempt_today(entries, kept_exempt(policy.state_dir), datetime.date.today())
    return policy._replace(exempt_users=exempt.users, exempt_groups=exempt.groups, exemptions=entries)


def _plain(policy: Policy) -> list[Exemption]:
    users = [Exemption("user", name) for name in policy.exempt_users]
    return [*users, *(Exemption("group", name) for name in policy.exempt_groups)]


def _read_exemptions(path: str) -> list[Exemption]:
    content = read_file(path)
    if content is None:
        return []
    try:
        found: list[Exemption] = []
        for entry in json.loads(content):
            kind = entry.pop("kind")
            if kind not in OPTIONS:
                raise ValueError("an entry of an unknown kind")
            found.append(exemption(kind, entry))
        return found
    except (ValueError, TypeError, AttributeError, KeyError, FleetMfaError) as error:
        raise FleetMfaError(
            f"{path} cannot be read as a list of exemptions: {error}; run role fleetmfa.ssh.mfa"
        ) from error


def with_host_policy(given: GivenHostOptions, path: str = POLICY_PATH) -> HostOptions:
    """What a module was not given of the group and the exempt lists is what the role told this host last.

    Without that an ad hoc call would enforce an exempt user, or put users into a group that nobody is asked for.
    """
    # Not read where all is given: it may be broken, and about to be written anew.
    missing = None in (given["group"], given["exempt_users"], given["exempt_groups"])
    policy = read_policy(path) if missing and os.path.exists(path) else None
    return options_by(given, policy)


def options_by(given: GivenHostOptions, policy: Policy | None) -> HostOptions:
    """The same with a policy that has been read, or with none."""
    exempt = exempt_today(
        exemptions_by(given, policy.exemptions if policy else ()),
        kept_exempt(given["state_dir"]),
        datetime.date.today(),
    )
    return {
        "state_dir": given["state_dir"],
        "group": given["group"] if given["group"] is not None else policy.group if policy else DEFAULT_GROUP,
        "exempt_users": exempt.users,
        "exempt_groups": exempt.groups,
    }


def exemptions_by(given: GivenHostOptions, of_policy: Sequence[Exemption]) -> list[Exemption]:
    """All entries: those of the lists that were given, those of the policy for a list that was not, and that of security keys."""
    not_given = {kind for kind, option in OPTIONS.items() if given[option] is None}  # type: ignore[literal-required]
    return with_security_keys([*given_exemptions(given), *(one for one in of_policy if one.kind in not_given)])


def with_host_first_factor(given: str | None, path: str = POLICY_PATH) -> str:
    """Option unknown_first_factor, by the same rule."""
    if given is not None:
        check_choice("unknown_first_factor", given, UNKNOWN_FIRST_FACTOR)
        return given
    return read_policy(path).unknown_first_factor if os.path.exists(path) else "error"


def _policy(parser: configparser.ConfigParser) -> Policy:
    host, key, enrollment = parser["host"], parser["key"], parser["enrollment"]
    start = enrollment["start"].strip()
    return Policy(
        state_dir=host["state_dir"],
        group=host["group"],
        overdue_group=host["overdue_group"],
        users=None if host["users"].strip() == "all" else _names(host["users"]),
        exempt_users=_names(host["exempt_users"]),
        connecting_users=_names(host.get("connecting_users", "")),  # 0.1.0 listed them with the exempt users
        exempt_groups=_names(host["exempt_groups"]),
        issuer=key["issuer"],
        period=_number(key, "period"),
        window=_number(key, "window"),
        rate_limit_attempts=_number(key, "rate_limit_attempts"),
        rate_limit_seconds=_number(key, "rate_limit_seconds"),
        recovery_codes=_number(key, "recovery_codes"),
        enrollment_start=_date(start) if start else None,
        enrollment_days=_number(enrollment, "days", "enrollment_days"),
        enrollment_overdue=_one_of(enrollment["overdue"], "overdue", OVERDUE_MODES),
        user_extensions=_extensions(parser["extended users"]),
        group_extensions=_extensions(parser["extended groups"]),
        # 0.1.0 did not look.
        unknown_first_factor=_one_of(
            host.get("unknown_first_factor", "error"), "unknown_first_factor", UNKNOWN_FIRST_FACTOR
        ),
        offered=_yes_or_no(enrollment, "offered"),
        last_login_notice=_yes_or_no(host, "last_login_notice"),
    )


def _names(text: str) -> list[str]:
    """One name per line: names of directory groups may contain blanks."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def _number(section: Mapping[str, str], option: str, setting: str | None = None) -> int:
    text, allowed = section[option], RANGES[setting or option]
    if not text.isdigit() or not allowed.allows(int(text)):
        raise ValueError(f"{option} is {text!r}; it must be a number from {allowed}")
    return int(text)


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"start is {text!r}; it must be a date such as 2026-03-31") from None


def _one_of(text: str, option: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise ValueError(f"{option} is {text!r}; it must be one of {', '.join(allowed)}")
    return text


def _yes_or_no(section: Mapping[str, str], option: str) -> bool:
    """Yes if it is not there, as in the policy of an older version."""
    return _one_of(section.get(option, "yes"), option, ("yes", "no")) == "yes"


def _extensions(section: Mapping[str, str]) -> Mapping[str, int]:
    return {name: _number(section, name, "enrollment_days") for name in section}
