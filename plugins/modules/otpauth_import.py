#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

# The action plugin of the same name does the work; this file is its documentation.

from __future__ import annotations

DOCUMENTATION = r"""
module: otpauth_import
short_description: Import keys that are given as otpauth URIs into the key store
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Adds keys that another system has made to the key store, so that their users' authenticator apps go on showing the right
    tokens.
  - Only time-based keys with SHA1, six digits, at least 128 bits and a time step of 1 to 60 seconds can be imported, since the
    PAM module checks no others. What cannot is named in RV(report), by user or position, and does not stop the rest.
  - No import replaces a validated key of the store. Of several keys of one person, validated ones come first.
options:
  keys:
    description: The keys.
    type: list
    elements: dict
    default: []
    suboptions:
      secret:
        description: An otpauth URI (C(otpauth://totp/ISSUER:ACCOUNT?secret=…)), or a secret in base32.
        type: str
        required: true
      user:
        description:
          - The person's name in the key store.
          - By default the account in the URI, up to an C(@).
        type: str
      state:
        description: Whether the key counts as validated, V(validated) or V(pending). By default as O(unused) says.
        type: str
        choices: [pending, validated]
      issuer:
        description: What the authenticator app shows as issuer. By default that in the URI.
        type: str
      account:
        description: What the authenticator app shows as account. By default that in the URI.
        type: str
      recovery_codes:
        description: Recovery codes that are left, at most 100, eight digits each, the first not 0.
        type: list
        elements: str
  src:
    description:
      - A file on the controller with one otpauth URI a line. Empty lines and lines that begin with C(#) are skipped.
      - It may be encrypted with ansible-vault, and should be; it is decrypted in memory.
    type: str
  unused:
    description:
      - What a key becomes of which O(keys[].state) says nothing, V(pending) or V(validated). An otpauth URI does not say whether
        anybody uses it.
      - With V(validated) these people are asked for a token from the next C(sync) on, and are locked out if they do not have
        the key in their app.
    type: str
    choices: [pending, validated]
    default: pending
extends_documentation_fragment:
  - fleetmfa.ssh.on_controller
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.flow
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows one line for each key; never a secret.
  idempotent:
    support: full
notes:
  - Runs on the controller only; no host is connected to. Use it with C(run_once).
seealso:
  - module: fleetmfa.ssh.totp_key_import
"""

EXAMPLES = r"""
- name: Import what another system has exported
  fleetmfa.ssh.otpauth_import:
    src: exported-uris.vault
    keys:
      - user: alice
        secret: "{{ vault_uri_alice }}"
        state: validated
  run_once: true
"""

RETURN = r"""
imports:
  description: What was given, by user, as M(fleetmfa.ssh.totp_key_import) returns it; never a secret.
  returned: success
  type: list
  elements: dict
report:
  description: The same as one line of text for each key.
  returned: success
  type: list
  elements: str
  sample: ["alice on deploy@controller: imported as validated; 0 recovery codes [keys, entry 1]"]
people:
  description: The people whose record in the key store changed.
  returned: success
  type: list
  elements: str
"""
