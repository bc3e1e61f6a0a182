#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_declared
short_description: Bring a host to its declared databases where nothing has to be made for them first
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Takes credentials from where M(vellaric.postgres.postgres_db_credentials) has stored them, and calls
    M(vellaric.postgres.postgres_db) for all databases of a host, in one task.
  - Where credentials or images have to be made first, it does nothing, and says so with RV(lacking). In check mode, no
    image is, since which one would be taken is predicted, too.
  - It is how role P(vellaric.postgres.databases#role) begins, which does the rest where something is lacking.
options:
  databases:
    description: The declared databases, each with options of M(vellaric.postgres.postgres_db), and without credentials.
    type: list
    elements: dict
    required: true
  refused:
    description: Why the declarations are refused. Where there is anything, the task fails with it.
    type: list
    elements: str
    default: []
  credentials_on:
    description: Host that has the file of credentials, in place of the controller. They are lacking then.
    type: str
  handed_on:
    description: Whether jobs hand credentials on, from one to the next. They are lacking then.
    type: bool
    default: false
  credentials_file:
    description: The file on the controller.
    type: path
    required: true
  vault_id:
    description: As M(vellaric.postgres.postgres_db_credentials) has it.
    type: str
  data_root:
    description: As M(vellaric.postgres.postgres_db) has it.
    type: path
  backup_root:
    description: As M(vellaric.postgres.postgres_db) has it.
    type: path
  docker_host:
    description: As M(vellaric.postgres.postgres_db) has it.
    type: str
extends_documentation_fragment:
  - vellaric.postgres.attributes.controller
attributes:
  action:
    details: It reads the credentials on the controller, and then runs the module on the host.
  become:
    support: full
    details: Of the module on the host.
  connection:
    support: full
  delegation:
    support: full
    details: The credentials are read on the controller.
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: vellaric.postgres.postgres_db
  - module: vellaric.postgres.postgres_db_credentials
"""

EXAMPLES = r"""
- name: Bring the databases to what is declared
  vellaric.postgres.postgres_db_declared:
    databases: "{{ declared }}"
    credentials_file: "{{ inventory_dir }}/host_vars/{{ inventory_hostname }}/postgres_credentials.yml"
  register: outcome

- name: Say what is missing
  ansible.builtin.debug:
    var: outcome.lacking
  when: outcome.lacking is defined
"""

RETURN = r"""
lacking:
  description: What has to be made first, V(credentials) or V(images). Then nothing was done.
  returned: where something is lacking
  type: list
  elements: str
  sample: [images]
connections:
  description:
    - How the databases are reached, by container, as filter P(vellaric.postgres.postgres_connections#filter) has it.
  returned: where nothing is lacking
  type: dict
  sample: {}
databases:
  description: As M(vellaric.postgres.postgres_db) returns it, as is all else.
  returned: where nothing is lacking
  type: list
  elements: dict
  sample: []
"""

from typing import Any

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.module import Module


def argument_spec() -> dict[str, Any]:
    """The options. The action plugin of the same name, which does the work, checks its options against them."""
    return {
        "databases": {"type": "list", "elements": "dict", "required": True},
        "refused": {"type": "list", "elements": "str", "default": []},
        "credentials_on": {"type": "str"},
        "handed_on": {"type": "bool", "default": False},
        "credentials_file": {"type": "path", "required": True},
        "vault_id": {"type": "str"},
        "data_root": {"type": "path"},
        "backup_root": {"type": "path"},
        "docker_host": {"type": "str"},
    }


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True)
    module.fail_json(
        msg="postgres_db_declared runs on the controller, as an action plugin, and was run as a module:"
        " call it by its full name, vellaric.postgres.postgres_db_declared"
    )


if __name__ == "__main__":
    main()
