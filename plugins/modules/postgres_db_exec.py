#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_exec
short_description: Run SQL in a PostgreSQL database
description:
  - Runs SQL with psql in the container of a database, in one transaction, and returns what it printed.
  - With a user it logs in as that user, with the password. Without one it is the superuser, and what is called of the
    database's own then runs with the superuser's rights.
  - Check mode says what would be run, and as whom. It asks the server nothing.
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
extends_documentation_fragment:
  - vellaric.postgres.attributes
  - vellaric.postgres.engine
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: none
    details: What is given is run each time.
options:
  name:
    description: The name of the database.
    type: str
    required: true
  environment:
    description: Its environment.
    type: str
    choices: [production, staging, development]
    required: true
  scripts:
    description: What is run, one after the other, in one session.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What errors name it by, such as the name of a file.
        type: str
        default: the SQL
      sql:
        description: The SQL. Commands of psql work, too; as a user, they run as nobody in the container.
        type: str
        required: true
  username:
    description: "The role that logs in. Default: the superuser."
    type: str
  password:
    description: Its password.
    type: str
  atomic:
    description:
      - Run all of it in one transaction, so that nothing is changed where one statement fails. What begins or ends
        transactions itself is refused then.
    type: bool
    default: true
  timeout:
    description: Seconds that it may take.
    type: int
    default: 3600
notes:
  - Passwords in statements are not shown, whatever the verbosity. What SELECT prints is shown as it is.
seealso:
  - module: vellaric.postgres.postgres_db
"""

EXAMPLES = r"""
- name: Run a migration as the application
  vellaric.postgres.postgres_db_exec:
    name: shop
    environment: production
    username: "{{ postgres_credentials['shop-production-postgres'].username }}"
    password: "{{ postgres_credentials['shop-production-postgres'].password }}"
    scripts:
      - name: 0042.sql
        sql: "{{ lookup('ansible.builtin.file', 'migrations/0042.sql') }}"

- name: Make a schema as the superuser
  vellaric.postgres.postgres_db_exec:
    name: shop
    environment: production
    scripts:
      - sql: CREATE SCHEMA IF NOT EXISTS audit
"""

RETURN = r"""
container_name:
  description: The name of the container.
  returned: success
  type: str
  sample: shop-production-postgres
user:
  description: Whose session it was, or would be.
  returned: success
  type: str
  sample: db_user_0123456789ab
statements:
  description: The statements that were run, or would be, shortened, with passwords masked.
  returned: success
  type: list
  elements: str
  sample: ["ALTER TABLE orders ADD COLUMN note text;"]
output:
  description: What psql printed, with passwords masked. Of very long output, its beginning.
  returned: always, but in check mode
  type: list
  elements: str
  sample: ["ALTER TABLE"]
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_exec import main

if __name__ == "__main__":
    main()
