#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_connection
short_description: Tell applications how to connect to a PostgreSQL database
description:
  - Writes what an application needs to connect, password included, into a file in the form that it reads. The module
    runs wherever the file is to be, on the controller or on another host.
  - A file of several connections or settings keeps everything that is not of this connection. The file is written only
    when it changes, as a whole or not at all, with mode V(0600).
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
extends_documentation_fragment:
  - vellaric.postgres.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The password is not shown, nor anything else of the file that was there.
  idempotent:
    support: full
options:
  path:
    description: The file. Its directory must be there. A symbolic link is followed.
    type: path
    required: true
  format:
    description:
      - "V(env): environment variables, as C(.env) files have them, C(PGHOST), C(PGPORT), C(PGDATABASE), C(PGUSER),
        C(PGPASSWORD), C(PGSSLMODE) and C(DATABASE_URL). Other variables in the file stay. Values are quoted where
        shells and readers of such files need it, which generated passwords do not. A password that they read in
        different ways is refused."
      - "V(docker_env): the same for C(docker run --env-file), which takes quotes for a part of the value."
      - "V(pgpass): an entry of libpq's password file. It comes first, or takes the place of an entry for the same
        target; other entries stay."
      - "V(pg_service): a section of libpq's connection service file, called O(service). Other sections stay."
      - "V(url): one line, a connection URL for libpq and most drivers, percent-encoded."
      - "V(jdbc): one line, a URL for the PostgreSQL JDBC driver."
    type: str
    choices: [docker_env, env, jdbc, pg_service, pgpass, url]
    required: true
  host:
    description: Host name or address of the server.
    type: str
    required: true
  port:
    description: Port of the server.
    type: int
    required: true
  database:
    description: Name of the database.
    type: str
    required: true
  username:
    description: The user that logs in.
    type: str
    required: true
  password:
    description: Its password.
    type: str
    required: true
  sslmode:
    description: How the connection is encrypted and the server verified. C(pgpass) has no place for it.
    type: str
    choices: [disable, prefer, require, verify-full]
    default: prefer
  ca_file:
    description:
      - File with the certificate of the server's authority, as the application sees it.
      - "With O(ca_certificate), the file that is written. A relative path is then relative to the directory of O(path).
        Default: the name of the database, followed by C(-ca.crt)."
    type: str
  ca_certificate:
    description:
      - The certificate of the server's authority in PEM, as M(vellaric.postgres.postgres_db_info) returns it. It is
        written to O(ca_file), readable by all.
    type: str
  client:
    description:
      - Whose form a URL has, with O(format=url), and C(DATABASE_URL) with O(format=env) and O(format=docker_env).
      - V(libpq), and what follows it, such as psycopg, Ruby's pg and PHP; V(go), lib/pq; V(node), node-postgres;
        V(sqlalchemy), SQLAlchemy with psycopg; V(sqlalchemy_asyncpg), SQLAlchemy with asyncpg, which takes the
        authority from C(PGSSLROOTCERT).
    type: str
    choices: [libpq, go, node, sqlalchemy, sqlalchemy_asyncpg]
    default: libpq
  prepared_statements:
    description:
      - Whether the application may use named prepared statements. V(false) by way of a pooler of PgBouncer before 1.21
        (C(pooler.prepared_statements) of M(vellaric.postgres.postgres_db_info)), upon which a URL of O(format=jdbc) has
        C(prepareThreshold=0). Other drivers are told by their own means.
    type: bool
    default: true
  service:
    description: "Name of the section with O(format=pg_service). Default: that of the database."
    type: str
  owner:
    description:
      - Name or id of the user to whom the file belongs. That of the file that is there, or who runs the module.
    type: str
  group:
    description: Name or id of the group to which the file belongs. As O(owner).
    type: str
seealso:
  - module: vellaric.postgres.postgres_db_credentials
  - module: vellaric.postgres.postgres_db_info
"""

EXAMPLES = r"""
- name: Read the credentials
  ansible.builtin.include_vars:
    file: "{{ inventory_dir }}/host_vars/docker1/postgres_credentials.yml"

- name: Tell the shop how to connect
  vellaric.postgres.postgres_db_connection:
    path: /srv/shop/.env
    format: env
    host: my-database-production-postgres.db.example.com
    port: 5432
    database: my-database
    username: "{{ postgres_credentials['my-database-production-postgres'].username }}"
    password: "{{ postgres_credentials['my-database-production-postgres'].password }}"
    sslmode: require
    owner: shop

- name: Let psql on this controller find the password
  vellaric.postgres.postgres_db_connection:
    path: ~/.pgpass
    format: pgpass
    host: my-database-production-postgres.db.example.com
    port: 5432
    database: my-database
    username: "{{ postgres_credentials['my-database-production-postgres'].username }}"
    password: "{{ postgres_credentials['my-database-production-postgres'].password }}"
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The file, with symbolic links followed.
  returned: success
  type: str
  sample: /srv/shop/.env
ca_file:
  description: Where clients find the certificate of the server's authority. V(null) where they are not.
  returned: success
  type: str
  sample: /srv/shop/my-database-ca.crt
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_connection import main

if __name__ == "__main__":
    main()
