#!/usr/bin/python

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_db_say
short_description: Print lines as they are
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Prints what a person has asked a playbook for, such as a connection string or the lines of a log, to be read and
    copied. M(ansible.builtin.debug) prints the same as JSON or YAML, and nothing where C(display_ok_hosts) is off.
  - It runs on the controller and connects to no host.
options:
  lines:
    description: The lines. What would act on a terminal is replaced.
    type: list
    elements: str
    required: true
  artifact:
    description: What is handed on, by host, as artifact C(postgres_artifact) of the run (M(ansible.builtin.set_stats)).
    type: dict
extends_documentation_fragment:
  - vellaric.postgres.attributes.controller
attributes:
  bypass_host_loop:
    details: Each host has its lines.
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - Where Ansible's own output is JSON (C(ANSIBLE_STDOUT_CALLBACK=json)), nothing is printed. RV(lines) has it.
seealso:
  - module: vellaric.postgres.postgres_db_view
"""

EXAMPLES = r"""
- name: Say where the database is
  vellaric.postgres.postgres_db_say:
    lines:
      - "host  {{ database_connection.host }}"
      - "port  {{ database_connection.port }}"
"""

RETURN = r"""
lines:
  description: What was printed.
  returned: success
  type: list
  elements: str
  sample: ["host  10.0.0.5", "port  5432"]
"""

from typing import Any

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.module import Module


def argument_spec() -> dict[str, Any]:
    """The options. The action plugin of the same name, which does the work, checks its options against them."""
    return {"lines": {"type": "list", "elements": "str", "required": True}, "artifact": {"type": "dict"}}


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    module.fail_json(
        msg="postgres_db_say runs on the controller, as an action plugin, and was run as a module:"
        " call it by its full name, vellaric.postgres.postgres_db_say"
    )


if __name__ == "__main__":
    main()
