#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_policy_info
short_description: Report what each class of users needs to log in, and where the token can be bypassed
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Asks the installed sshd, with C(sshd -T -C), which settings apply to every account with a login shell. It is called once for each class
    of users and connections that Match lines can tell apart, not once for each user.
  - Combines each way in of a class with what the PAM service that sshd uses for it does on this way, and gives one verdict.
    C(keyboard-interactive) answers each prompt of PAM, C(password) gives one answer to all of them, other methods run no C(auth) line,
    and the C(account) lines may deny any of them.
  - Checks the answers. Enforced users (members of O(group)) must be asked for a token and must be able to log in; for all others
    nothing may change. Each problem is returned as a finding, with the file and line that cause it.
  - Read-only. The configuration is copied to a temporary folder that only root can read.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
    details: Changes nothing in either mode.
  diff_mode:
    support: none
    details: Changes nothing, so there is nothing to show.
  idempotent:
    support: full
  platform:
    platforms: linux
    support: full
    details: OpenSSH. Needs root, as C(sshd -T) does.
options:
  config:
    description:
      - Path of sshd's main configuration file. A file other than the default is checked as if sshd were running with it.
    type: path
    default: /etc/ssh/sshd_config
  dropin:
    description:
      - Path of the drop-in that M(fleetmfa.ssh.sshd_totp) writes. RV(baseline) has the settings without it.
    type: path
    default: /etc/ssh/sshd_config.d/00-fleetmfa.conf
  binary:
    description:
      - Path of the sshd binary. By default the usual install locations are searched.
    type: path
  group:
    description:
      - The enforced group. With a wrong name, no user is reported as having to be asked for a token.
      - Without it, the group in the host's enrollment policy (C(/etc/fleetmfa/policy.conf), written by role
        P(fleetmfa.ssh.mfa#role)), V(mfa-enforced) if the host has no policy.
    type: str
  state_dir:
    description:
      - Folder of the key files. The key files of enforced users are checked.
    type: path
    default: /var/lib/fleetmfa
  exempt_users:
    description:
      - Users who are never asked for a token. A user with a validated key who is neither exempt nor enforced is a finding, and so is a
        user who is both. By default taken from the enrollment policy of the host; nobody if the host has none.
      - An element is a name, or as for M(fleetmfa.ssh.totp_key), which may end.
    type: list
    elements: raw
  exempt_groups:
    description:
      - Groups whose members are never asked for a token. The default is as for O(exempt_users).
    type: list
    elements: raw
  assume_enforced:
    description:
      - Users to check as if they were already members of O(group), for instance to see whether root could log in if it were enforced.
    type: list
    elements: str
    default: []
  enrollment:
    description:
      - The enrollment policy, used to find out in advance whom the end of the enrollment period would lock out. By default the
        enrollment policy of the host, if it has one. Set it to check a planned policy.
      - Users whose sessions are confined (C(ChrootDirectory), C(PermitTTY no), C(ForceCommand), a login shell that runs no commands, keys
        with C(restrict) or C(no-pty)) cannot enroll in them. RV(findings) with ids starting with C(sshd_overdue_) name them.
    type: dict
    suboptions:
      overdue:
        description:
          - What happens to users who have not validated their key when the period ends, as C(mfa_enrollment_overdue) of role
            P(fleetmfa.ssh.mfa#role).
        type: str
        choices: [allow, enroll_only, deny]
        default: allow
      users:
        description:
          - Users who will get a key, in addition to those who have one; V(%admins) means the members of group C(admins). By default
            every human account on the host.
        type: list
        elements: str
      exempt_users:
        description:
          - Users who never become overdue, in addition to root and users with a validated key.
        type: list
        elements: raw
        default: []
      exempt_groups:
        description:
          - Groups whose members never become overdue.
        type: list
        elements: raw
        default: []
      factors:
        description:
          - The factors that an enforced user will need, as C(mfa_factors) of role P(fleetmfa.ssh.mfa#role). By default what sshd
            demands of members of O(group) now.
        type: str
        choices: [publickey+totp, password+totp, either]
      unknown_first_factor:
        description:
          - With V(error), users of whom this host cannot tell whether they have the first factor are reported like those who lack it.
        type: str
        choices: [error, accept]
        default: error
notes:
  - A second sshd is searched for, on a best-effort basis, among the processes and socket units of the host. An sshd in a container and
    other SSH servers are not detected.
seealso:
  - module: fleetmfa.ssh.sshd_totp
  - module: fleetmfa.ssh.pam_stack_info
"""

EXAMPLES = r"""
- name: See who is asked for a token and who is not
  fleetmfa.ssh.sshd_policy_info:
  register: policy

- name: Stop if this host has a critical finding
  ansible.builtin.assert:
    that: policy.findings | selectattr('severity', 'eq', 'critical') | length == 0
    fail_msg: "{{ policy.findings }}"

- name: See whether root could log in if it were enforced
  fleetmfa.ssh.sshd_policy_info:
    assume_enforced: [root]
"""

RETURN = r"""
openssh_version:
  description: OpenSSH version, major and minor.
  returned: success
  type: list
  elements: int
  sample: [9, 2]
capabilities:
  description:
    - What this version supports. C(pam_service_name) is whether a group can be given a separate PAM service (9.8 and later).
    - C(separate_challenge_response) is whether C(ChallengeResponseAuthentication) is a separate option (before 8.7).
  returned: success
  type: dict
  sample: {pam_service_name: false, separate_challenge_response: false}
pam_services:
  description:
    - The PAM services that sshd sends users to without our drop-in, including users created in the future. Just C(sshd), unless
      C(PAMServiceName) is set.
    - Empty if sshd rejects its configuration.
  returned: success
  type: list
  elements: str
  sample: [sshd]
pam_rules_by_name:
  description:
    - The lines of RV(pam_services) whose rules depend on the name of the service (C(pam_time), C(pam_group), C(pam_sss) and others).
      Unknown modules are assumed to do so. Such rules do not apply to users that C(PAMServiceName) sends to another service.
  returned: success
  type: list
  elements: str
  sample: ["/etc/pam.d/common-account:25 pam_sss.so"]
baseline:
  description: The global settings without the drop-in and Include block of M(fleetmfa.ssh.sshd_totp), with keywords in lower case.
  returned: success
  type: dict
  sample: {kbdinteractiveauthentication: "no", passwordauthentication: "yes", usepam: "yes"}
classes:
  description:
    - The classes of users. Users whom sshd does not distinguish are still in separate classes if PAM makes their verdicts different.
  returned: success
  type: list
  elements: dict
  contains:
    users:
      description: The number of users.
      type: int
    examples:
      description: Names of up to five of them.
      type: list
      elements: str
    groups:
      description: Their groups that Match lines name.
      type: list
      elements: str
    enforced:
      description: Whether they are members of O(group).
      type: bool
    methods:
      description: The methods that sshd offers them.
      type: list
      elements: str
    needs:
      description: The ways in that sshd offers; each is a list of methods that are all required.
      type: list
      elements: list
    verdict:
      description:
        - V(asked) if nobody gets in without a token, V(locked_out) if nobody gets in at all. Otherwise V(can_bypass) for enforced users,
          V(not_asked) for others.
        - Of the users it is assumed that they have an SSH key and a password; whether they have a key for tokens is checked where
          the PAM service reads a file of each user.
        - If the verdicts for several connections differ, the first of V(can_bypass), V(locked_out), V(not_asked), V(asked).
        - If in doubt, V(can_bypass). An unknown PAM module may return anything, and a service that cannot be read may let anybody in.
      type: str
    remembered_seconds:
      description:
        - For V(asked), for how many seconds after a token they may not be asked again (C(mfa_remember_seconds)). V(0) if each login is.
      type: int
    counterexample:
      description: For V(can_bypass), a login without a token, from the connection to the session. Otherwise empty.
      type: list
      elements: dict
      contains:
        method:
          description: V(connect), a method of sshd, or V(account).
          type: str
        prompt:
          description: What PAM asks. Empty if it asks nothing in this step.
          type: str
        answer:
          description:
            - What is answered, such as V(password), or V(anything else) than password and token. With method C(password), sshd itself
              answers each prompt with the password that it was sent.
          type: str
        line:
          description: The PAM line, as C(file:line module). Empty if this step runs none.
          type: str
        effect:
          description: What happens.
          type: str
    reason:
      description: For V(locked_out), why nobody gets in. Otherwise empty.
      type: str
  sample:
    - counterexample:
        - {answer: "", effect: "as alice from 203.0.113.7 to port 22", line: "", method: connect, prompt: ""}
        - answer: an SSH key of the user
          effect: sshd accepts the key and runs no auth line of PAM
          line: ""
          method: publickey
          prompt: ""
        - answer: anything else
          effect: "returned auth_err: changes nothing"
          line: /etc/pam.d/sshd:1 pam_google_authenticator.so
          method: keyboard-interactive
          prompt: "Verification code: "
        - answer: password
          effect: "returned success: counts as success; the stack ends with success"
          line: /etc/pam.d/sshd:2 pam_unix.so
          method: keyboard-interactive
          prompt: "Password: "
        - {answer: "", effect: the account lines of sshd may let the user in, line: "", method: account, prompt: ""}
      enforced: true
      examples: [alice]
      groups: [mfa-enforced]
      methods: [keyboard-interactive, password, publickey]
      needs: [[publickey, "keyboard-interactive:pam"]]
      reason: ""
      users: 1
      verdict: can_bypass
findings:
  description: The problems found on this host, the most severe first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Kind of the problem. It never changes its meaning.
      type: str
    severity:
      description: V(critical), V(high), V(medium) or V(low).
      type: str
    evidence:
      description: What was found, with the file and the line.
      type: list
      elements: str
    remedy:
      description: What to do.
      type: str
  sample:
    - id: sshd_policy_shadowed
      severity: critical
      evidence: ["/etc/ssh/sshd_config.d/00-a.conf:2 (below `Match User alice`, line 1): authenticationmethods publickey"]
      remedy: Move the line after the drop-in, or let sshd_totp put an Include at the top.
cannot_answer:
  description:
    - All names of the account that this run is connected as, as determined on the host. A token prompt would lock it out.
    - Empty if the connection answers the prompt or is not a login.
  returned: success
  type: list
  elements: str
  sample: [deploy]
own_pam_services:
  description: The PAM services that have token lines of role P(fleetmfa.ssh.mfa#role), whether sshd uses them or not.
  returned: success
  type: list
  elements: str
  sample: [sshd]
token_module:
  description: Path of the PAM module that checks tokens, C(pam_google_authenticator.so). None if it is not installed.
  returned: success
  type: str
  sample: /usr/lib/x86_64-linux-gnu/security/pam_google_authenticator.so
sshd_calls:
  description: How often sshd was called.
  returned: success
  type: int
  sample: 5
"""

import datetime
from typing import Any

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.host_policy import (
    enrollment_of_host,
    exemptions_of_host,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._enroll.root.policy import (
    OVERDUE_MODES,
    UNKNOWN_FIRST_FACTOR,
    with_host_policy,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._findings import FindingReport, merged
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS, GivenHostOptions
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.own_services import own_services
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.probe import GOOGLE_AUTHENTICATOR, find_module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.audit import Audit, AuditWish
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.connected_module import ConnectedModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.exemption_findings import end_findings
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.first_factor import FACTORS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.managing_connection import ManagingConnection
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.overdue_findings import Enrollment
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import DROPIN
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.account_lookup import remembered_accounts
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.exemptions import (
    OPTIONS,
    exempt_today,
    exemption,
    kept_exempt,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ENROLLMENT_OPTIONS = {
    "overdue": {"type": "str", "choices": list(OVERDUE_MODES), "default": "allow"},
    "users": {"type": "list", "elements": "str"},
    "exempt_users": {"type": "list", "elements": "raw", "default": []},
    "exempt_groups": {"type": "list", "elements": "raw", "default": []},
    "factors": {"type": "str", "choices": list(FACTORS)},
    "unknown_first_factor": {"type": "str", "choices": list(UNKNOWN_FIRST_FACTOR), "default": "error"},
}


# What no plan is refused for, so that a run has to say it.
TOLD = ("sshd_overdue_not_offered", "overdue_first_factor", "first_factor_missing", "host_tokens")


ARGUMENTS = {
    "config": {"type": "path", "default": SSHD_CONFIG},
    "dropin": {"type": "path", "default": DROPIN},
    "binary": {"type": "path"},
    **HOST_ARGUMENTS,
    "assume_enforced": {"type": "list", "elements": "str", "default": []},
    "enrollment": {"type": "dict", "options": ENROLLMENT_OPTIONS},
}


class PolicyInfoOptions(GivenHostOptions):
    """ARGUMENTS, as Ansible gives them."""

    config: str
    dropin: str
    binary: str | None
    assume_enforced: list[str]
    enrollment: dict[str, Any] | None


def audit_wish(params: PolicyInfoOptions, connection: ManagingConnection) -> AuditWish:
    host, planned = with_host_policy(params), params["enrollment"]
    # Where it is given the policy is not read: it may be broken, and about to be written anew.
    enrollment = enrollment_of_host() if planned is None else Enrollment(**{**planned, **_exempt_then(params, planned)})
    return {
        **host,
        "config": params["config"],
        "dropin": params["dropin"],
        "binary": params["binary"],
        "assume_enforced": params["assume_enforced"],
        "enrollment": enrollment._replace(connecting_users=connection.cannot_answer),
        "connecting_address": connection.address,
    }


def _exempt_then(params: PolicyInfoOptions, planned: dict[str, Any]) -> dict[str, list[str]]:
    """The lists of the plan, as names that count today."""
    entries = []
    for kind, option in OPTIONS.items():
        try:
            # A name may stand there twice: who gets a validated key in this run is added to the exempt ones.
            entries += [exemption(kind, one) for one in planned[option]]
        except FleetMfaError as error:
            raise FleetMfaError(f"enrollment: {option}: an entry {error}") from None
    exempt = exempt_today(entries, kept_exempt(params["state_dir"]), datetime.date.today())
    return {"exempt_users": exempt.users, "exempt_groups": exempt.groups}


def told_findings(params: PolicyInfoOptions, found: list[FindingReport]) -> list[FindingReport]:
    """What a run has to say, though nothing is refused for it."""
    kept, today = kept_exempt(params["state_dir"]), datetime.date.today()
    ends = merged(end_findings(exemptions_of_host(params), kept, today))
    return [finding for finding in found if finding["id"] in TOLD] + [finding.as_dict() for finding in ends]


def main() -> None:
    module = ConnectedModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        require_root()
        cannot_answer = module.connection.cannot_answer
        with remembered_accounts():
            report = Audit(audit_wish(module.params, module.connection)).report()
            told = told_findings(module.params, report["findings"]) if module.params["enrollment"] else []
    except FleetMfaError as error:
        module.fail_json(msg=str(error))
    for finding in told:
        module.warn(f"{finding['id']}: {'; '.join(finding['evidence'])}. {finding['remedy']}")
    pam = {"own_pam_services": own_services(), "token_module": find_module(GOOGLE_AUTHENTICATOR)}
    module.exit_json(changed=False, cannot_answer=cannot_answer, **pam, **report)


if __name__ == "__main__":
    main()
