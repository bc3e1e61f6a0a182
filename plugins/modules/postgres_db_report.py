#!/usr/bin/python

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_db_report
short_description: Write a dashboard of the PostgreSQL databases of all hosts
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Writes one HTML page on the controller from what M(vellaric.postgres.postgres_db_info) has returned on several
    hosts. The page needs nothing but itself and loads nothing, so it can be opened as a file, sent, or put on any web
    server.
  - Each run adds what the databases use to a history beside the page, from which its charts are drawn.
  - It runs on the controller and connects to no host. Role P(vellaric.postgres.report#role) and playbook C(report) use
    it.
options:
  answers:
    description:
      - By host, what M(vellaric.postgres.postgres_db_info) returned there. A host whose answer is a failure, or none,
        is named on the page.
      - O(vellaric.postgres.postgres_db_info#module:gather) says what the page can show. All that it knows to show is
        asked for in the example.
    type: dict
    required: true
  path:
    description:
      - The page. Missing directories are made. A relative path is relative to the directory that Ansible was started
        in.
    type: path
    required: true
  title:
    description: What the page is called.
    type: str
    default: PostgreSQL databases
  mode:
    description: Mode of the page. It shows statements and addresses, so that by default it is its owner's alone.
    type: str
    default: '0600'
  history:
    description:
      - The file that keeps what the databases used, as lines of JSON. C(history.jsonl) beside the page when it is not
        given.
      - Samples of the last hour are all kept. Of older ones, one a minute for six hours, one in 15 minutes for a week,
        and one in two hours then.
    type: path
  history_days:
    description: Days after which a sample is forgotten.
    type: int
    default: 90
  refresh:
    description: Seconds after which a browser that shows the page loads it again; V(0) for never.
    type: int
    default: 0
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
    support: none
    details: Each run writes down what is then.
notes:
  - Several reports may be made at the same time. Each waits for the others, up to 30 seconds.
seealso:
  - module: vellaric.postgres.postgres_db_info
  - module: vellaric.postgres.postgres_db_view
"""

EXAMPLES = r"""
- name: Ask all hosts
  vellaric.postgres.postgres_db_info:
    gather: [statistics, settings, queries, backups, tls, findings]
  register: answer

- name: Write the dashboard
  vellaric.postgres.postgres_db_report:
    answers: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'answer'))) | to_json }}"
    path: /srv/reports/postgres/index.html
  run_once: true
"""

RETURN = r"""
path:
  description: The page.
  returned: success
  type: str
  sample: /srv/reports/postgres/index.html
history:
  description: The history.
  returned: success
  type: str
  sample: /srv/reports/postgres/history.jsonl
samples:
  description: How many samples the history has, one for each host and time.
  returned: success
  type: int
  sample: 288
findings:
  description: The findings of all databases, the worst first, as M(vellaric.postgres.postgres_db_view) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
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
        "path": {"type": "path", "required": True},
        "title": {"type": "str", "default": "PostgreSQL databases"},
        "mode": {"type": "str", "default": "0600"},
        "history": {"type": "path"},
        "history_days": {"type": "int", "default": 90},
        "refresh": {"type": "int", "default": 0},
    }


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    module.fail_json(
        msg="postgres_db_report runs on the controller, as an action plugin, and was run as a module:"
        " call it by its full name, vellaric.postgres.postgres_db_report"
    )


if __name__ == "__main__":
    main()
