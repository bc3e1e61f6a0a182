#!/usr/bin/python

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_db_outcome
short_description: Show the results for declared PostgreSQL databases, and fail where one failed
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Prints what M(vellaric.postgres.postgres_db) has returned of several databases as one table, that of all hosts, and
    fails on a host where one of them failed.
  - It runs on the controller and connects to no host. Role P(vellaric.postgres.databases#role) ends with it.
options:
  answers:
    description:
      - By host, what M(vellaric.postgres.postgres_db) returned there, called with
        O(vellaric.postgres.postgres_db#module:databases).
    type: dict
    required: true
  stored:
    description:
      - By host, what M(vellaric.postgres.postgres_db_credentials) returned where it stored credentials. The files are
        named, since they belong into the repository.
    type: dict
    default: {}
  show:
    description: Whether the table is printed. The task is run on each host, and one of them prints it for all.
    type: bool
    default: true
  artifact:
    description:
      - Whether the job hands on what the host has answered, as C(postgres_artifact) (C(set_stats)), by host. A task
        that fails hands nothing on.
    type: bool
    default: false
extends_documentation_fragment:
  - vellaric.postgres.attributes.controller
attributes:
  bypass_host_loop:
    details: It fails on the hosts where a database failed.
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - Where Ansible's own output is JSON (C(ANSIBLE_STDOUT_CALLBACK=json)), nothing is printed. RV(lines) has it.
seealso:
  - module: vellaric.postgres.postgres_db
  - module: vellaric.postgres.postgres_db_view
"""

EXAMPLES = r"""
- name: Bring the databases to what is declared
  vellaric.postgres.postgres_db:
    databases: "{{ declared }}"
  register: outcome
  failed_when: outcome is failed and outcome.databases is not defined

- name: Show the results
  vellaric.postgres.postgres_db_outcome:
    answers: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'outcome'))) | to_json }}"
    show: "{{ inventory_hostname == ansible_play_hosts[0] }}"
"""

RETURN = r"""
lines:
  description: What was printed, without colours.
  returned: with O(show), where no database of the task's host failed or nothing is printed
  type: list
  elements: str
  sample:
    - "DATABASE                  ADDRESS         DONE     PENDING"
    - "shop-production-postgres  127.0.0.1:5432  created  -"
"""

from typing import Any

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.module import Module


def argument_spec() -> dict[str, Any]:
    """The options. The action plugin of the same name, which does the work, checks its options against them."""
    return {
        "answers": {"type": "dict", "required": True},
        "stored": {"type": "dict", "default": {}},
        "show": {"type": "bool", "default": True},
        "artifact": {"type": "bool", "default": False},
    }


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    module.fail_json(
        msg="postgres_db_outcome runs on the controller, as an action plugin, and was run as a module:"
        " call it by its full name, vellaric.postgres.postgres_db_outcome"
    )


if __name__ == "__main__":
    main()
