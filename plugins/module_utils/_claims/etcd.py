# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Claims in etcd, through the JSON gateway of its v3 API (etcd 3.4 or later). Private.

A claim is one transaction: create the key if it does not exist, else read it. Writing transactions go through Raft, so they are
linearizable on whichever member is asked: of any number of claims of one name exactly one creates the key. A member that does
not answer may have created it all the same. So each login has a nonce in its value, and finds its own claim again through
the next member.
"""

from __future__ import annotations

import base64
import json
import time

from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.https import (
    HttpsConnection,
    NoAnswerError,
    printable,
    tls_context,
)

TYPE_CHECKING = False  # as in https.py
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.fleetmfa.ssh.plugins.module_utils._claims.settings import ClaimSettings


class ClaimedElsewhereError(Exception):
    """Another login has made the claim; the message says which."""


class EtcdClaims:
    def __init__(self, settings: ClaimSettings):
        self._settings = settings

    def claim(self, name: str, value: dict[str, str], seconds: int | None) -> None:
        """Returns if `name` is now claimed with this `value`, whose `nonce` no other claim has; etcd forgets it after so many
        `seconds` (None: never).

        A ClaimedElsewhereError if it was claimed before, a NoAnswerError with each endpoint's failure if that is not known.
        """
        self.claim_through(self._settings.endpoints, name, value, seconds)

    def claim_through(self, endpoints: list[str], name: str, value: dict[str, str], seconds: int | None) -> None:
        """As `claim`, through these members only."""
        deadline = time.monotonic() + self._settings.timeout
        context = tls_context(self._settings.ca, self._settings.cert, self._settings.key)
        failures = []
        for number, endpoint in enumerate(endpoints):
            # One that accepts connections and hangs must leave time for the others.
            share = (deadline - time.monotonic()) / (len(endpoints) - number)
            try:
                with HttpsConnection(endpoint, context, time.monotonic() + share) as connection:
                    return self._claim(connection, name, value, seconds)
            except NoAnswerError as error:
                failures.append(str(error))
        raise NoAnswerError("; ".join(failures))

    def _claim(self, connection: HttpsConnection, name: str, value: dict[str, str], seconds: int | None) -> None:
        put = {"key": _base64(self._settings.prefix + name), "value": _base64(json.dumps(value))}
        if seconds is not None:
            # Without its lease the transaction fails, so a claim can never be one that is forgotten too early.
            put["lease"] = str(connection.post("/v3/lease/grant", {"TTL": seconds}).get("ID", ""))
        absent = {"key": put["key"], "target": "CREATE", "result": "EQUAL", "create_revision": 0}
        answer = connection.post(
            "/v3/kv/txn",
            {
                "compare": [absent],
                "success": [{"request_put": put}],
                "failure": [{"request_range": {"key": put["key"]}}],
            },
        )
        if answer.get("succeeded") is True:
            return
        found = _existing(answer)
        if found.get("nonce") != value["nonce"]:
            raise ClaimedElsewhereError(f"{printable(found.get('host'))} at {printable(found.get('time'))}")


def _existing(answer: dict[str, Any]) -> dict[str, Any]:
    """The value that a claim has met; one that is not ours belongs to somebody else."""
    try:
        encoded = answer["responses"][0]["response_range"]["kvs"][0]["value"]
        found = json.loads(base64.b64decode(encoded))
    except (LookupError, TypeError, ValueError):
        found = None
    return found if isinstance(found, dict) else {}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")
