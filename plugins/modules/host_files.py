#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: host_files
short_description: Write or remove a set of files, all or none
version_added: 0.1.0
author:
  - The fleetmfa founders (@fleetmfa)
description:
  - Writes any number of files that belong together in one call, either all of them or none. If one cannot be written,
    the content, owner, permissions, ACL and extended attributes of the others are restored; the error names what could
    not be restored.
  - Meant for files without secrets, since diff mode shows what changes.
options:
  files:
    description:
      - The files. They are owned by the user who runs the module, so by root with C(become).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Absolute path of the file. If it is a symbolic link, the module fails.
          - A missing folder is created with mode 0755. A folder named V(fleetmfa) is removed together with its last file.
        type: path
        required: true
      content:
        description: Content of the file.
        type: str
        required: true
      encoding:
        description: Encoding of O(files[].content); use V(base64) for files that are not text.
        type: str
        choices: [text, base64]
        default: text
      mode:
        description: Permissions, in octal. Unless O(files[].block=true), an ACL on the file is removed; other attributes stay.
        type: str
        default: "0644"
      block:
        description:
          - Whether the content is a marked block at the top of a file that is managed by somebody else. The rest of that
            file, its owner, permissions, ACL and extended attributes stay as they are. If the file is missing, nothing is done.
        type: bool
        default: false
      only_beside:
        description:
          - Write the file only if this path exists, for example the configuration folder of a program that may not be
            installed. If the path is missing, the file is treated as with O(state=absent).
        type: path
      state:
        description: With V(absent) this file is removed, whatever O(state) says of the others.
        type: str
        choices: [present, absent]
        default: present
      restart:
        description: Whether a change of this file restarts O(units).
        type: bool
        default: false
  units:
    description:
      - Units of systemd that are enabled and started after the files are written. With O(state=absent) they are stopped and
        disabled before the files are removed, if systemd runs.
      - If one cannot be started, the module fails and the files stay; the next call tries again.
    type: list
    elements: str
    default: []
  state:
    description: Whether the files should be there; V(absent) removes them, and blocks byte for byte.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - fleetmfa.ssh.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details:
      - For a whole file it shows one line with permissions, owner, size and the beginning of the SHA-256 sum, before and after.
      - For a file with a marked block it shows the changed lines.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
seealso:
  - plugin: fleetmfa.ssh.host_program
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Install a program and its manual page
  fleetmfa.ssh.host_files:
    files:
      - path: /usr/local/bin/mfa-enroll
        content: "{{ lookup('fleetmfa.ssh.host_program', 'mfa-enroll') }}"
        encoding: base64
        mode: "0755"
      - path: /usr/local/share/man/man1/mfa-enroll.1
        content: "{{ lookup('ansible.builtin.file', 'mfa-enroll.1') }}"

- name: Install a timer and start it
  fleetmfa.ssh.host_files:
    files:
      - path: /etc/systemd/system/report.service
        content: "{{ lookup('ansible.builtin.file', 'report.service') }}"
      - path: /etc/systemd/system/report.timer
        content: "{{ lookup('ansible.builtin.file', 'report.timer') }}"
        restart: true
    units: [report.timer]
"""

RETURN = r"""
paths:
  description: The files that were changed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/bin/mfa-enroll]
units:
  description: The units of O(units) that were started, restarted or stopped, or would be.
  returned: success
  type: list
  elements: str
  sample: [report.timer]
"""

from ansible_collections.fleetmfa.ssh.plugins.module_utils._errors import FleetMfaError
from ansible_collections.fleetmfa.ssh.plugins.module_utils._module import Module
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.installed_files import (
    FILES_ARGUMENT,
    UNITS_ARGUMENT,
    install_files,
    remove_files,
)
from ansible_collections.fleetmfa.ssh.plugins.module_utils._system.root import require_root


def main() -> None:
    module = Module(
        {
            "files": FILES_ARGUMENT,
            "units": UNITS_ARGUMENT,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    params = module.params
    change = install_files if params["state"] == "present" else remove_files
    try:
        require_root()
        result = {**change(params["files"], params["units"], module.check_mode)}
    except FleetMfaError as error:
        module.fail_json(msg=str(error), changed=error.changed)
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
