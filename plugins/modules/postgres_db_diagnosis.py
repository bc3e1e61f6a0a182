#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_diagnosis
short_description: Say what keeps a PostgreSQL database from serving, from the engine to a login
description:
  - Looks at one database in the order in which one thing needs the other (the engine, disks, the data, the container,
    the server, the published port, TLS, who is let in, the role and its password, a login), and at what it is to be
    looked after for (locks, statistics, backups, schedules, drift).
  - What fails first is the cause. What cannot be checked because of that, or follows from it, is said to be so.
  - It changes nothing, and what it returns holds no secret, so that it can go into a ticket.
  - It looks also at a container with PostgreSQL that this collection does not manage, at one that is stopped, frozen,
    ends again and again or was never finished, and at a host without an engine.
  - With O(client) it does, from wherever it runs, what an application would do there, and nothing else.
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
    description: The name of the database. With O(client), it is used in the commands that are shown.
    type: str
  environment:
    description: Its environment. It goes with O(name).
    type: str
    choices: [production, staging, development]
  container:
    description:
      - The name of a container with PostgreSQL, whoever made it, in the place of O(name) and O(environment).
      - One of O(container), O(name) and O(client) is required.
    type: str
  database:
    description:
      - The database in the server. By default, the one that the record has, or that the container was made with
        (C(POSTGRES_DB)).
    type: str
  username:
    description:
      - The role that logs in. By default, the one that the record has, or that the container was made with
        (C(POSTGRES_USER)).
    type: str
  password:
    description:
      - The stored password of that role. It is compared with the server's, and logged in with; it is never returned.
      - Without it, checks that need it are not made.
    type: str
  password_error:
    description: Why there is no O(password), for the words of what needs it.
    type: str
    default: ""
  password_lost:
    description: Whether there is no O(password) because none is stored.
    type: bool
    default: false
  client:
    description: Look only at what a client meets on the way to a database, from where the module runs.
    type: dict
    suboptions:
      host:
        description: What the client connects to, and what the server's certificate has to name.
        type: str
        required: true
      port:
        description: The published port.
        type: int
        required: true
      sslmode:
        description: What clients are told to use.
        type: str
        choices: [disable, prefer, require, verify-full]
        default: prefer
      ca_certificate:
        description: The certificate of the authority that clients trust (PEM).
        type: str
      bind_address:
        description: The address of the host that the port is published on.
        type: str
  backup_root:
    description: Directory on the host that holds one directory of backups for each database, where no record says so.
    type: path
    default: /var/vellaric/backups
  timeout:
    description: Seconds to wait for the server, and for each attempt of a client.
    type: int
    default: 5
  thresholds:
    description: As O(vellaric.postgres.postgres_db_info#module:thresholds), by name.
    type: dict
    default: {}
seealso:
  - module: vellaric.postgres.postgres_db_info
notes:
  - The log is read only if the server does not run; passwords in it are masked.
"""

EXAMPLES = r"""
- name: Say what keeps the database from serving
  vellaric.postgres.postgres_db_diagnosis:
    name: shop
    environment: production
  register: diagnosis

- name: Look at a container that somebody else has made
  vellaric.postgres.postgres_db_diagnosis:
    container: wiki-db-1

- name: See what a client meets on its way from the controller
  vellaric.postgres.postgres_db_diagnosis:
    client:
      host: db1.example.com
      port: 5432
      sslmode: verify-full
      ca_certificate: "{{ diagnosis.connection.ca_certificate }}"
    database: shop
    username: shop
  delegate_to: localhost
"""

RETURN = r"""
container_name:
  description: The container that was checked. Empty with O(client).
  type: str
  returned: success
  sample: shop-production-postgres
managed:
  description: Whether this collection manages it. Null with O(client).
  type: bool
  returned: success
  sample: true
diagnosed_at:
  description: When it was checked (ISO 8601, UTC).
  type: str
  returned: success
  sample: "2026-01-31T09:26:53.000Z"
serves:
  description: Whether nothing was found that keeps clients from being served.
  type: bool
  returned: success
  sample: false
cause:
  description: RV(checks[].check) of the cause, which has to be fixed first. Null where there is none.
  type: str
  returned: success
  sample: disk
verdict:
  description: The result, in a sentence.
  type: str
  returned: success
  sample: "The disk of the data is full: the server stops without free space."
fix:
  description: The command that fixes the cause. Empty where there is none.
  type: str
  returned: success
  sample: ansible-playbook vellaric.postgres.start -e database_name=shop -e database_environment=production
checks:
  description: The checks, in the order in which they depend on each other.
  type: list
  elements: dict
  returned: success
  contains:
    check:
      description: What it is called.
      type: str
      sample: disk
    name:
      description: What is to hold, in plain words.
      type: str
      sample: There is free space on the disks
    state:
      description: V(holds); V(fails), which keeps clients off; V(warns), which is to be acted on, though clients are
        served; V(unknown), where it could not be checked.
      type: str
      sample: fails
    evidence:
      description: What was seen.
      type: str
      sample: "the data (/var/vellaric/postgres): 0 B of 20 GB free"
    cause:
      description: Why it does not hold, or could not be checked.
      type: str
      sample: "The disk of the data is full: the server stops without free space."
    fix:
      description: The command that fixes it.
      type: str
      sample: free space (df -h, docker system df) or enlarge the disk
    because:
      description: RV(checks[].check) that it follows from, where it was not checked for that reason, else null.
      type: str
      sample: null
    log:
      description: The lines of the server's or of the engine's log that say so, passwords masked.
      type: list
      elements: str
      sample: []
connection:
  description: How clients reach it, as O(client) takes it. Null with O(client), and where that is not known.
  type: dict
  returned: success
  contains:
    host:
      description: The name or address that clients connect to.
      type: str
      sample: db1.example.com
    port:
      description: The published port.
      type: int
      sample: 5432
    bind_address:
      description: The address that it is published on.
      type: str
      sample: 0.0.0.0
    database:
      description: The database in the server.
      type: str
      sample: shop
    username:
      description: The role that logs in.
      type: str
      sample: shop
    sslmode:
      description: What clients are told to use.
      type: str
      sample: verify-full
    ca_certificate:
      description: The certificate of the authority that clients trust, null where it is not known.
      type: str
      sample: "-----BEGIN CERTIFICATE-----\n..."
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_diagnosis import main

if __name__ == "__main__":
    main()
