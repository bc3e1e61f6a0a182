#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_restore
short_description: Restore a backup into a PostgreSQL database in a container
description:
  - Reads a backup to its end, loads it into a fresh database beside the present one, compares that with the manifest
    (objects, rows of each table, extensions), collects the planner's statistics, and only then lets it take the present
    one's name. Until that moment clients use the present database; from then on, the restored one.
  - Roles that the backup refers to and the server does not have, the database's owner, settings, grants, comment,
    extensions and row security come along, where this host took the backup (O(trust_source)).
  - What was replaced is kept as a database of its own for O(keep_old) days, and named in RV(old_database).
  - A run that was interrupted, at any moment, is repaired by the next one.
version_added: 0.2.0
author:
  - Vellaric contributors (@vellaric)
extends_documentation_fragment:
  - vellaric.postgres.attributes
  - vellaric.postgres.engine
  - vellaric.postgres.database.replaced
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - Every run restores the backup.
options:
  backup:
    description:
      - Name of a backup in the directory of the database's backups; V(latest) for the newest good one,
        V(latest_verified) for the newest that was restored for a test; or the whole path of a backup on the host.
      - A backup that an earlier restore took of the replaced database is used only by its name, so that a restore that
        is run twice comes to the same.
      - Beside it must be its manifest, C(BACKUP.json). Where roles are missing, they come from C(BACKUP.globals.sql).
    type: str
    default: latest
  allow_older:
    description:
      - Whether O(backup=latest) may be an older backup than the last that was taken, where that is damaged, or cannot
        be read here. Without it such a restore is refused, and says what is wrong with the last one.
    type: bool
    default: false
  source_name:
    description:
      - Name of another database on the host, whose backups are meant instead. Its environment is given with
        O(source_environment), and O(allow_other_database) has to be set.
    type: str
  source_environment:
    description: Environment of the database O(source_name).
    type: str
    choices: [production, staging, development]
  allow_other_database:
    description:
      - Whether the backup may be of another database than the one it is restored into.
      - What belonged to that database's role then belongs to this one's. Other roles that are missing are made without
        a password, and cannot log in.
    type: bool
    default: false
  trust_source:
    description:
      - Whether a backup that this host has not taken is believed as one of its own.
      - Without it, such a backup is loaded as a dump from anywhere is by M(vellaric.postgres.postgres_db_import).
        Everything belongs to the database's role then. What only a superuser may make is left out and named in a
        warning, but for extensions, which have to be declared for the database.
      - With it, whoever has root on the host that took the backup becomes a superuser of this database by what he
        writes into it.
      - A host knows its backups by a seal in their manifests, whose key is C(.seal.key) below O(data_root).
    type: bool
    default: false
  mask:
    description:
      - SQL that is run in the restored database before anybody can connect to it, such as what makes the names and
        addresses of people unrecognisable. Each item is a script of any number of statements.
      - It runs as a role without privileges that owns everything in the database, with V(pg_catalog, public) as the
        search path, before any setting of the database applies. Name tables in other schemas with their schema.
      - Functions may not change definitions meanwhile (C(ALTER TABLE) and the like); statements of the script itself
        and its C(DO) blocks may.
      - Where one fails, nothing is replaced. RV(unmasked) says which columns that an C(UPDATE) sets still hold values
        of the source, also in partitions and children. A warning names those that could not be checked, such as those
        of views and foreign tables.
    type: list
    elements: str
    default: []
seealso:
  - module: vellaric.postgres.postgres_db
  - module: vellaric.postgres.postgres_db_import
"""

EXAMPLES = r"""
- name: Go back to the newest backup that is known to restore
  vellaric.postgres.postgres_db_restore:
    name: my-database
    environment: production
    backup: latest_verified
  register: restore

- name: Say where the replaced database is
  ansible.builtin.debug:
    var: restore.old_database

- name: Refresh staging from production, without the people's addresses
  vellaric.postgres.postgres_db_restore:
    name: my-database
    environment: staging
    source_name: my-database
    source_environment: production
    allow_other_database: true
    backup_first: false
    keep_old: 0
    mask:
      - UPDATE customers SET email = 'customer-' || id || '@example.com';
"""

RETURN = r"""
actions:
  description: What was done, in order; in check mode, what would be done.
  type: list
  elements: dict
  returned: success
  contains:
    verb:
      description: The kind of step.
      type: str
      returned: always
      sample: swap
    summary:
      description: The step in words.
      type: str
      returned: always
      sample: let it take the place of database my-database
    impact:
      description: What the step does to those who use the database, V(none) or V(restart).
      type: str
      returned: always
      sample: restart
container_name:
  description: Name of the container.
  type: str
  returned: success
  sample: my-database-production-postgres
backup:
  description: The backup that was restored.
  type: dict
  returned: success
  sample: {"name": "my-database-production-postgres-20260124-020000.sql.gz"}
backup_before:
  description: The backup of the state before; V(null) where none was taken.
  type: dict
  returned: success
  sample: {"name": "my-database-production-postgres-20260124-142250.sql.gz"}
old_database:
  description: Name, within the server, of the database that was replaced; V(null) where it is not kept.
  type: str
  returned: success
  sample: my-database.20260124142251
old_dropped:
  description: Names of replaced databases that were removed, since they were older than O(keep_old).
  type: list
  elements: str
  returned: success
  sample: ["my-database.20260117020211"]
restored:
  description: What was restored and found to be as the manifest says; empty in check mode.
  type: dict
  returned: success
  contains:
    tables:
      description: Number of tables.
      type: int
      returned: success
      sample: 42
    rows:
      description: Number of rows in all tables.
      type: int
      returned: success
      sample: 1048576
    size_bytes:
      description: Size of the database.
      type: int
      returned: success
      sample: 88080384
    extensions:
      description: Versions of its extensions, by name.
      type: dict
      returned: success
      sample: {"plpgsql": "1.0"}
unmasked:
  description:
    - Columns that an C(UPDATE) of O(mask) sets and that still hold values of the source, also where a trigger put them
      back.
  type: list
  elements: dict
  returned: success
  contains:
    table:
      description: The table, as the masking SQL names it.
      type: str
      returned: always
      sample: customers
    column:
      description: The column, as the masking SQL names it.
      type: str
      returned: always
      sample: email
    rows:
      description: Number of rows whose value was there before.
      type: int
      returned: always
      sample: 3
clients_waited_seconds:
  description: Seconds for which the clients of the pooler waited. They saw no error of it.
  type: float
  returned: always
  sample: 0.2
clients_cut:
  description: Clients of the pooler that lost their connection, of those that keep one of the server's.
  type: int
  returned: always
  sample: 0
interruption_seconds:
  description: Seconds for which clients were kept out.
  type: float
  returned: success
  sample: 0.06
differences:
  description: How what was restored differed from the manifest.
  type: list
  elements: str
  returned: when it did; nothing was replaced then
  sample: ["41 tables instead of 42"]
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_restore import main

if __name__ == "__main__":
    main()
