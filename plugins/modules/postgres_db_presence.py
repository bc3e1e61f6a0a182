#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_presence
short_description: Say whether a PostgreSQL database is on a Docker host
description:
  - Looks, without asking any server, whether a database is on the host that the module runs on, whether a container has
    its name, and whether there are backups of it or one that was deleted.
  - The playbooks of one database use it to find the host that has it.
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
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
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
  backup_root:
    description: Directory on the host that holds one directory of backups for each database.
    type: path
    default: /var/vellaric/backups
seealso:
  - module: vellaric.postgres.postgres_db_info
  - plugin: vellaric.postgres.postgres_place
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look whether the database is here
  vellaric.postgres.postgres_db_presence:
    name: shop
    environment: production
  register: presence
"""

RETURN = r"""
container_name:
  description: The name of its container.
  type: str
  returned: success
  sample: shop-production-postgres
database:
  description: Whether there is such a database, which this collection manages.
  type: bool
  returned: success
  sample: true
container:
  description: Whether a container has its name, whoever made it. V(null) where the engine does not answer.
  type: bool
  returned: success
  sample: true
backups:
  description: Whether there is a directory with backups of it.
  type: bool
  returned: success
  sample: true
deleted:
  description: Whether one of that name was deleted and is in the trash.
  type: bool
  returned: success
  sample: false
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_presence import main

if __name__ == "__main__":
    main()
