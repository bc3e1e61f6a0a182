#!/usr/bin/python

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_db_view
short_description: Show the PostgreSQL databases of all hosts in a terminal
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Prints what M(vellaric.postgres.postgres_db_info) has returned on several hosts as one table, or as JSON.
  - It runs on the controller and connects to no host. Role P(vellaric.postgres.report#role), and the playbooks
    C(list), C(show), C(stats), C(slow_queries) and C(check) use it.
options:
  answers:
    description:
      - By host, what M(vellaric.postgres.postgres_db_info) returned there. A host whose answer is a failure, or none,
        is shown as such.
    type: dict
    required: true
  view:
    description:
      - V(list), a line for each database, with where it is reached.
      - V(details), all that is known of each.
      - V(statistics), a line for each database, with what it uses.
      - V(queries), the slowest statements of each.
      - V(findings), what an operator should act on, the worst first.
      - What it shows has to be asked for with O(vellaric.postgres.postgres_db_info#module:gather).
    type: str
    choices: [list, details, statistics, queries, findings]
    default: list
  output:
    description:
      - V(text) for a person. Colours are those that Ansible is set to.
      - V(json) for a machine, all that is known whatever the O(view). On the standard output it begins with a line that
        is C({) and ends with one that is C(}).
    type: str
    choices: [text, json]
    default: text
  dest:
    description:
      - A file on the controller that is written instead of the standard output, readable by its owner only. A relative
        path is relative to the directory that Ansible was started in.
    type: path
extends_documentation_fragment:
  - vellaric.postgres.attributes.controller
attributes:
  bypass_host_loop:
    details: Use C(run_once), as in the example.
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(dest), the file is written each time.
notes:
  - Where Ansible's own output is JSON (C(ANSIBLE_STDOUT_CALLBACK=json)), nothing is printed. RV(lines) has it.
seealso:
  - module: vellaric.postgres.postgres_db_info
  - module: vellaric.postgres.postgres_db_report
"""

EXAMPLES = r"""
- name: Ask all hosts
  vellaric.postgres.postgres_db_info:
    gather: [statistics]
  register: answer

- name: Show what the databases use
  vellaric.postgres.postgres_db_view:
    answers: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'answer'))) | to_json }}"
    view: statistics
  run_once: true
"""

RETURN = r"""
lines:
  description: What was printed, without colours.
  returned: success, without O(dest)
  type: list
  elements: str
  sample:
    - "DATABASE  ENVIRONMENT  STATUS  ADDRESS         IMAGE               CREATED"
    - "shop      production   active  127.0.0.1:5432  postgres:15-alpine  2025-12-24 14:22"
dest:
  description: The file that was written.
  returned: success, with O(dest)
  type: str
  sample: /srv/reports/fleet.json
findings:
  description: The findings of all databases, the worst first.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(critical), V(warning) or V(info).
      type: str
      sample: warning
    code:
      description: What it is, in a word for machines.
      type: str
      sample: connections_near_limit
    database:
      description: Name of the database.
      type: str
      sample: shop
    environment:
      description: Environment of the database.
      type: str
      sample: production
    container_name:
      description: Name of its container.
      type: str
      sample: shop-production-postgres
    inventory_host:
      description: The host that it is on, by its name in the inventory.
      type: str
      sample: docker1
    message:
      description: What is the matter.
      type: str
      sample: 85 of 97 connections are in use (88 %).
    advice:
      description: What to do.
      type: str
      sample: Put a connection pooler in front, or raise max_connections.
databases:
  description: How many databases there are.
  returned: success
  type: int
  sample: 20
counts:
  description: How many findings there are of each severity.
  returned: success
  type: dict
  sample: {critical: 0, warning: 1, info: 0}
silent:
  description: The hosts of which nothing is shown, and why. They could not be asked, or their answer is odd.
  returned: success
  type: dict
  sample: {docker3: "it cannot be reached: Connection refused"}
odd:
  description:
    - What was left out of the answers of hosts, since it is nothing that M(vellaric.postgres.postgres_db_info) returns,
      such as figures that are no numbers.
  returned: success
  type: dict
  sample: {docker3: ["shop-production-postgres: statistics.size_bytes is negative"]}
"""

from typing import Any

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.module import Module


def argument_spec() -> dict[str, Any]:
    """The options. The action plugin of the same name, which does the work, checks its options against them."""
    return {
        "answers": {"type": "dict", "required": True},
        "view": {"type": "str", "choices": ["list", "details", "statistics", "queries", "findings"], "default": "list"},
        "output": {"type": "str", "choices": ["text", "json"], "default": "text"},
        "dest": {"type": "path"},
    }


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    module.fail_json(
        msg="postgres_db_view runs on the controller, as an action plugin, and was run as a module:"
        " call it by its full name, vellaric.postgres.postgres_db_view"
    )


if __name__ == "__main__":
    main()
