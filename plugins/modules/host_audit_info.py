#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: host_audit_info
short_description: Report everything that an audit of MFA needs to know about a host, in one call
version_added: 0.2.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Reports what each class of users needs to log in, every door of the host besides sshd, who is asked for a token and who may act as
    root, the clock, what the log says about logins, and what has changed of what the role wrote; with findings.
  - Works on any host, also on one that this collection has never changed. What cannot be judged is a finding, not left out.
  - Asks the host from which address this run connects, to tell whether C(PerSourcePenalties) of sshd could shut it out (finding
    C(sshd_penalties_not_exempt)). Where the host does not say it, the audit goes on without.
  - Compares the programs that PAM runs at logins with those of this version of the collection.
  - Read-only. Never returns a secret, a token or a recovery code, nor a name from the log that is no account of the host, since people
    type passwords where a name belongs.
options:
  config:
    description:
      - Path of sshd's main configuration file.
    type: path
    default: /etc/ssh/sshd_config
  dropin:
    description:
      - Path of the drop-in that M(fleetmfa.ssh.sshd_totp) writes.
    type: path
    default: /etc/ssh/sshd_config.d/00-fleetmfa.conf
  binary:
    description:
      - Path of the sshd binary. By default the usual install locations are searched.
    type: path
  group:
    description:
      - The enforced group.
      - Without it, the group in the host's enrollment policy (C(/etc/fleetmfa/policy.conf), written by role
        P(fleetmfa.ssh.mfa#role)), V(mfa-enforced) if the host has no policy.
    type: str
  state_dir:
    description:
      - Folder of the key files.
    type: path
    default: /var/lib/fleetmfa
  exempt_users:
    description:
      - Users who are never asked for a token. By default taken from the enrollment policy of the host; nobody if the host has none.
      - An element is a name, or an entry with reason, approver and last day as for M(fleetmfa.ssh.totp_key).
    type: list
    elements: raw
  exempt_groups:
    description:
      - Groups whose members are never asked for a token. The default is as for O(exempt_users).
    type: list
    elements: raw
  log_days:
    description:
      - For how many days back the log is read, 1 to 90. No more than 200,000 lines are read, the latest.
    type: int
    default: 7
  services:
    description:
      - PAM services to judge as doors besides those that are known to give sessions. A service without a file is judged, too, since PAM
        uses C(other) for it.
    type: list
    elements: str
    default: []
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
    details: Needs root.
notes:
  - sshd's configuration is copied to a temporary folder that only root can read. Where sshd is started by a socket, its empty folder below
    C(/run) may be created, as for M(fleetmfa.ssh.sshd_policy_info); nothing else is written.
  - Doors are found among PAM services, listening TCP sockets and socket units of systemd. Programs that listen and are not known to give
    sessions are not doors; nor are programs in containers with a network of their own.
seealso:
  - module: fleetmfa.ssh.sshd_policy_info
  - module: fleetmfa.ssh.totp_key_info
  - module: fleetmfa.ssh.pam_stack_info
"""

EXAMPLES = r"""
- name: Read what an audit needs to know
  fleetmfa.ssh.host_audit_info:
  register: audit

- name: Stop if a service that the network reaches gives a session without the token
  ansible.builtin.assert:
    that: audit.evidence.findings | selectattr('id', 'eq', 'door_not_covered') | length == 0
    fail_msg: "{{ audit.evidence.doors | selectattr('state', 'eq', 'not_covered') }}"

- name: Judge an application with a PAM service of its own
  fleetmfa.ssh.host_audit_info:
    services: [intranet-app]
    log_days: 30
"""

RETURN = r"""
asked:
  description: When the host was asked, by the controller's clock, in seconds since the epoch; C(began) and C(ended).
  returned: always
  type: dict
  sample: {began: 1769849999.1, ended: 1769850002.3}
evidence:
  description: What was found. Times are UTC, ISO 8601, and V(null) where unknown.
  returned: success
  type: dict
  contains:
    schema:
      description: Version of this structure.
      type: int
      sample: 1
    collected:
      description: When this was collected, by the host's clock.
      type: str
      sample: "2026-01-31T09:00:00Z"
    seconds:
      description: How long that took.
      type: float
    system:
      description:
        - C(distribution) and C(version) are C(ID) and C(VERSION_ID) of os-release(5). C(kernel) and C(hostname) are those of uname(2).
      type: dict
      sample: {distribution: debian, version: "12", kernel: 6.1.0-28-amd64, hostname: web1}
    versions:
      description: Versions of C(openssh), C(pam), C(pam_google_authenticator) and C(python); empty if not installed or not known.
      type: dict
      sample: {openssh: "9.2", pam: 1.5.2-6+deb12u1, pam_google_authenticator: "20191231-2", python: 3.11.2}
    mfa:
      description:
        - The policy of this collection on the host. C(managed) is whether there is any, C(group) the enforced group, C(state_dir) the
          folder of the key files.
        - C(enrollment) is V(null) or has C(start) (V(null) if each user's own day counts), C(days) and C(overdue).
      type: dict
      sample: {managed: true, group: mfa-enforced, state_dir: /var/lib/fleetmfa, enrollment: {start: null, days: 7, overdue: allow}}
    sshd:
      description:
        - C(classes) and C(baseline) as M(fleetmfa.ssh.sshd_policy_info) returns them, and C(version), its
          RV(fleetmfa.ssh.sshd_policy_info#module:openssh_version).
        - Only C(error) if sshd cannot be asked.
      type: dict
    doors:
      description: Each way to a session of an account.
      type: list
      elements: dict
      contains:
        name:
          description: V(sshd), the command of another sshd, the PAM service, or the program.
          type: str
        kind:
          description: V(sshd), V(pam_service) or V(listener).
          type: str
        where:
          description: Sockets such as V(0.0.0.0:22), socket units, or V(console).
          type: list
          elements: str
        program:
          description: Path of the program; empty if not known.
          type: str
        state:
          description:
            - Whether a member of the enforced group is asked for the token. V(covered), V(not_covered), V(not_judged), or
              V(not_reachable) if nobody gets in there now.
          type: str
        reason:
          description: Why, with the PAM lines that show it.
          type: str
      sample:
        - kind: listener
          name: dropbear
          program: /usr/sbin/dropbear
          reason: dropbear takes an SSH key without asking PAM
          state: not_covered
          where: ["0.0.0.0:2222"]
    exemptions:
      description: The entries of the exempt lists, ended ones too.
      type: list
      elements: dict
      contains:
        kind:
          description: V(user) or V(group).
          type: str
        name:
          description: The name of the account, or of the group.
          type: str
        reason:
          description: Why; V(null) if the list does not say it.
          type: str
        approved_by:
          description: Who has approved it; V(null) if the list does not say it.
          type: str
        until:
          description: The last day, local time of the host; V(null) if the exemption does not end.
          type: str
        ended:
          description: Whether that day is over.
          type: bool
        kept:
          description:
            - Accounts that stay exempt nevertheless, since being asked for a token would lock them out (finding C(exemption_not_ended)).
          type: list
          elements: str
    users:
      description: Everybody who is a person, may act as root, has a key or is enforced.
      type: list
      elements: dict
      contains:
        user:
          description: The name of the account.
          type: str
        uid:
          description: The user id; V(null) if there is no such account.
          type: int
        human:
          description: Whether it is a person's account, with a login shell and a user id in the range that C(login.defs) has for people.
          type: bool
        admin:
          description: Why the user may act as root, such as V(uid 0), V(sudo group) or C(sudoers:) with file and line. Empty for others.
          type: list
          elements: str
        state:
          description: V(enforced), V(exempt), or the state of the key; V(none), V(pending) or V(validated).
          type: str
        since:
          description: When the key was created (if pending) or validated.
          type: str
        last_login:
          description: When a token, or a recovery code, last let the user in.
          type: str
        recovery_codes:
          description: Number of unspent recovery codes; V(null) without a key.
          type: int
        deadline:
          description: When the pending key becomes overdue.
          type: str
        overdue:
          description: Whether it is overdue.
          type: bool
        devices:
          description: Number of devices with a validated key.
          type: int
        can_log_in:
          description: Whether sshd could let the user in, by the SSH keys and the password that there are. Judged of administrators who
            are not enforced, V(null) for others and where it cannot be known.
          type: bool
        used_tokens:
          description: The last 20 tokens that let the user in on this host. V(key) is the id of the key, as in the key store, which does
            not reveal the key; V(step) is the time step.
          type: list
          elements: dict
    clock:
      description:
        - C(time) is the host's clock in the middle of the call, in seconds since the epoch. C(synchronized) is what the kernel says.
        - C(service) is V(systemd-timesyncd), V(chrony), V(ntp), or empty if none of them is running.
        - C(tolerance) is by how many seconds the clock may be off before right tokens are refused, with the narrowest window of a validated
          key; V(null) if there is none.
      type: dict
      sample: {time: 1769850000.5, synchronized: true, service: chrony, tolerance: 30}
    logs:
      description:
        - C(source) is V(journal), V(file) or V(none). C(truncated) is whether there is more than is read or returned.
        - C(events) are at most 10,000 rows, the most frequent first, each with C(event), C(user), C(address), C(count), C(first) and
          C(last).
        - An event is V(accepted), V(refused), V(reused) (a token that had been used), V(rate_limited) or V(locked). Keys that sshd does
          not take are no event, as a client tries each of its keys.
        - C(user) is empty if the name is no account of the host, C(address) if the log does not say it.
      type: dict
      sample:
        days: 7
        source: journal
        truncated: false
        events:
          - {event: refused, user: alice, address: 203.0.113.7, count: 3, first: "2026-01-30T08:00:00Z", last: "2026-01-31T09:00:00Z"}
    drift:
      description: Managed files that are not as the role writes them, as far as the host alone can tell; each with C(path) and C(problem).
      type: list
      elements: dict
      sample:
        - path: /etc/pam.d/sshd
          problem: a package has replaced the file; the lines of this collection are in /etc/pam.d/sshd.dpkg-old
    findings:
      description: The problems found, the most severe first.
      type: list
      elements: dict
      contains:
        id:
          description: Kind of the problem. It never changes its meaning.
          type: str
        severity:
          description: V(critical), V(high), V(medium) or V(low).
          type: str
        message:
          description: What it means, in a sentence.
          type: str
        evidence:
          description: What was found.
          type: list
          elements: str
        remedy:
          description: What to do.
          type: str
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._audit.evidence import FromController, HostAudit
from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.options import HOST_ARGUMENTS
from ansible_collections.fleetmfa.ssh.plugins.module_utils._keys.settings import check_ranges
from ansible_collections.fleetmfa.ssh.plugins.module_utils._pam.service import service_path
from ansible_collections.fleetmfa.ssh.plugins.module_utils._policy.connected_module import ConnectedModule
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.config import SSHD_CONFIG
from ansible_collections.fleetmfa.ssh.plugins.module_utils._sshd.plan import DROPIN
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root

ARGUMENTS = {
    "config": {"type": "path", "default": SSHD_CONFIG},
    "dropin": {"type": "path", "default": DROPIN},
    "binary": {"type": "path"},
    **HOST_ARGUMENTS,
    "log_days": {"type": "int", "default": 7},
    "services": {"type": "list", "elements": "str", "default": []},
}


class _Module(ConnectedModule):
    """`programs` is what the action plugin knows of the role, and no option."""

    programs: dict[str, str] = {}

    def _load_params(self) -> None:
        super()._load_params()
        self.programs = self.params.pop("_programs", {})


def main() -> None:
    module = _Module(ARGUMENTS, supports_check_mode=True)
    try:
        require_root()
        check_ranges({"log_days": module.params["log_days"]})
        for service in module.params["services"]:
            service_path("/etc/pam.d", service)
        evidence = HostAudit(module.params, FromController(module.connection.address, module.programs)).evidence()
    except FleetMfaError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, evidence=evidence)


if __name__ == "__main__":
    main()
