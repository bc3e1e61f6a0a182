#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_info
short_description: List the PostgreSQL databases of a Docker host
description:
  - Returns the databases that this collection manages on the Docker host that the module runs on, all of them, or those
    of a name or an environment. A database that stands still, or whose container is missing, is there too and says so.
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
    description: Only databases of this name.
    type: str
  environment:
    description: Only databases of this environment.
    type: str
    choices: [production, staging, development]
seealso:
  - module: vellaric.postgres.postgres_db
"""

EXAMPLES = r"""
- name: List all databases of the host
  vellaric.postgres.postgres_db_info:
  register: fleet

- name: Make sure that every database in production serves
  ansible.builtin.assert:
    that: >-
      fleet.databases | selectattr('environment', 'eq', 'production')
      | rejectattr('status', 'eq', 'active') | length == 0

- name: Show one database
  vellaric.postgres.postgres_db_info:
    name: my-database
    environment: production
"""

RETURN = r"""
databases:
  description: The databases, sorted by the names of their containers.
  type: list
  elements: dict
  returned: always
  contains:
    id:
      description: Identity, given once and kept for life.
      type: str
      returned: always
      sample: db-a1b2c3d4e5f6a7b8c9d0e1f2
    name:
      description: Name of the database.
      type: str
      returned: always
      sample: my-database
    environment:
      description: Environment of the database.
      type: str
      returned: always
      sample: production
    container_name:
      description: Name of its container.
      type: str
      returned: always
      sample: my-database-production-postgres
    host:
      description: What clients connect to.
      type: str
      returned: always
      sample: my-database-production-postgres.db.example.com
    port:
      description: Port at which it is published.
      type: int
      returned: always
      sample: 5432
    username:
      description: The application's role.
      type: str
      returned: always
      sample: db_user_0123456789ab
    database:
      description: Name of the database within the server.
      type: str
      returned: always
      sample: my-database
    sslmode:
      description: What clients are told.
      type: str
      returned: always
      sample: require
    status:
      description: V(active), V(stopped) or V(error).
      type: str
      returned: always
      sample: active
    status_reason:
      description: Why the status is V(error), and what to do.
      type: str
      returned: always
      sample: null
    created_at:
      description: When it was created, in UTC.
      type: str
      returned: always
      sample: '2025-12-24T14:22:50.000Z'
    image:
      description: The declared image.
      type: str
      returned: always
      sample: postgres:15-alpine
    bind_address:
      description: Address of the host at which the port is published.
      type: str
      returned: always
      sample: 127.0.0.1
    trusted_sources:
      description: Networks from which the application may connect; V(null) for all.
      type: list
      returned: always
      elements: str
      sample: ['10.0.0.0/8']
    settings:
      description: Declared parameters of the server.
      type: dict
      returned: always
      sample: {'work_mem': '64MB'}
    tune:
      description: Whether parameters of the server are derived from the limits.
      type: bool
      returned: always
      sample: false
    parameters:
      description: The parameters of the server, derived and declared.
      type: dict
      returned: always
      sample: {'work_mem': '64MB'}
    extensions:
      description: Declared extensions.
      type: list
      elements: str
      returned: always
      sample: ['pg_stat_statements']
    personal_settings:
      description: Parameters that somebody set in C(postgresql.conf) in the database's directory.
      type: dict
      returned: always
      sample: {'max_connections': '200'}
    memory_limit_bytes:
      description: Limit of memory; V(null) for none.
      type: int
      returned: always
      sample: 536870912
    cpus:
      description: Limit of processors; V(null) for none.
      type: float
      returned: always
      sample: 2
    shm_size_bytes:
      description: Size of C(/dev/shm).
      type: int
      returned: always
      sample: 268435456
    deletion_protection:
      description: Whether deletion is refused.
      type: bool
      returned: always
      sample: true
    data_directory:
      description: Its directory on the host.
      type: str
      returned: always
      sample: /var/vellaric/postgres/my-database-production-postgres
    backup_directory:
      description: Directory of its backups on the host.
      type: str
      returned: always
      sample: /var/vellaric/backups/my-database-production-postgres
    ca_file:
      description: Certificate of the authority, on the host, with which clients verify the server.
      type: str
      returned: always
      sample: /var/vellaric/postgres/my-database-production-postgres/tls/ca.crt
    container_status:
      description: The engine's word for what the container does; V(absent) where there is none.
      type: str
      returned: always
      sample: running
    health:
      description: The engine's word for the outcome of the health check.
      type: str
      returned: always
      sample: healthy
    started_at:
      description: When the container was started; V(null) where it does not run.
      type: str
      returned: always
      sample: '2025-12-24T14:22:51.123456789Z'
    restart_count:
      description: How often the engine has restarted the container by itself.
      type: int
      returned: always
      sample: 0
deleted:
  description: What is in the trash and can be brought back, the database that was deleted last at the end.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the database.
      type: str
      returned: always
      sample: my-database
    environment:
      description: Environment of the database.
      type: str
      returned: always
      sample: production
    container_name:
      description: Name that its container had.
      type: str
      returned: always
      sample: my-database-production-postgres
    id:
      description: Its identity.
      type: str
      returned: always
      sample: db-a1b2c3d4e5f6a7b8c9d0e1f2
    deleted_at:
      description: When it was deleted, in UTC.
      type: str
      returned: always
      sample: '2026-01-24T14:22:50Z'
    directory:
      description: Its directory in the trash.
      type: str
      returned: always
      sample: /var/vellaric/postgres/.trash/my-database-production-postgres-20260124T142250-db-a1b2c3d4e5f6a7b8c9d0e1f2
"""

from ansible_collections.vellaric.postgres.plugins.module_utils.shell.postgres_db_info import main

if __name__ == "__main__":
    main()
