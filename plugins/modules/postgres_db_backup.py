#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_backup
short_description: Take, check, verify and remove backups of PostgreSQL databases in containers
description:
  - Takes a backup with the server's own C(pg_dump) while the database is in use, at one snapshot. It appears under its
    name only when it is whole, with its manifest beside it, and with the roles of the server and their settings.
  - A backup is called C(CONTAINER-YYYYMMDD-HHMMSS), in UTC, with an ending that tells its format, and lies in the
    directory of the database's backups.
  - A run that fails, is killed or runs out of time leaves no part of a backup that counts, and no process in the
    container. The next run removes what a killed one has left.
  - With O(state=verified) a backup is verified, by restoring it into a temporary container without a network and
    comparing what is there then with what was there when it was taken.
version_added: 0.2.0
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
      - Each run with O(state=present), V(checked) or V(verified) does it again, unless O(max_age) says how recent is
        recent enough.
options:
  state:
    description:
      - With V(present), a backup is taken, unless one that is good is not older than O(max_age).
      - With V(checked), the backup named with O(backup) is read to its end, decompressed, and compared with the
        checksums in its manifest.
      - With V(verified), it is checked and then restored into a throw-away container from the image that it was taken
        with, without a network. Objects of every kind, rows of every table and extensions are compared. The task fails
        where they differ, and the backup is not good from then on.
      - With V(absent), the backup named with O(backup) is removed.
      - With V(pruned), all that O(retention) does not keep are removed.
    type: str
    choices: [present, checked, verified, absent, pruned]
    default: present
  backup:
    description:
      - Name of a backup, for O(state=checked), V(verified) and V(absent); V(latest) is the newest good one,
        V(latest_verified) the newest that was verified, neither of them one that a restore took of what it replaced.
        These two cannot be removed by these names.
      - "Default: V(latest). O(state=absent) needs a name."
    type: str
  max_age:
    description:
      - What was taken, checked or verified within this time is recent enough and is not done again, such as V(12h),
        V(7d) or a number of seconds.
      - With O(state=verified) and without this, a backup that was ever verified is not verified again.
    type: str
  format:
    description:
      - V(plain) is SQL that any C(psql) can load, in one compressed file.
      - V(custom) is one file that C(pg_restore) loads, by several processes where that is asked for.
      - V(directory) is a directory with a file for each table, which several processes (O(jobs)) write and load.
    type: str
    choices: [plain, custom, directory]
    default: plain
  compression:
    description:
      - V(gzip) is known everywhere. On a host with C(igzip) (package isal, which role
        P(vellaric.postgres.docker_host#role) brings) a plain backup is compressed by that, which takes a fraction of
        the time.
      - V(zstd) and V(lz4) need a server of version 16 or later, and for a plain backup the program of that name on the
        host, or its library, which most hosts have. Without either the backup is refused before it is taken.
    type: str
    choices: [gzip, zstd, lz4, none]
    default: gzip
  compression_level:
    description: "Level of the compression. Default: the fastest; with a level C(igzip) is not used."
    type: int
  jobs:
    description: Number of processes for O(format=directory), and for the restore with O(state=verified).
    type: int
    default: 1
  row_counts:
    description:
      - Whether the rows of each table are counted at the backup's snapshot, for the manifest. A verification compares
        them. It reads each table once more while the backup is taken.
    type: bool
    default: true
  retention:
    description:
      - Which backups are kept, for O(state=pruned), and for O(state=present) when the backup has been taken. What any
        of these keeps is kept.
      - The newest good backup and the newest verified one are kept whatever this says. Damaged ones do not count, and
        are not removed either.
    type: dict
    suboptions:
      last:
        description: This many of the newest.
        type: int
      days:
        description: Those of this many days.
        type: int
      daily:
        description: The last one of each of this many days that have one.
        type: int
      weekly:
        description: The last one of each of this many weeks that have one.
        type: int
      monthly:
        description: The last one of each of this many months that have one.
        type: int
      yearly:
        description: The last one of each of this many years that have one.
        type: int
  lock_timeout:
    description: Seconds that the backup waits for a table that another session has locked exclusively.
    type: int
    default: 60
  timeout:
    description: Seconds that it may take. What is still at work in the container then is ended.
    type: int
    default: 21600
  wait_timeout:
    description: Seconds to wait for another run on the backups of this database, or for another verification of one.
    type: int
    default: 120
  backup_root:
    description:
      - "Directory that holds the directories of backups. Default: that of the container, or the one that the database
        was declared with. Needed for backups of a database that is gone and had another one."
    type: path
seealso:
  - module: vellaric.postgres.postgres_db
  - module: vellaric.postgres.postgres_db_info
"""

EXAMPLES = r"""
- name: Take a backup
  vellaric.postgres.postgres_db_backup:
    name: my-database
    environment: production
  register: taken

- name: Prove that it can be restored
  vellaric.postgres.postgres_db_backup:
    name: my-database
    environment: production
    state: verified
    backup: "{{ taken.backup.name }}"

- name: See to it that there is a backup of today, and keep a week of them and one for each of twelve months
  vellaric.postgres.postgres_db_backup:
    name: my-database
    environment: production
    max_age: 24h
    retention:
      daily: 7
      monthly: 12

- name: Take a backup of a large database by two processes
  vellaric.postgres.postgres_db_backup:
    name: my-database
    environment: production
    format: directory
    jobs: 2

- name: Keep the last three backups
  vellaric.postgres.postgres_db_backup:
    name: my-database
    environment: production
    state: pruned
    retention:
      last: 3
"""

RETURN = r"""
container_name:
  description: Name of the container, which is also that of the directory of its backups.
  type: str
  returned: always
  sample: my-database-production-postgres
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
      sample: take
    summary:
      description: The step in words.
      type: str
      returned: always
      sample: take a backup of my-database-production-postgres (plain, gzip)
    impact:
      description: What it does to those who use the database, which is nothing.
      type: str
      returned: always
      sample: none
removed:
  description: Names of the backups that were removed, or would be.
  type: list
  elements: str
  returned: success
  sample: []
backup:
  description:
    - The backup that was taken, checked or verified, or that is recent enough. V(null) where there is none, as before
      one is taken in check mode.
  type: dict
  returned: success
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: my-database-production-postgres-20261123-020000.sql.gz
    path:
      description: Where it is on the host. Beside it are its manifest (C(.json)) and the roles (C(.globals.sql)).
      type: str
      returned: always
      sample: /var/vellaric/backups/shop-staging-postgres/shop-staging-postgres-20261123-020000.sql.gz
    container_name:
      description: The container that it is of.
      type: str
      returned: always
      sample: my-database-production-postgres
    format:
      description: Its format, as the option has it.
      type: str
      returned: always
      sample: plain
    compression:
      description: Its compression, as the option has it.
      type: str
      returned: always
      sample: gzip
    size_bytes:
      description: Its size on the disk.
      type: int
      returned: always
      sample: 274863616
    sha256:
      description: Checksum of the file; of a directory, that of the lines that C(sha256sum) prints for its files.
      type: str
      returned: always
      sample: 0b3c4bf8a9a6c5b1d3c7f0c0e6f5ad1e5a1d7c1cd28ef7c2f1a3b9d0e4f5a6b7
    created_at:
      description: When it was taken.
      type: str
      returned: always
      sample: "2026-11-23T02:00:00Z"
    age_seconds:
      description: How long ago that was.
      type: int
      returned: always
      sample: 3600
    duration_seconds:
      description: How long it took.
      type: float
      returned: always
      sample: 5.4
    database_size_bytes:
      description: Size of the database on the server's disk at that time.
      type: int
      returned: always
      sample: 865075200
    server_version:
      description: Version of the server that it is of.
      type: str
      returned: always
      sample: "15.20"
    image:
      description: Image of that server.
      type: str
      returned: always
      sample: postgres:15-alpine
    taken_by:
      description: V(module), V(schedule), V(before_restore), or V(final) before the database was deleted.
      type: str
      returned: always
      sample: module
    good:
      description: Whether it counts. One that was found damaged, has no manifest, or cannot be read does not.
      type: bool
      returned: always
      sample: true
    damage:
      description: What is wrong with it, or V(null).
      type: str
      returned: always
      sample: null
    undecided:
      description: Why it cannot be checked here, such as a missing permission, or V(null).
      type: str
      returned: always
      sample: null
    checked:
      description: Whether it was read to its end and found whole.
      type: bool
      returned: always
      sample: true
    checked_at:
      description: When that was last so. A backup is checked while it is taken.
      type: str
      returned: always
      sample: "2026-11-23T02:00:05Z"
    checked_how:
      description: What was looked at.
      type: str
      returned: always
      sample: decompressed to its end mark while it was written
    verified:
      description: Whether it was restored, and was what had been backed up.
      type: bool
      returned: always
      sample: true
    verified_at:
      description: When that was.
      type: str
      returned: always
      sample: "2026-11-23T03:00:00Z"
    verified_how:
      description: With which image, in what time, and how much was compared.
      type: dict
      returned: always
      sample:
        image: postgres:15-alpine
        seconds: 21.4
        tables: 42
        rows: 18000000
    failed_at:
      description: When a check or verification found something wrong, or V(null).
      type: str
      returned: always
      sample: null
    failure:
      description: What that was, or V(null).
      type: str
      returned: always
      sample: null
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_backup import main

if __name__ == "__main__":
    main()
