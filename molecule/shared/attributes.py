# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Runs on a test host, which has no getfacl or setfacl.

attributes.py list FOLDER...            each file and folder with all that it is besides its content
attributes.py let USER GROUP FILE...    the files belong to GROUP, which may only read, and USER may write: 0664, with an ACL
"""

import grp
import os
import pwd
import stat
import struct
import sys

NOBODY_IN_PARTICULAR = 0xFFFFFFFF


def show(*folders):
    for folder in folders:
        found = [os.path.join(above, name) for above, below, files in os.walk(folder) for name in below + files]
        for path in sorted([folder, *found]):
            try:
                print(path, *attributes_of(path))
            except FileNotFoundError:
                print(path, "has just been removed")


def attributes_of(path):
    status = os.lstat(path)
    names = os.listxattr(path, follow_symlinks=False)
    extended = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return stat.filemode(status.st_mode), f"{status.st_uid}:{status.st_gid}", sorted(extended.items())


def let(user, group, *files):
    entries = [(1, 6, NOBODY_IN_PARTICULAR), (2, 6, pwd.getpwnam(user).pw_uid), (4, 4, NOBODY_IN_PARTICULAR)]
    entries += [(16, 6, NOBODY_IN_PARTICULAR), (32, 4, NOBODY_IN_PARTICULAR)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    for path in files:
        os.chown(path, 0, grp.getgrnam(group).gr_gid)
        os.setxattr(path, "system.posix_acl_access", acl)
        os.setxattr(path, "user.origin", b"local policy")


{"list": show, "let": let}[sys.argv[1]](*sys.argv[2:])
