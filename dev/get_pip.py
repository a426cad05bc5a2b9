# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the fleetmfa.ssh authors
"""Stands in for the pip bootstrap script that ansible-test would download: installs pip from the interpreter's own copy."""

import ensurepip
import subprocess
import sys

ensurepip.bootstrap(upgrade=True)
# The script it stands in for is called with the packages to install, such as "pip==25.2".
packages = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
if packages:
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
