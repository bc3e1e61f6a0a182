#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_import
short_description: Import a dump file or another server's database into a PostgreSQL database in a container
description:
  - Loads a dump that this collection did not take, or the database of another server, into a fresh database beside the
    present one, counts or compares what was imported, and only then gives it the present one's name.
  - "A dump file may be plain SQL, or an archive in custom, tar or directory format, compressed with gzip, zstd, lz4, xz
    or bzip2: that is detected by its content, not by its name."
  - "What is imported is not trusted: it is loaded by a role without any privileges on what is there, and by programs
    that run as a user who owns nothing. It cannot run programs, and cannot read or write files."
  - Everything comes to belong to the application's role. Owners, grants and what only a superuser may make
    (publications, subscriptions, event triggers) are left out, and counted in RV(report). Extensions that only a
    superuser may create have to be declared for the database.
  - A database of another server is dumped at a snapshot; its objects, the rows of each table and the sequences are
    compared with that. The source is only read.
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
    details:
      - What can be checked before is checked, also on the other server. Whether a dump can be loaded only the load
        tells.
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - A second run is refused without O(replace), since the database holds something then.
options:
  path:
    description: Path of a dump on the Docker host.
    type: path
  url:
    description:
      - The database to import, as C(postgresql://USER@HOST:PORT/DATABASE?sslmode=MODE). The container connects to it,
        so that V(localhost) is not the Docker host.
      - Without C(sslmode), V(verify-full) is used with O(ca_file), and V(require) without it.
      - The password is not part of it; give O(password).
      - What Neon, Supabase, Heroku and Prisma add (C(channel_binding), C(connection_limit), C(options), C(pgbouncer),
        C(schema) and their kind) is passed over, and a warning names it. Give the direct address of the database, not
        that of a connection pooler.
    type: str
  password:
    description: Password of the user in O(url). It is in no argument, environment or log, on neither side.
    type: str
  ca_file:
    description: Certificate of the authority, in PEM on the Docker host, that verifies the server of O(url).
    type: path
  replace:
    description: Whether what is imported may take the place of a database that already holds something.
    type: bool
    default: false
  roles:
    description:
      - Roles that policies of the import refer to. They are created where they are missing; nobody can log in as them.
    type: list
    elements: str
    default: []
seealso:
  - module: vellaric.postgres.postgres_db
  - module: vellaric.postgres.postgres_db_restore
"""

EXAMPLES = r"""
- name: Import a dump file
  vellaric.postgres.postgres_db_import:
    name: my-database
    environment: production
    path: /tmp/backup.sql

- name: Move a database here from another server
  vellaric.postgres.postgres_db_import:
    name: my-database
    environment: production
    url: postgresql://shop@db.example.net:5432/shop?sslmode=verify-full
    password: "{{ vaulted_source_password }}"
    ca_file: /etc/ssl/certs/ca-certificates.crt
    jobs: 2
  register: move

- name: Show what was checked, left out and compared
  ansible.builtin.debug:
    var: move.report
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
      sample: load
    summary:
      description: The step in words.
      type: str
      returned: always
      sample: load /tmp/backup.sql (plain) into a fresh database, as a role without privileges
    impact:
      description: What the step does to those who use the database, V(none) or V(restart).
      type: str
      returned: always
      sample: none
container_name:
  description: Name of the container.
  type: str
  returned: success
  sample: my-database-production-postgres
report:
  description: What is known of the import.
  type: dict
  returned: success
  contains:
    source:
      description: What was imported.
      type: str
      returned: always
      sample: shop@db.example.net:5432/shop
    server_version:
      description: Version of the server that it is from; V(null) where a dump does not say.
      type: str
      returned: always
      sample: '14.11'
    checks:
      description: What was noticed before, such as another encoding or owners that are not taken over.
      type: list
      elements: str
      returned: with O(url)
      sample: ["what belongs to shop there will belong to db_user_0123456789ab"]
    left_out:
      description: How often something was left out, by what it was.
      type: dict
      returned: not in check mode
      sample: {"owners": 12, "grants": 3}
    row_counts:
      description: Rows by table.
      type: dict
      returned: not in check mode
      sample: {"public.customers": 1024}
    sequences:
      description: Where the sequences stand.
      type: dict
      returned: with O(url), not in check mode
      sample: {"public.customers_id_seq": 1024}
    format:
      description: Format of the dump.
      type: str
      returned: with O(path)
      sample: plain
    compression:
      description: Compression of the dump.
      type: str
      returned: with O(path)
      sample: gzip
    size_bytes:
      description: Size of the dump, or of the other database.
      type: int
      returned: always
      sample: 12582912
imported:
  description: What was imported; empty in check mode.
  type: dict
  returned: success
  sample: {"tables": 42, "rows": 1048576, "size_bytes": 88080384, "extensions": {"plpgsql": "1.0"}}
backup_before:
  description: The backup of the state before; V(null) where none was taken.
  type: dict
  returned: success
  sample: null
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
  sample: []
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
  description: How what was imported differed from the source.
  type: list
  elements: str
  returned: when it did; nothing was replaced then
  sample: ["41 tables instead of 42"]
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_import import main

if __name__ == "__main__":
    main()
