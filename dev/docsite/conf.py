# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The fleetmfa.ssh authors
"""Sphinx: the guides of docs/ (Markdown) and the plugin docs that antsibull-docs has written."""

project = "fleetmfa.ssh"
author = copyright = "The fleetmfa.ssh authors"
html_title = html_short_title = "fleetmfa.ssh: token MFA for SSH on Linux fleets"

extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinxcontrib.mermaid"]
myst_heading_anchors = 4  # links to headings, as code hosts make them
myst_fence_as_directive = ["mermaid"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"

html_theme = "sphinx_ansible_theme"
html_show_sphinx = False
html_copy_source = False
