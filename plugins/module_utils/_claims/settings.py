# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Reads where the claims of the fleet are stored: /etc/fleetmfa/claims.conf, which the role writes. Private.

Lines are `name = value`. A user waits for the claim at each login, so this package does without what takes milliseconds to
import: configparser, pathlib, typing.
"""

from __future__ import annotations

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError


class ClaimSettings:
    """Where claims are stored, and how long a login waits for that."""

    def __init__(self, values: dict[str, str]):
        self.endpoints = values["endpoints"].split()  # https://HOST:PORT, in the order in which they are tried
        self.ca = values["ca"]  # paths of PEM files
        self.cert = values["cert"]
        self.key = values["key"]
        self.prefix = values["prefix"]
        self.timeout = float(values["timeout"])  # seconds, for all endpoints together


def read_bytes(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes 6 ms to import)
        return file.read()


def read_claim_settings(path: str) -> ClaimSettings:
    values = {}
    try:
        for line in read_bytes(path).decode("utf-8").splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                values[name.strip()] = value.strip()
        return ClaimSettings(values)
    except KeyError as error:
        raise FleetMfaError(f"{path}: {error.args[0]} is missing; run the role again") from None
    except (OSError, ValueError) as error:
        raise FleetMfaError(f"{path} cannot be read ({type(error).__name__}); run the role again") from None
