# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: totp
short_description: Compute the current token of a TOTP key
version_added: 0.2.0
author: The fleetmfa founders (@fleetmfa)
description:
  - Computes the token that an authenticator app would show now (RFC 6238), from a secret, an otpauth URI or a validated key of the key
    store.
  - A variable with this lookup is computed each time it is used. To use a token twice, or to show when it was computed, register it.
  - To log in with Ansible as a user who is asked for a token, use connection P(fleetmfa.ssh.ssh_totp#connection), which also makes sure
    that no token is used twice.
options:
  _terms:
    description:
      - Secrets in base32, at least 128 bits, or whole keys as C(otpauth://) URIs, which have their own period, digits and algorithm.
      - Without any, the key is that of O(user) in the key store.
    type: list
    elements: str
  user:
    description:
      - An account of the host that the task is for. The key is the validated one of that person in the key store, which the variables
        C(mfa_store*) name.
    type: str
  wait:
    description:
      - Whether to wait for the next time step. The token is then current for a whole period, and no earlier call has returned it.
      - Takes up to O(period) seconds for each key; C(-v) shows how long.
    type: bool
    default: false
  period:
    description: For how many seconds a token of a secret is current, 1 to 60.
    type: int
    default: 30
  digits:
    description: How many digits a token of a secret has.
    type: int
    choices: [6, 7, 8]
    default: 6
  algorithm:
    description: The hash function for a secret.
    type: str
    choices: [SHA1, SHA256, SHA512]
    default: SHA1
  inventory_name:
    description: Internal; the name of the host in the inventory, for the aliases of the key store.
    type: str
    vars:
      - name: inventory_hostname
  inventory_groups:
    description: Internal; the groups of the host, for the aliases of the key store.
    type: list
    elements: str
    vars:
      - name: group_names
notes:
  - Two tasks, forks or runs that ask in the same time step get the same token, and a host accepts it only once.
seealso:
  - plugin: fleetmfa.ssh.ssh_totp
    plugin_type: connection
  - plugin: fleetmfa.ssh.otpauth_parse
    plugin_type: filter
extends_documentation_fragment:
  - fleetmfa.ssh.key_store_variables
"""

EXAMPLES = r"""
- name: Validate the key of a test account with two tokens, one after the other
  fleetmfa.ssh.totp_validate:
    validations:
      - user: alice
        tokens:
          - "{{ lookup('fleetmfa.ssh.totp', vault_totp_alice) }}"
          - "{{ lookup('fleetmfa.ssh.totp', vault_totp_alice, wait=true) }}"

- name: Log in to something else with a token
  ansible.builtin.uri:
    url: https://vpn.example.com/login
    method: POST
    body_format: form-urlencoded
    body:
      user: alice
      token: "{{ lookup('fleetmfa.ssh.totp', user='alice') }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description: The tokens, one for each term, or the one of O(user).
  type: list
  elements: str
"""

import time
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.otpauth import is_otpauth, parse_otpauth
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.state_dir import check_user_name
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._parameters import check_parameters
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._refused_secrets import refuse_secrets
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.stored_key import key_of_store
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._ssh_totp.token_key import TokenKey
from ansible_collections.fleetmfa.ssh.plugins.plugin_utils._store.variables import STORE_VARIABLES

OPTIONS = ("user", "wait", "period", "digits", "algorithm")
display = Display()


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        try:
            _refuse_wrong(kwargs)
            self.set_options(var_options=variables, direct=kwargs)
            keys = [self._given(number, term) for number, term in enumerate(terms, 1)] or [self._stored()]
            return [self._token(key) for key in keys]
        except FleetMfaError as error:
            raise AnsibleLookupError(str(error)) from None

    def _given(self, number: int, term: Any) -> TokenKey:
        if self.get_option("user"):
            raise FleetMfaError("user: give either a user of the key store or secrets, not both")
        try:
            if not isinstance(term, str):
                raise FleetMfaError("must be a secret in base32 or an otpauth URI, as text")
            if is_otpauth(term):
                key = parse_otpauth(term)
                return TokenKey(key.secret, key.period, key.digits, key.algorithm)
            return TokenKey(term, *check_parameters(*map(self.get_option, ("period", "digits", "algorithm"))))
        except FleetMfaError as error:
            raise FleetMfaError(f"term {number}: {error}") from None

    def _stored(self) -> TokenKey:
        user = self.get_option("user")
        if not user:
            raise FleetMfaError("give a secret, an otpauth URI, or the option user for a key of the key store")
        check_user_name(user)
        places = [self.get_option("inventory_name") or "", *(self.get_option("inventory_groups") or [])]
        return key_of_store({name: self.get_option(name) for name in STORE_VARIABLES}, user, places)

    def _token(self, key: TokenKey) -> str:
        step = int(time.time()) // key.period
        if not self.get_option("wait"):
            return key.token(step)
        seconds = (step + 1) * key.period - time.time()
        display.v(f"fleetmfa.ssh.totp: waiting {seconds:.0f} s for the next token")
        while int(time.time()) // key.period <= step:
            time.sleep(max(0.01, (step + 1) * key.period - time.time()))
        return key.token(int(time.time()) // key.period)


def _refuse_wrong(options: dict[str, Any]) -> None:
    """Before Ansible judges them, which would quote their values."""
    refuse_secrets(options)
    if set(options) - set(OPTIONS):
        raise FleetMfaError(f"the options are {', '.join(OPTIONS)}")
    if "period" in options or "digits" in options or "algorithm" in options:
        check_parameters(options.get("period", 30), options.get("digits", 6), options.get("algorithm", "SHA1"))
    if str(options.get("wait", False)).lower() not in ("true", "false", "yes", "no", "1", "0"):
        raise FleetMfaError("wait: must be true or false")
