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
    of a name or an environment. A database that is stopped, or whose container is missing, is there too and says so.
  - With O(gather) it also collects figures and findings from engine, server and files. A database that hangs or is
    broken does not delay the others, and does not make the task fail. What is not available of it is in
    RV(databases[].missing), with the reason.
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
    description: Only databases of this name, or whose name matches this pattern, such as V(shop-*).
    type: str
  environment:
    description: Only databases of this environment.
    type: str
    choices: [production, staging, development]
  required:
    description: Fail where no database matches, instead of returning an empty list.
    type: bool
    default: false
  gather:
    description:
      - What to ask for beyond what each database is. Each gives a key of that name in RV(databases), V(settings) one
        that is called C(server_settings), and V(pooler) C(pooler_statistics), or says in RV(databases[].missing) why
        there is none. Nothing by default, which asks no server.
      - V(container), the container as the engine and the kernel see it.
      - V(statistics), the figures of a dashboard, in words and as numbers. It takes half a second to measure the
        processor, once for all databases.
      - V(settings), the version, the parameters that are not at their defaults, and the extensions.
      - V(sizes), the directory, the file system, the databases, the largest tables and indexes.
      - V(queries), the slowest statements, of the extension pg_stat_statements.
      - V(activity), the longest transactions, and who waits for whose lock.
      - V(replication), the write-ahead log, its archiving, standbys and slots.
      - V(backups), what there is to restore.
      - V(tls), the certificate that clients are shown.
      - V(pooler), what the clients of its pooler do, and who of them waits. Nothing of a database that has none.
      - V(findings), what an operator should act on.
      - V(logs), the last lines that the server wrote.
      - Passwords in statements and log lines are masked.
    type: list
    elements: str
    default: []
    choices:
      [container, statistics, settings, sizes, queries, activity, replication, backups, tls, pooler, findings, logs]
  timeout:
    description: Seconds that one database may take to answer. The others do not wait for it.
    type: int
    default: 10
  limit:
    description: How many tables, indexes, queries, transactions and backups are listed at most, the worst first.
    type: int
    default: 10
  log_lines:
    description: How many lines V(logs) returns at most.
    type: int
    default: 50
  log_since:
    description:
      - From when on lines are returned by V(logs), of the last O(log_lines). How long ago, such as V(10m), V(2h) or
        V(1d), or a time such as V(2026-11-30T07:00:00Z), in UTC where it names no zone.
    type: str
  history:
    description:
      - Earlier figures, from which V(findings) tells the day on which a disk will be full. By the name of the container
        a list of mappings with C(gathered_at), C(disk_used_bytes) and C(disk_total_bytes), as
        RV(databases[].statistics) has them. Other keys are ignored.
    type: dict
    default: {}
  thresholds:
    description: From where on V(findings) reports what it reports.
    type: dict
    default: {}
    suboptions:
      connections_warning:
        description: Percent of the connections that the application may have.
        type: float
        default: 80
      connections_critical:
        description: Percent of the connections that the application may have.
        type: float
        default: 95
      disk_warning:
        description: Percent of the file system of the data, or of the backups, that is in use.
        type: float
        default: 80
      disk_critical:
        description: Percent of the file system of the data, or of the backups, that is in use.
        type: float
        default: 90
      disk_full_warning_days:
        description: Days until the file system will be full, going on as in O(history).
        type: float
        default: 14
      disk_full_critical_days:
        description: Days until the file system will be full, going on as in O(history).
        type: float
        default: 3
      backup_hours:
        description:
          - Age of the last good backup. V(0) expects none.
          - Without it, 26 hours in production, 8 days in staging, and none is expected in development.
        type: float
      verified_days:
        description: Age of the last backup that was restored and compared. V(0) expects none.
        type: float
        default: 35
      certificate_warning_days:
        description: Days until a certificate ends. It is renewed 30 days before that by any run of the database's task.
        type: float
        default: 21
      certificate_critical_days:
        description: Days until a certificate ends.
        type: float
        default: 7
      wraparound_warning:
        description: Percent of the transactions, or multixacts, after which the server accepts no more.
        type: float
        default: 40
      wraparound_critical:
        description: Percent of the transactions, or multixacts, after which the server accepts no more.
        type: float
        default: 75
      vacuum_blocked_transactions:
        description: Transactions since what keeps vacuum from removing dead rows.
        type: int
        default: 1000000
      idle_transaction_seconds:
        description: How long a connection has been idle with a transaction open.
        type: float
        default: 900
      long_transaction_seconds:
        description: How long a transaction has been open, idle or not.
        type: float
        default: 14400
      retained_wal_bytes:
        description: What a replication slot keeps of the write-ahead log.
        type: int
        default: 10737418240
      restarts:
        description: How often the engine has restarted the container by itself, with the last time in the last day.
        type: int
        default: 3
      end_of_life_days:
        description: Days until the major version has no more updates.
        type: float
        default: 180
      pooler_wait_warning_seconds:
        description: For how long a client of its pooler has waited for a connection to the server.
        type: float
        default: 5
      pooler_wait_critical_seconds:
        description: As O(thresholds.pooler_wait_warning_seconds).
        type: float
        default: 60
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

- name: Show what a dashboard shows
  vellaric.postgres.postgres_db_info:
    gather: [statistics, backups, findings]
  register: fleet

- name: Stop a pipeline where something needs attention
  ansible.builtin.assert:
    that: fleet.findings | selectattr('severity', 'eq', 'critical') | length == 0
    fail_msg: "{{ fleet.findings | selectattr('severity', 'eq', 'critical') | map(attribute='message') | join('; ') }}"

- name: List the slowest statements of all shops in production
  vellaric.postgres.postgres_db_info:
    name: shop-*
    environment: production
    required: true
    gather: [queries]
    limit: 20

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
      description: The user that the application logs in as.
      type: str
      returned: always
      sample: db_user_0123456789ab
    owner:
      description: The application's role, which owns the database. It logs in itself, unless two logins take turns.
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
    pending:
      description:
        - What stands between the database and what was declared of it last, because it interrupts service, and
          O(vellaric.postgres.postgres_db#module:max_impact) held it back or somebody changed the host since. What
          cannot be brought about at all is here, too, with impact V(refused).
      type: list
      elements: dict
      returned: always
      contains:
        verb:
          description: The kind of step.
          type: str
          returned: always
          sample: restart
        summary:
          description: The step in words.
          type: str
          returned: always
          sample: restart the server (max_connections)
        impact:
          description: What the step does to those who use the database, V(restart), V(recreate) or V(refused).
          type: str
          returned: always
          sample: restart
        reason:
          description: Why it takes this impact.
          type: str
          returned: always
          sample: it reads max_connections only when it starts
    adopted:
      description: What the database was before it was taken over; V(null) where it was made by this collection.
      type: dict
      returned: always
      contains:
        at:
          description: When it was taken over, in UTC.
          type: str
          returned: always
          sample: '2025-12-24T14:22:50.000Z'
        image:
          description: Image of the container that it was in.
          type: str
          returned: always
          sample: postgres:15
        method:
          description:
            - V(copy), which leaves the original data where it was until you remove it, or V(move).
          type: str
          returned: always
          sample: copy
        data:
          description: Directory on the host that the data was in.
          type: str
          returned: always
          sample: /var/lib/docker/volumes/shop_data/_data
        volume:
          description: Volume that the data was in; V(null) where it was in a directory of the host.
          type: str
          returned: always
          sample: shop_data
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
    networks:
      description: Networks of the engine that its container has joined beside the default one.
      type: list
      returned: always
      elements: str
      sample: ['shop']
    settings:
      description: Declared parameters of the server.
      type: dict
      returned: always
      sample: {'work_mem': '64MB'}
    read_only:
      description: Whether the root file system of its container is read-only.
      type: bool
      returned: always
      sample: true
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
    users:
      description: Declared users.
      type: list
      elements: dict
      returned: always
      sample: [{'name': 'reporting', 'role': 'readonly', 'connection_limit': 5}]
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
      description:
        - File on the host with the certificate of the authority with which clients verify the server, for everybody to
          read. V(null) where they have to know it from elsewhere.
      type: str
      returned: always
      sample: /var/vellaric/certificates/my-database-production-postgres.crt
    ca_certificate:
      description: What is in it, for clients that verify the server (C(sslrootcert)). It is public.
      type: str
      returned: always
      sample: |
        -----BEGIN CERTIFICATE-----
        MIIBxTCCAWugAwIBAgIUd3r...
        -----END CERTIFICATE-----
    certificate:
      description: The server's certificate; V(null) where there is none yet.
      type: dict
      returned: always
      contains:
        own:
          description: Whether it was declared (C(tls_certificate)), and not issued by the authority of the host.
          type: bool
          returned: always
          sample: false
        subject:
          description: Its subject.
          type: str
          returned: always
          sample: CN=my-database-production-postgres
        issuer:
          description: Who signed it.
          type: str
          returned: always
          sample: CN=vellaric.postgres on docker1
        names:
          description: Names and addresses that it is for.
          type: list
          elements: str
          returned: always
          sample: ['127.0.0.1', 'localhost', 'my-database-production-postgres']
        not_after:
          description: Its end, in UTC. Certificates of the host's authority are renewed 30 days before.
          type: str
          returned: always
          sample: '2027-01-24T14:22:50Z'
        fingerprint:
          description: Its SHA-256.
          type: str
          returned: always
          sample: 3a1f2b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a
    pooler:
      description: The pooler before the database; V(null) where none is declared.
      type: dict
      returned: always
      contains:
        container_name:
          description: Name of its container, and of the network that it shares with the database.
          type: str
          returned: always
          sample: my-database-production-postgres-pool
        host:
          description: What its clients connect to.
          type: str
          returned: always
          sample: 127.0.0.1
        port:
          description: Port of the host at which its clients connect.
          type: int
          returned: always
          sample: 6432
        bind_address:
          description: Address of the host at which that port is published.
          type: str
          returned: always
          sample: 127.0.0.1
        database:
          description: Name by which a client gets a connection of the server's, mostly for each transaction.
          type: str
          returned: always
          sample: my-database
        session_database:
          description: Name by which a client keeps a connection of the server's for as long as it stays.
          type: str
          returned: always
          sample: my-database_session
        mode:
          description: For how long a client gets a connection of the server's.
          type: str
          returned: always
          sample: transaction
        prepared_statements:
          description: >-
            Whether clients that come by C(database) may use named prepared statements of the protocol, as many drivers
            do. PgBouncer before 1.21 has none. V(null) where it is not there yet.
          type: bool
          returned: always
          sample: true
        image:
          description: The declared image.
          type: str
          returned: always
          sample: vellaric/pgbouncer:trixie
        container_status:
          description: The engine's word for what its container does; V(absent) where there is none.
          type: str
          returned: always
          sample: running
        health:
          description: The engine's word for the outcome of its health check.
          type: str
          returned: always
          sample: healthy
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
    container:
      description: The container as the engine and the kernel see it.
      type: dict
      returned: with O(gather=container), where it is available
      contains:
        id:
          description: Its id.
          type: str
          returned: always
          sample: '7f4be1b7...'
        image_id:
          description: Id of the image that it runs.
          type: str
          returned: always
          sample: 'sha256:9d566c49...'
        status:
          description: What it does, in the engine's word.
          type: str
          returned: always
          sample: 'running'
        exit_code:
          description: With what it ended last.
          type: int
          returned: always
          sample: 0
        health:
          description: Outcome of the health check; V(null) for none.
          type: str
          returned: always
          sample: 'healthy'
        created_at:
          description: When it was made.
          type: str
          returned: always
          sample: '2025-12-24T14:22:51.123456789Z'
        restart_count:
          description: How often the engine has restarted it by itself.
          type: int
          returned: always
          sample: 0
        restart_policy:
          description: What the engine does when it ends.
          type: str
          returned: always
          sample: 'unless-stopped'
        oom_killed:
          description: Whether the OOM killer ended it.
          type: bool
          returned: always
          sample: false
        oom_kills:
          description: >-
            How many of its processes the OOM killer has ended since it started; V(null)
            where it does not run.
          type: int
          returned: always
          sample: 0
        address:
          description: Its address on the network of the host; V(null) for none.
          type: str
          returned: always
          sample: '172.17.0.2'
        pid:
          description: Its first process on the host; V(null) where it does not run.
          type: int
          returned: always
          sample: 4711
        processes:
          description: How many processes it has; V(null) where it does not run.
          type: int
          returned: always
          sample: 9
        cpus:
          description: Limit of processors; V(null) for none.
          type: float
          returned: always
          sample: 1.5
        memory_limit_bytes:
          description: Limit of memory; V(null) for none.
          type: int
          returned: always
          sample: 536870912
    statistics:
      description: The figures of a dashboard. Of a database that does not answer, those of the server are V(null).
      type: dict
      returned: with O(gather=statistics), where it is available
      contains:
        status:
          description: V(running), V(stopped) or V(error).
          type: str
          returned: always
          sample: 'running'
        size:
          description: What its data take on the disk, in words.
          type: str
          returned: always
          sample: '42 MB'
        connections:
          description: Connections of clients, without the one that asks.
          type: int
          returned: always
          sample: 3
        cpu:
          description: Use of processors during half a second; 100% is one of them.
          type: str
          returned: always
          sample: '2.5%'
        memory:
          description: >-
            Use of memory and its limit (the memory of the host where there is none), without what the
            kernel would give back.
          type: str
          returned: always
          sample: '156MB / 512MB'
        uptime:
          description: Since the container was started.
          type: str
          returned: always
          sample: '2d 5h'
        gathered_at:
          description: When this was asked, in UTC.
          type: str
          returned: always
          sample: '2026-01-24T14:22:50.000Z'
        size_bytes:
          description: What its data directory takes on the disk, write-ahead log and all.
          type: int
          returned: always
          sample: 44040192
        database_bytes:
          description: Size of the application's database alone, as the server counts it.
          type: int
          returned: always
          sample: 7783203
        connections_limit:
          description: Connections that the application may have.
          type: int
          returned: always
          sample: 97
        connections_by_state:
          description: Connections by what they do.
          type: dict
          returned: always
          sample: {"active": 1, "idle": 2}
        connections_by_user:
          description: Connections by role.
          type: dict
          returned: always
          sample: {"db_user_0123456789ab": 3}
        connections_by_address:
          description: Connections by the address of the client; V(local) for the container's own socket.
          type: dict
          returned: always
          sample: {"10.0.0.7": 3}
        cpu_percent:
          description: Use of processors; 100 is one of them.
          type: float
          returned: always
          sample: 2.5
        memory_bytes:
          description: Use of memory.
          type: int
          returned: always
          sample: 163577856
        memory_limit_bytes:
          description: Limit of memory, or the memory of the host where there is none.
          type: int
          returned: always
          sample: 536870912
        memory_percent:
          description: Use of memory in percent of the limit.
          type: float
          returned: always
          sample: 30.5
        uptime_seconds:
          description: Seconds since the container was started.
          type: int
          returned: always
          sample: 190800
        cache_hit_ratio:
          description: >-
            Share of the blocks that were found in the server's own memory, from 0 to 1; V(null) before
            any was read.
          type: float
          returned: always
          sample: 0.9991
        transactions:
          description: Transactions since statistics_since.
          type: dict
          returned: always
          contains:
            committed:
              description: Those that were committed.
              type: int
              returned: always
              sample: 10234
            rolled_back:
              description: Those that were not.
              type: int
              returned: always
              sample: 12
        rows:
          description: Rows since statistics_since.
          type: dict
          returned: always
          contains:
            returned:
              description: Rows that scans have read.
              type: int
              returned: always
              sample: 51234
            fetched:
              description: Rows that index scans have read.
              type: int
              returned: always
              sample: 40312
            inserted:
              description: Rows inserted.
              type: int
              returned: always
              sample: 1234
            updated:
              description: Rows updated.
              type: int
              returned: always
              sample: 56
            deleted:
              description: Rows deleted.
              type: int
              returned: always
              sample: 7
        deadlocks:
          description: Deadlocks since statistics_since.
          type: int
          returned: always
          sample: 0
        temporary_files:
          description: Files for what did not fit into work_mem, since statistics_since.
          type: int
          returned: always
          sample: 2
        temporary_bytes:
          description: What was written to them.
          type: int
          returned: always
          sample: 8388608
        checksum_failures:
          description: Damaged blocks that were read; V(null) without checksums.
          type: int
          returned: always
          sample: 0
        statistics_since:
          description: When the counters were last reset; V(null) for never.
          type: str
          returned: always
          sample: '2025-12-24T14:22:50Z'
        live_rows:
          description: Rows in the tables, as the server estimates it.
          type: int
          returned: always
          sample: 1234
        dead_rows:
          description: Rows that vacuum has yet to remove, as the server estimates it.
          type: int
          returned: always
          sample: 56
        oldest_transaction_age:
          description: Transactions since the oldest one that is not frozen; the server stops at 2147483648.
          type: int
          returned: always
          sample: 1234
        oldest_multixact_age:
          description: Multixacts since the oldest one that is not frozen; the server stops at 2147483648.
          type: int
          returned: always
          sample: 0
        disk_total_bytes:
          description: Size of the file system that holds the data.
          type: int
          returned: always
          sample: 107374182400
        disk_used_bytes:
          description: What is used of it.
          type: int
          returned: always
          sample: 53687091200
        disk_free_bytes:
          description: What the server can still use of it.
          type: int
          returned: always
          sample: 53687091200
    server_settings:
      description: How the server is set.
      type: dict
      returned: with O(gather=settings), where it is available
      contains:
        version:
          description: Version of the server.
          type: str
          returned: always
          sample: '15.20'
        parameters:
          description: The parameters that are not at their defaults, by name.
          type: dict
          returned: always
          contains:
            value:
              description: The value in force, with its unit.
              type: str
              returned: always
              sample: '64MB'
            source:
              description: Where it is from, in the server's word.
              type: str
              returned: always
              sample: 'configuration file'
            pending_restart:
              description: Whether the files have another value, which waits for a restart.
              type: bool
              returned: always
              sample: false
        pending_restart:
          description: Parameters whose value in the files waits for a restart.
          type: list
          elements: str
          returned: always
          sample: ["shared_buffers"]
        extensions:
          description: The extensions of the database.
          type: list
          elements: dict
          returned: always
          contains:
            name:
              description: Name.
              type: str
              returned: always
              sample: 'pg_stat_statements'
            version:
              description: Version.
              type: str
              returned: always
              sample: '1.10'
            available:
              description: Version that the image has.
              type: str
              returned: always
              sample: '1.10'
    sizes:
      description: Where the space is.
      type: dict
      returned: with O(gather=sizes), where it is available
      contains:
        directory_bytes:
          description: What the data directory takes on the disk.
          type: int
          returned: always
          sample: 44040192
        backups_bytes:
          description: What the directory of the backups takes on the disk.
          type: int
          returned: always
          sample: 12582912
        wal_bytes:
          description: What of the data directory is write-ahead log.
          type: int
          returned: always
          sample: 16777216
        disk:
          description: The file system that holds the data.
          type: dict
          returned: always
          contains:
            total_bytes:
              description: Its size.
              type: int
              returned: always
              sample: 107374182400
            used_bytes:
              description: What is used.
              type: int
              returned: always
              sample: 53687091200
            free_bytes:
              description: What the server can still use.
              type: int
              returned: always
              sample: 53687091200
            used_percent:
              description: What is used, in percent.
              type: float
              returned: always
              sample: 50.0
        backup_disk:
          description: The file system that holds the backups, in the same form.
          type: dict
          returned: always
          sample: {"total_bytes": 100, "used_bytes": 50, "free_bytes": 50, "used_percent": 50.0}
        databases:
          description: The databases of the server.
          type: list
          elements: dict
          returned: always
          contains:
            name:
              description: Name.
              type: str
              returned: always
              sample: 'my-database'
            size_bytes:
              description: Size.
              type: int
              returned: always
              sample: 7783203
        tables:
          description: The largest tables of the database.
          type: list
          elements: dict
          returned: always
          contains:
            schema:
              description: Schema.
              type: str
              returned: always
              sample: 'public'
            name:
              description: Name.
              type: str
              returned: always
              sample: 'orders'
            size_bytes:
              description: Size with indexes and TOAST.
              type: int
              returned: always
              sample: 8192000
            table_bytes:
              description: Size of the rows.
              type: int
              returned: always
              sample: 6144000
            index_bytes:
              description: Size of the indexes.
              type: int
              returned: always
              sample: 2048000
            rows:
              description: Rows, as the server estimates it.
              type: int
              returned: always
              sample: 40000
            dead_rows:
              description: Rows that vacuum has yet to remove, as the server estimates it.
              type: int
              returned: always
              sample: 12
            last_vacuum:
              description: When vacuum last removed them; V(null) for never.
              type: str
              returned: always
              sample: '2026-01-24T14:22:50Z'
            last_analyze:
              description: When the planner's statistics were last taken; V(null) for never.
              type: str
              returned: always
              sample: '2026-01-24T14:22:50Z'
            locked:
              description: Whether somebody has locked it exclusively, so that its sizes are the server's estimate.
              type: bool
              returned: always
              sample: false
        indexes:
          description: The largest indexes of the database.
          type: list
          elements: dict
          returned: always
          contains:
            schema:
              description: Schema.
              type: str
              returned: always
              sample: 'public'
            table:
              description: Table.
              type: str
              returned: always
              sample: 'orders'
            name:
              description: Name.
              type: str
              returned: always
              sample: 'orders_pkey'
            size_bytes:
              description: Size.
              type: int
              returned: always
              sample: 2048000
            scans:
              description: How often it was used since statistics_since.
              type: int
              returned: always
              sample: 1234
            unique:
              description: Whether it enforces something.
              type: bool
              returned: always
              sample: true
            valid:
              description: Whether queries can use it.
              type: bool
              returned: always
              sample: true
    queries:
      description: The statements that take longest on average.
      type: list
      elements: dict
      returned: with O(gather=queries), where it is available
      contains:
        query:
          description: The statement, with parameters in place of its constants.
          type: str
          returned: always
          sample: 'SELECT * FROM orders WHERE customer = $1'
        user:
          description: Role that ran it.
          type: str
          returned: always
          sample: 'db_user_0123456789ab'
        calls:
          description: How often it was run.
          type: int
          returned: always
          sample: 1234
        mean_ms:
          description: Milliseconds on average.
          type: float
          returned: always
          sample: 12.5
        max_ms:
          description: Milliseconds at most.
          type: float
          returned: always
          sample: 250.1
        total_ms:
          description: Milliseconds in all.
          type: float
          returned: always
          sample: 15425.0
        percent:
          description: Share of the time of all statements of the database.
          type: float
          returned: always
          sample: 41.2
        rows:
          description: Rows returned or changed, in all.
          type: int
          returned: always
          sample: 1234
        cache_hit_ratio:
          description: Share of its blocks that were found in the server's own memory; V(null) for none read.
          type: float
          returned: always
          sample: 0.98
        temporary_bytes:
          description: What it wrote to temporary files.
          type: int
          returned: always
          sample: 0
    activity:
      description: What goes on.
      type: dict
      returned: with O(gather=activity), where it is available
      contains:
        transactions:
          description: The transactions that have been open longest.
          type: list
          elements: dict
          returned: always
          contains:
            pid:
              description: Process of the connection, within the container.
              type: int
              returned: always
              sample: 123
            user:
              description: Role.
              type: str
              returned: always
              sample: 'db_user_0123456789ab'
            database:
              description: Database.
              type: str
              returned: always
              sample: 'my-database'
            application:
              description: What the client calls itself.
              type: str
              returned: always
              sample: 'shop'
            address:
              description: Address of the client; V(local) for the container's own socket.
              type: str
              returned: always
              sample: '10.0.0.7'
            state:
              description: What the connection does.
              type: str
              returned: always
              sample: 'idle in transaction'
            seconds:
              description: How long its transaction has been open.
              type: float
              returned: always
              sample: 12.5
            state_seconds:
              description: How long it has been in that state.
              type: float
              returned: always
              sample: 10.1
            wait:
              description: What it waits for; V(null) for nothing.
              type: str
              returned: always
              sample: 'Lock: transactionid'
            query:
              description: Its statement, the last one where it is idle.
              type: str
              returned: always
              sample: 'UPDATE stock SET ...'
        blocked:
          description: Who waits for a lock, longest first.
          type: list
          elements: dict
          returned: always
          contains:
            pid:
              description: Process that waits, within the container.
              type: int
              returned: always
              sample: 124
            user:
              description: Role.
              type: str
              returned: always
              sample: 'db_user_0123456789ab'
            database:
              description: Database.
              type: str
              returned: always
              sample: 'my-database'
            query:
              description: What it wants to do.
              type: str
              returned: always
              sample: 'UPDATE stock SET ...'
            seconds:
              description: How long its statement has been waiting.
              type: float
              returned: always
              sample: 10.1
            lock:
              description: The lock that it wants.
              type: str
              returned: always
              sample: 'ExclusiveLock on transactionid'
            blocked_by:
              description: Whom it waits for.
              type: list
              elements: dict
              returned: always
              contains:
                pid:
                  description: Process, within the container.
                  type: int
                  returned: always
                  sample: 123
                user:
                  description: Role.
                  type: str
                  returned: always
                  sample: 'db_user_0123456789ab'
                state:
                  description: What that connection does.
                  type: str
                  returned: always
                  sample: 'idle in transaction'
                query:
                  description: Its statement, the last one where it is idle.
                  type: str
                  returned: always
                  sample: 'UPDATE stock SET ...'
        vacuum_held_by:
          description: What keeps vacuum from removing dead rows, the oldest first.
          type: list
          elements: dict
          returned: always
          contains:
            kind:
              description: V(transaction), V(slot), V(prepared transaction) or V(standby).
              type: str
              returned: always
              sample: 'transaction'
            name:
              description: Process, slot, transaction or standby.
              type: str
              returned: always
              sample: '123'
            age:
              description: Transactions since then.
              type: int
              returned: always
              sample: 12
    replication:
      description: The write-ahead log and who reads it.
      type: dict
      returned: with O(gather=replication), where it is available
      contains:
        role:
          description: V(primary) or V(standby).
          type: str
          returned: always
          sample: 'primary'
        lsn:
          description: Position in the write-ahead log.
          type: str
          returned: always
          sample: '0/1A2B3C4'
        wal_bytes:
          description: What the write-ahead log takes on the disk.
          type: int
          returned: always
          sample: 16777216
        wal_level:
          description: How much it says.
          type: str
          returned: always
          sample: 'replica'
        archiving:
          description: Where it is copied to.
          type: dict
          returned: always
          contains:
            enabled:
              description: Whether it is copied.
              type: bool
              returned: always
              sample: false
            archived:
              description: Files copied.
              type: int
              returned: always
              sample: 0
            failed:
              description: Copies that failed.
              type: int
              returned: always
              sample: 0
            last_archived_at:
              description: When the last one was copied.
              type: str
              returned: always
              sample: null
            last_failed_at:
              description: When the last copy failed.
              type: str
              returned: always
              sample: null
            last_failed:
              description: The file of which the last copy failed.
              type: str
              returned: always
              sample: null
        standbys:
          description: Servers that follow this one.
          type: list
          elements: dict
          returned: always
          contains:
            name:
              description: What it calls itself.
              type: str
              returned: always
              sample: 'standby1'
            address:
              description: Its address.
              type: str
              returned: always
              sample: '10.0.0.8'
            state:
              description: What it does.
              type: str
              returned: always
              sample: 'streaming'
            synchronous:
              description: Whether commits wait for it, in the server's word.
              type: str
              returned: always
              sample: 'async'
            lag_bytes:
              description: What it has yet to replay.
              type: int
              returned: always
              sample: 0
            lag_seconds:
              description: How far behind it is.
              type: float
              returned: always
              sample: 0.1
        slots:
          description: Replication slots.
          type: list
          elements: dict
          returned: always
          contains:
            name:
              description: Name.
              type: str
              returned: always
              sample: 'standby1'
            kind:
              description: V(physical) or V(logical).
              type: str
              returned: always
              sample: 'physical'
            active:
              description: Whether somebody reads it.
              type: bool
              returned: always
              sample: true
            retained_bytes:
              description: What is kept of the write-ahead log for it.
              type: int
              returned: always
              sample: 16777216
            wal_status:
              description: Whether all that it needs is still there, in the server's word.
              type: str
              returned: always
              sample: 'reserved'
        replay_lag_seconds:
          description: For a standby, how old the last transaction is that it has replayed.
          type: float
          returned: always
          sample: null
    backups:
      description: >-
        What there is to restore. Each backup has the keys that M(vellaric.postgres.postgres_db_backup)
        returns of it.
      type: dict
      returned: with O(gather=backups), where it is available
      contains:
        directory:
          description: Where they are on the host.
          type: str
          returned: always
          sample: '/var/vellaric/backups/app-production-postgres'
        count:
          description: How many good ones there are.
          type: int
          returned: always
          sample: 7
        size_bytes:
          description: What all of them take.
          type: int
          returned: always
          sample: 88080384
        last:
          description: The newest good one; V(null) for none.
          type: dict
          returned: always
          contains:
            name:
              description: File name, or name of the directory.
              type: str
              returned: always
              sample: 'app-production-postgres-20260124-020000.sql.gz'
            path:
              description: Where it is on the host.
              type: str
              returned: always
              sample: '/var/vellaric/backups/app-production-postgres/app-production-postgres-20260124-020000.sql.gz'
            created_at:
              description: When it was taken, in UTC.
              type: str
              returned: always
              sample: '2026-01-24T02:00:00Z'
            age_seconds:
              description: How long ago that is.
              type: int
              returned: always
              sample: 44570
            size_bytes:
              description: Its size.
              type: int
              returned: always
              sample: 12582912
            format:
              description: V(plain), V(custom) or V(directory).
              type: str
              returned: always
              sample: 'plain'
            good:
              description: Whether it counts.
              type: bool
              returned: always
              sample: true
            damage:
              description: Why it does not; V(null) where it does.
              type: str
              returned: always
              sample: null
            checked_at:
              description: When it was last found whole; V(null) for never.
              type: str
              returned: always
              sample: '2026-01-24T02:00:10Z'
            verified_at:
              description: When it was last restored and compared; V(null) for never.
              type: str
              returned: always
              sample: null
            server_version:
              description: Version of the server that it is of.
              type: str
              returned: always
              sample: '15.20'
            taken_by:
              description: V(module), V(schedule), V(before_restore) or V(final).
              type: str
              returned: always
              sample: 'schedule'
        last_verified:
          description: The newest one that was restored and compared, in the same form; V(null) for none.
          type: dict
          returned: always
          sample: null
        recent:
          description: The newest good ones, newest first, in the same form.
          type: list
          elements: dict
          returned: always
          sample: []
        damaged:
          description: Those that do not count, newest last, in the same form.
          type: list
          elements: dict
          returned: always
          sample: []
        schedule:
          description:
            - What role P(vellaric.postgres.backup#role) has scheduled for it, and what became of that last; V(null)
              where nothing is scheduled on the host.
          type: dict
          returned: always
          contains:
            calendar: &schedule_calendar
              description: When it runs; V(null) where it is not scheduled for this database.
              type: str
              returned: always
              sample: daily
            unit: &schedule_unit
              description: Its timer; V(null) with cron.
              type: str
              returned: always
              sample: vellaric-backup@production.timer
            active: &schedule_active
              description: Whether its timer is active; V(null) where systemd could not be asked.
              type: bool
              returned: always
              sample: true
            next_run_at: &schedule_next_run_at
              description: When it runs next, in UTC.
              type: str
              returned: always
              sample: '2026-01-25T00:18:36Z'
            last_run_at: &schedule_last_run_at
              description: When it last came to this database; V(null) for never.
              type: str
              returned: always
              sample: '2026-01-24T00:18:37Z'
            last_outcome: &schedule_last_outcome
              description: What became of that, V(ok), V(failed), V(skipped), or V(running).
              type: str
              returned: always
              sample: ok
            last_reason: &schedule_last_reason
              description: Why it failed, or why nothing was done.
              type: str
              returned: always
              sample: null
            last_success_at: &schedule_last_success_at
              description: When it last succeeded.
              type: str
              returned: always
              sample: '2026-01-24T00:18:49Z'
            notification_error: &schedule_notification_error
              description: Why the notification of the last run failed; V(null) where it did not.
              type: str
              returned: always
              sample: null
            verify:
              description: The same of its verifications.
              type: dict
              returned: always
              contains:
                calendar: *schedule_calendar
                unit: *schedule_unit
                active: *schedule_active
                next_run_at: *schedule_next_run_at
                last_run_at: *schedule_last_run_at
                last_outcome: *schedule_last_outcome
                last_reason: *schedule_last_reason
                last_success_at: *schedule_last_success_at
                notification_error: *schedule_notification_error
    tls:
      description: The certificate that clients are shown.
      type: dict
      returned: with O(gather=tls), where it is available
      contains:
        subject:
          description: Whose it is.
          type: str
          returned: always
          sample: 'CN=my-database-production-postgres'
        issuer:
          description: Who signed it.
          type: str
          returned: always
          sample: 'CN=vellaric.postgres on db1'
        names:
          description: What it is for.
          type: list
          elements: str
          returned: always
          sample: ["my-database-production-postgres", "127.0.0.1"]
        not_before:
          description: When it began, in UTC.
          type: str
          returned: always
          sample: '2025-12-24T13:22:50Z'
        not_after:
          description: When it ends, in UTC.
          type: str
          returned: always
          sample: '2027-01-25T14:22:50Z'
        days_left:
          description: Days until then.
          type: float
          returned: always
          sample: 396.9
        fingerprint:
          description: Its SHA-256.
          type: str
          returned: always
          sample: '8dbe8cc8d42433390c82a2c03cb879b3d29b68f9ec591fdc614bda9eec28d57d'
        authority_not_after:
          description: When the certificate of the authority ends; V(null) where none is on the host.
          type: str
          returned: always
          sample: '2035-12-22T14:22:50Z'
        served:
          description: >-
            Whether the server shows it to clients; V(false) where it shows another one; V(null) where it
            could not be asked.
          type: bool
          returned: always
          sample: true
        protocol:
          description: The version of TLS that a client gets; V(null) where it could not be asked.
          type: str
          returned: always
          sample: 'TLSv1.3'
    pooler_statistics:
      description: What the clients of its pooler do. Of a database without one, there is none.
      type: dict
      returned: with O(gather=pooler), where it could be had
      contains:
        version:
          description: The version of PgBouncer that runs.
          type: str
          returned: always
          sample: '1.24.1'
        paused:
          description: The names by which clients wait, because somebody has paused them (C(PAUSE)).
          type: list
          elements: str
          returned: always
          sample: []
        clients_active:
          description: How many clients are connected, and wait for nothing.
          type: int
          returned: always
          sample: 42
        clients_waiting:
          description: How many clients wait for a connection to the server.
          type: int
          returned: always
          sample: 0
        clients_limit:
          description: How many clients may be connected at most.
          type: int
          returned: always
          sample: 1000
        maxwait_seconds:
          description: For how long the client has waited that has waited the longest.
          type: float
          returned: always
          sample: 0.0
        server_connections:
          description: How many connections to the server it has.
          type: int
          returned: always
          sample: 5
        server_connections_limit:
          description: How many of them it may have.
          type: int
          returned: always
          sample: 15
        pools:
          description: >-
            One pool for each user and name of the database, at most O(limit) of them: those first of which a client
            waits the longest, then those with most clients.
          type: list
          elements: dict
          returned: always
          contains:
            database:
              description: The name by which its clients came.
              type: str
              returned: always
              sample: my-database
            user:
              description: The user as whom they logged in.
              type: str
              returned: always
              sample: db_user_0123456789ab
            mode:
              description: For how long a client gets a connection to the server.
              type: str
              returned: always
              sample: transaction
            clients_active:
              description: How many of them are connected, and wait for nothing.
              type: int
              returned: always
              sample: 42
            clients_waiting:
              description: How many of them wait.
              type: int
              returned: always
              sample: 0
            maxwait_seconds:
              description: For how long the one that has waited the longest has.
              type: float
              returned: always
              sample: 0.0
            server_connections:
              description: How many connections to the server they share.
              type: int
              returned: always
              sample: 5
            server_connections_active:
              description: How many of these a client uses at this moment.
              type: int
              returned: always
              sample: 2
    findings:
      description: What an operator should act on, the worst first.
      type: list
      elements: dict
      returned: with O(gather=findings), where it is available
      contains:
        severity:
          description: V(critical), act now; V(warning), act soon; V(info), good to know.
          type: str
          returned: always
          sample: 'warning'
        code:
          description: What it is, in a word for machines.
          type: str
          returned: always
          sample: 'connections_near_limit'
        database:
          description: Container name of the database.
          type: str
          returned: always
          sample: 'my-database-production-postgres'
        message:
          description: What is the matter, with the figures.
          type: str
          returned: always
          sample: '85 of 97 connections are in use (88 %).'
        advice:
          description: What to do.
          type: str
          returned: always
          sample: 'Put a connection pooler in front, or raise max_connections.'
    logs:
      description: The last lines that the server wrote, the last one at the end.
      type: list
      elements: str
      returned: with O(gather=logs), where it is available
      sample: ["2026-01-24 14:22:50.123 UTC [1] LOG:  database system is ready to accept connections"]
    missing:
      description: What of O(gather) is missing or incomplete, and why. By the name in O(gather).
      type: dict
      returned: with O(gather)
      sample: {"statistics": "my-database-production-postgres did not answer within 10 s: it may be hung or overloaded"}
log_since:
  description: From when on lines of logs are meant, in UTC.
  type: str
  returned: with O(log_since), where anything is gathered
  sample: "2026-01-24T14:12:50.123456000Z"
findings:
  description: The findings of all databases, the worst first, as in RV(databases[].findings).
  type: list
  elements: dict
  returned: with O(gather=findings)
  contains:
    severity:
      description: V(critical), act now; V(warning), act soon; V(info), good to know.
      type: str
      returned: always
      sample: 'warning'
    code:
      description: What it is, in a word for machines.
      type: str
      returned: always
      sample: 'connections_near_limit'
    database:
      description: Container name of the database.
      type: str
      returned: always
      sample: 'my-database-production-postgres'
    message:
      description: What is the matter, with the figures.
      type: str
      returned: always
      sample: '85 of 97 connections are in use (88 %).'
    advice:
      description: What to do.
      type: str
      returned: always
      sample: 'Put a connection pooler in front, or raise max_connections.'
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

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_info import main

if __name__ == "__main__":
    main()
