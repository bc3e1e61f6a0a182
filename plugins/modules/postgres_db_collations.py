#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_collations
short_description: Bring a PostgreSQL database in a container over to another C library
description:
  - When an image comes with another C library or ICU, text may sort differently than when indexes were built. Rows are
    then not found, and unique indexes let duplicates in. The finding C(collation_mismatch) says so.
  - In all databases of the server, rebuilds the indexes that depend on a collation which has changed, by its columns,
    by its expressions, or by what compares text without saying so, and then notes the versions as they are now. Where
    nothing has changed, nothing is done.
  - To rebuild an index evaluates what belongs to its owner. Each is rebuilt in a session that has the rights of its
    table's owner and no others. Of a superuser's tables, the superuser rebuilds what evaluates nothing but the server's
    own functions; the rest is left, and named.
  - Where an index of a database is left or cannot be rebuilt, such as a unique one that has let duplicates in, the
    others are rebuilt, the versions stay as they are noted, and the task fails and names it.
version_added: 0.3.0
author:
  - Vellaric contributors (@vellaric)
extends_documentation_fragment:
  - vellaric.postgres.attributes
  - vellaric.postgres.engine
  - vellaric.postgres.database
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(everything=true) each run rebuilds.
options:
  concurrently:
    description:
      - Whether clients may write while an index is rebuilt. It then takes longer, waits for the transactions that are
        open, and needs room for the index once more.
      - Rebuilding indexes of exclusion constraints and of superusers' tables always blocks writes to their table.
    type: bool
    default: true
  everything:
    description:
      - Whether to rebuild whatever depends on any collation that could change, also where the server knows of no other
        version. PostgreSQL 13 and 14 do not know under which version the default of a database was made.
    type: bool
    default: false
  timeout:
    description: Seconds that all of it may take.
    type: int
    default: 86400
  wait_timeout:
    description: Seconds to wait for other runs on this database.
    type: int
    default: 120
seealso:
  - module: vellaric.postgres.postgres_db
  - module: vellaric.postgres.postgres_db_info
  - name: Notes on collation versions
    description: What the server notes, and what it does not notice.
    link: https://www.postgresql.org/docs/current/sql-altercollation.html#SQL-ALTERCOLLATION-NOTES
"""

EXAMPLES = r"""
- name: See which indexes would be rebuilt
  vellaric.postgres.postgres_db_collations:
    name: shop
    environment: production
  check_mode: true
  register: needed

- name: Rebuild them, and note the versions
  vellaric.postgres.postgres_db_collations:
    name: shop
    environment: production
"""

RETURN = r"""
container_name:
  description: Name of the container.
  type: str
  returned: success
  sample: shop-production-postgres
actions:
  description: What was done, in order; in check mode, what would be done.
  type: list
  elements: dict
  returned: success
  contains:
    verb:
      description: The kind of step, V(reindex) or V(refresh).
      type: str
      returned: always
      sample: reindex
    summary:
      description: The step in words.
      type: str
      returned: always
      sample: rebuild index public.customers_name_idx of database shop (24 MB) as db_user_0123456789ab
    impact:
      description: What it does to those who use the database, which is nothing but what the words say.
      type: str
      returned: always
      sample: none
databases:
  description: The databases of the server in which something has changed, as they were found.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the database.
      type: str
      returned: always
      sample: shop
    recorded:
      description: The version under which its default collation was made, as the server has noted it, or V(null).
      type: str
      returned: always
      sample: "2.36"
    actual:
      description: The version of the library as it is, or V(null).
      type: str
      returned: always
      sample: "2.41"
    collations:
      description: Other collations that have changed, each with C(name), C(recorded) and C(actual).
      type: list
      elements: dict
      returned: always
      sample: [{"name": "pg_catalog.\"de-x-icu\"", "recorded": "153.120", "actual": "153.128"}]
    indexes:
      description:
        - The indexes that depend on what has changed, the smallest first, each with C(name), C(table), C(size_bytes)
          and C(run_as), the role that rebuilds it, or V(null) where nobody does.
      type: list
      elements: dict
      returned: always
      sample:
        - name: public.customers_name_idx
          table: public.customers
          size_bytes: 25165824
          run_as: db_user_0123456789ab
    partitioned:
      description: Tables that are partitioned by ranges of text, which an index does not fix.
      type: list
      elements: str
      returned: always
      sample: []
left:
  description: What could not be done, in words. Where there is any, the task fails, but in check mode.
  type: list
  elements: str
  returned: success
  sample: []
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_collations import main

if __name__ == "__main__":
    main()
