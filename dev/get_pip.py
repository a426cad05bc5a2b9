# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Replaces the pip bootstrap script that ansible-test would download: installs pip from the interpreter's own copy."""

import subprocess
import sys

# In a separate process, since ensurepip disables pip's configuration in the process that it runs in.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade"], stdout=subprocess.DEVNULL)
# It is called with the packages to install, such as "pip==25.2".
packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
if packages:
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
