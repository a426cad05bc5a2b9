# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for keys as otpauth URIs; each is documented in the file NAME.yml."""

from __future__ import annotations

import functools
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import parse_otpauth
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import DEFAULT_ISSUER, check_choice
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import (
    URI_ALGORITHM,
    URI_DIGITS,
    URI_PERIOD,
    canonical_secret,
    check_label,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.totp import otpauth_uri as build_uri
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._parameters import check_parameters
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._qr_code import qr_svg, qr_text


def otpauth_uri(
    secret: Any,
    account: Any,
    issuer: str = DEFAULT_ISSUER,
    period: int = URI_PERIOD,
    digits: int = URI_DIGITS,
    algorithm: str = URI_ALGORITHM,
) -> str:
    checked = check_parameters(period, digits, algorithm)
    check_label(_text(issuer, "issuer"), "issuer")
    check_label(_text(account, "account"), "account")
    return build_uri(_text(secret, "the secret"), issuer, account, checked.digits, checked.period, checked.algorithm)


def otpauth_parse(uri: Any) -> dict[str, Any]:
    key = parse_otpauth(_text(uri, "the otpauth URI"))
    return {"type": "totp", **key._asdict(), "secret": canonical_secret(key.secret)}


def totp_qr(uri: Any, format: str = "svg") -> str:
    check_choice("format", format, ("svg", "text"))
    text = _text(uri, "the otpauth URI").strip()
    canonical_secret(parse_otpauth(text).secret)
    return qr_svg(text) if format == "svg" else "\n".join(qr_text(text, None))


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise FleetMfaError(f"{what} must be a text")
    return value


def _filter(function: Callable[..., Any]) -> Callable[..., Any]:
    """With the errors of a filter."""

    @functools.wraps(function)
    def filtered(*given: Any, **options: Any) -> Any:
        try:
            return function(*given, **options)
        except FleetMfaError as error:
            raise AnsibleFilterError(f"{function.__name__}: {error}") from None

    return filtered


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {function.__name__: _filter(function) for function in (otpauth_uri, otpauth_parse, totp_qr)}
