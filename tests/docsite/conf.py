# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's configuration for tests/docsite/build, which needs no network."""

project = "vellaric.postgres"
copyright = "Vellaric contributors"
extensions = ["sphinx_antsibull_ext"]
html_theme = "alabaster"
highlight_language = "YAML+Jinja"
nitpicky = True
# What is on Ansible's own site.
nitpick_ignore_regex = [
    ("std:ref", r"ansible_collections\.(?!vellaric\.).*"),
    ("std:ref", r"action_plugins|ansible_configuration_settings|common_return_values"),
    ("std:envvar", r"ANSIBLE_.*"),
]
