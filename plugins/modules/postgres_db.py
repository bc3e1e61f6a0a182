#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db
short_description: Manage PostgreSQL databases in containers on a Docker host
description:
  - Creates, changes, stops, starts and deletes PostgreSQL databases, each in a hardened container of its own on the
    Docker host that the module runs on, with TLS and an application role that owns its database.
  - A run changes the database to what is declared; a second run changes nothing. Check mode predicts what a run
    would do, as the same list of RV(actions).
  - The data lies below O(data_root) on the host and outlives the container.
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
    support: full
  idempotent:
    support: partial
    details:
      - O(state=restarted) restarts the database in every run.
options:
  name: &name
    description:
      - "Name of the database: lowercase letters, digits and hyphens, starting and ending with a letter or a digit."
      - With O(environment) it makes the container's name, C({name}-{environment}-postgres), of at most 63
        characters.
    type: str
  environment: &environment
    description:
      - Environment that the database belongs to.
    type: str
    choices: [production, staging, development]
  state: &state
    description:
      - "V(started) (the default): the database is there as declared, and serves."
      - "V(present): it is there as declared; a stopped one stays stopped. A new one is started, because it
        can only be initialised that way."
      - "V(stopped) and V(restarted): it is stopped, or has been restarted. Other options are ignored, and
        the database has to exist."
      - "V(paused) and V(resumed): the clients of its pooler wait, while something is done to the server by hand, or
        continue. Nothing else is changed. If a transaction takes longer than C(pause_timeout) of O(pooler), no client
        waits and the task fails. Any other run on the database resumes the clients, too."
      - "V(absent): it is gone. Its data is moved to C(.trash) below O(data_root), unless O(purge) is set."
      - "V(undeleted): what was deleted last under this name is back from the trash, with its data, port, role and
        declaration (but for options that are given), and serves."
    type: str
    choices: [started, present, stopped, restarted, paused, resumed, absent, undeleted]
  version: &version
    description:
      - Tag of the official image C(postgres), such as V(15-alpine), the default when neither this nor O(image) is
        given.
      - Another major version over existing data is refused.
    type: str
  image: &image
    description:
      - Image to use instead of the official one, as C([registry/]repository[:tag][@digest]). It must keep the
        contract of the official image.
      - Excludes O(version).
    type: str
  pull: &pull
    description:
      - "When to pull the image: when it is V(missing) on the host (the default), before every run, or not at all."
      - Whatever others pull under the same tag, a database keeps its image until O(image) or O(version) changes;
        with V(always) it follows the tag.
    type: str
    choices: [missing, always, never]
  backup_root: &backup_root
    description:
      - "Directory on the host that holds one directory of backups for each database. Default:
        C(/var/vellaric/backups)."
      - It holds nothing else, and only root of the host has access to it, as with O(data_root).
    type: path
  port: &port
    description:
      - "Port of the host at which the database is published. Default: the first free one of O(port_range), which the
        database then keeps for life."
    type: int
  port_range: &port_range
    description:
      - "Range to choose a new database's port from, as C(FIRST-LAST). Default: V(5432-6431)."
    type: str
  bind_address: &bind_address
    description:
      - "Address of the host at which the port is published. Default: V(127.0.0.1); V(0.0.0.0) for all addresses."
    type: str
  base_domain: &base_domain
    description:
      - Domain below which the database has a host name, C({container}.db.{base_domain}). Clients are given
        that name, and the server's certificate has it; you have to make it resolve.
    type: str
  address: &address
    description:
      - "Address or name at which clients reach the Docker host. They are given it without O(base_domain)."
      - "Default: O(bind_address), or the host's own name where that is all addresses."
    type: str
  trusted_sources: &trusted_sources
    description:
      - "Networks (such as V(10.0.0.0/8)) and addresses from which the application may connect. Default: from wherever
        the port can be reached. With an empty list, from nowhere."
      - Connections from the Docker host itself come from the gateway of the container's network, such as
        V(172.17.0.1).
    type: list
    elements: str
  networks: &networks
    description:
      - Networks of the engine that the container joins beside its default one, by name. Application containers on them
        reach the database by the name of its container, at port 5432. They must be there, as C(docker network create)
        makes them.
      - Joined and left while the database runs. A network that is not declared is left, whoever joined it.
      - With O(trusted_sources), the containers on these networks may connect too. The Docker host's own address in them
        may where its address in the default network, such as V(172.17.0.1), is a trusted source.
      - Docker before version 28 publishes the port on the network whose name comes first in the alphabet.
        Joining one whose name comes before C(bridge), or leaving it, moves the published port, so that its clients
        have to reconnect. RV(actions) then says V(restart).
    type: list
    elements: str
  network_aliases: &network_aliases
    description:
      - Names under which the containers of O(networks) find the database, beside the name of its container, such as
        V(db), which applications of a container that was taken over know it by. They are in the certificate of the
        host's authority.
      - Where they change, the container leaves the networks and joins them again, so that clients there have to
        reconnect.
    type: list
    elements: str
  sslmode: &sslmode
    description:
      - "What clients are told to use. Default: V(prefer). The server always offers TLS; with V(require) and
        V(verify-full) it also requires it."
    type: str
    choices: [disable, prefer, require, verify-full]
  tls_certificate: &tls_certificate
    description:
      - Certificate for clients instead of one that the CA of the Docker host issues, in PEM, followed by the
        intermediate certificates. It needs O(tls_key). Both are texts, so that they can come from a
        vault; P(ansible.builtin.file#lookup) reads them from files on the controller.
      - "OpenSSL tests it before anything is changed. It is refused if a server or its clients could not use it: a key
        that does not belong to it, a certificate that has expired or is not for servers, a chain that does not lead
        to O(tls_ca), and with O(sslmode=verify-full) one without the name that clients are given. Clients stay
        connected when it changes. If the server does not accept it, the previous one is put back."
      - Where none is declared any more, one of the host's CA takes its place. With O(partial) it stays,
        until another one or an empty text is given.
      - It is not renewed automatically. From 30 days before it expires, each run warns.
    type: str
  tls_key: &tls_key
    description:
      - Private key of O(tls_certificate), in PEM and without a passphrase. It is written to the database's directory,
        readable by the server only, and shown nowhere.
    type: str
  tls_ca: &tls_ca
    description:
      - Certificate, in PEM, of the CA that O(tls_certificate) leads to, with which clients verify the server.
        It is returned as C(ca_certificate).
      - "Default: the one at the end of O(tls_certificate), where that has signed itself. Otherwise clients have to get
        the CA certificate from elsewhere, as for public CAs."
    type: str
  username: &username
    description:
      - Name of the application's role, which owns the database. Needed for a new database, and kept for life.
      - "With C(_a) or C(_b) behind that name, of an existing database: a login role that works as the application's
        role. The two take turns, so that a password is rotated without a login being refused: the new one is for the
        login that is not in use, and the other one expires later (O(login_grace))."
    type: str
  password: &password
    description:
      - "Password of the application's role: at least 12 printable ASCII characters. Needed for a new database. Without
        one, a database that exists keeps its password."
      - It is checked and turned into a SCRAM verifier on the Docker host, never sent to the server, and never
        returned. Let M(vellaric.postgres.postgres_db_credentials) generate and store it.
    type: str
  update_password: &update_password
    description:
      - "V(always) (the default): where the server has another password, it gets the one given."
      - "V(on_create): a new role gets the password. Where the server has another one, the run is refused, which is for
        stored passwords: a person, or a rotation, then decides which of the two is right."
    type: str
    choices: [always, on_create]
  login_grace: &login_grace
    description:
      - "Where two login roles take turns (see O(username)): seconds after which the one that is not in use
        can no longer log in. Its open connections stay. Default: that role keeps its login."
    type: int
  end_sessions: &end_sessions
    description:
      - End all sessions of those roles that a password is given for (O(password), O(users)), once they have it, as
        for example after a leak. Clients with the new password can log in again. Each run with this option does it.
    type: bool
  memory: &memory
    description:
      - "Limit of memory, such as V(512m) or V(2g), at least V(64m). Default: no limit. Changed while the database
        runs."
      - "Less than the server needs with its C(shared_buffers) and C(max_connections) is refused: with the defaults of
        both that is V(204m). O(tune) derives smaller ones."
    type: str
  cpus: &cpus
    description:
      - "Limit of processors, such as V(0.5) or V(2). Default: no limit. Changed while the database runs."
    type: str
  shm_size: &shm_size
    description:
      - "Size of C(/dev/shm), which parallel queries use. Default: V(256m), or with O(tune) what parallel queries may
        need."
    type: str
  read_only: &read_only
    description:
      - Whether the root file system of the container is read-only. The server writes in what is mounted, in C(/tmp) and
        in C(/var/run/postgresql) only.
      - V(false) is for an image whose own scripts have to write elsewhere.
      - "Default: on for a new container. One that an earlier version made is replaced when something else takes a new
        container, too; V(true) replaces it now."
    type: bool
  tune: &tune
    description:
      - "Derive parameters of the server from O(memory), which must then be given, and from O(cpus): C(shared_buffers),
        C(effective_cache_size), C(maintenance_work_mem), C(work_mem), C(max_connections), C(max_wal_size),
        C(min_wal_size), C(wal_buffers) and C(huge_pages); from four processors on also the numbers of parallel
        workers; C(random_page_cost) and C(effective_io_concurrency) for solid state disks; C(jit) is off. O(shm_size)
        is derived too."
      - Each is overridden by O(settings), and by the database's own C(postgresql.conf). What is derived from one that
        O(settings) give follows it.
      - With other limits, other values are derived, some of which take a restart, or for O(shm_size) a new container.
    type: bool
  settings: &settings
    description:
      - "Parameters of the server, such as C(work_mem: 64MB). The image's server checks names and values before
        anything is changed."
      - What is set in C(postgresql.conf) in the database's directory is honoured too, where it is not declared
        here, and returned as C(personal_settings).
      - A parameter that is no longer declared goes back to its default. A change takes a reload or a restart,
        whichever the parameter needs.
    type: dict
  extensions: &extensions
    description:
      - Extensions of the database, by name, such as V(pg_trgm), or as C(NAME=VERSION). A library that one needs at the
        server's start, as V(pg_stat_statements) does, is added to C(shared_preload_libraries), which takes a restart.
      - An extension that is no longer declared is dropped, unless something depends on it. Extensions that were created
        by hand are not changed.
    type: list
    elements: str
  users: &users
    description:
      - Further roles that log in to the database, beside the application's own one. Nobody else may connect.
      - A user that is no longer declared is removed, and what it owned goes to the application's role. Roles that
        were created by hand are not changed.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the user, as of O(username).
        type: str
        required: true
      role:
        description:
          - V(owner) works as the application's role, which owns everything that it creates.
          - V(readwrite) reads, inserts, updates and deletes rows, in all tables, also future ones.
          - V(readonly) reads all tables, also future ones.
        type: str
        choices: [owner, readwrite, readonly]
        required: true
      connection_limit:
        description: "The most connections that it may have at the same time. Default: no limit."
        type: int
      password:
        description: Its password, as O(password). Needed for a new user.
        type: str
      update_password:
        description: As O(update_password), which is the default.
        type: str
        choices: [always, on_create]
  pooler: &pooler
    description:
      - Put a pooler, PgBouncer, before the database, in a container of its own. V(true) for good defaults, or a mapping
        of what follows. Off by default, and removed where it is no longer declared.
      - Clients that connect to its port by the name of the database get a connection of the server's for each
        transaction. By that name and C(_session) they keep one for as long as they stay. Users and passwords are the
        same.
      - C(port) of the host. It is kept for life; the first free one from 6432 by default.
      - C(bind_address), that of the database by default.
      - C(mode), V(transaction) by default, V(session) or V(statement).
      - C(pool_size), the connections to the server for each user, C(server_connections) for all of them, and
        C(session_connections) for all of C(_session). By default, what O(cpus) can use and C(max_connections) has room
        for. More than the server has is refused.
      - C(max_clients), V(1000) by default.
      - C(memory), V(128m) by default.
      - C(settings) of PgBouncer, which tries them before anything is changed.
      - C(pause_timeout), the seconds for which a restart, or what else interrupts the server, waits for transactions to
        end while clients are kept waiting, V(5) by default. A transaction that goes on is left alone, and the run fails
        with who holds it. With V(0), clients are not kept waiting, and lose their connections.
      - C(image), V(vellaric/pgbouncer:trixie) by default, which role P(vellaric.postgres.image#role) builds.
    type: raw
  wait_timeout: &wait_timeout
    description:
      - "Seconds to wait for the server to become ready, and for another run on the same database to end. Default:
        V(120). A container that ends meanwhile is reported at once."
    type: int
  deletion_protection: &deletion_protection
    description:
      - "Refuse O(state=absent). Default: on in production, off elsewhere."
    type: bool
  purge: &purge
    description:
      - With O(state=absent), remove the data instead of moving it to the trash. Backups stay.
    type: bool
  final_backup: &final_backup
    description:
      - With O(state=absent), take a backup first, while the database is still there. It stays with the other backups,
        and is named in RV(final_backup). Where it fails, nothing is deleted.
      - "Default: on in production, off elsewhere."
    type: bool
  trash_days: &trash_days
    description:
      - "With O(state=absent), remove for good what was deleted under this name more than so many days ago. Default: the
        trash is kept."
    type: int
  partial: &partial
    description:
      - Change just the options that are given, and keep the others as the database's record has them. There must be
        such a database.
      - "Default: off, and options that are not given go back to their defaults."
    type: bool
  adopt: &adopt
    description:
      - Take over a container of the database's name that somebody else made (C(docker run), compose, another tool),
        with its data. Without it, such a container is refused. Once it has been taken over, the option means nothing.
      - "It must be running, from an image of the official one's contract, of the same major version and C library as
        O(image) or O(version), and have its data on a volume or in a directory of the host. Its server is stopped; the
        data of a volume is copied, and left there for you to remove, that of a directory is moved where a rename does
        it; a container of ours starts on it. Where that does not serve, the old container comes back. The old container
        is removed at the end, and with it the password in its environment, but no volume of it."
      - "The superuser is called C(postgres) afterwards. O(username) is an ordinary role that owns the database and what
        superusers owned in it, also where the superuser had that name. Where none of its databases is called O(name),
        the only other one is renamed. The port stays the same unless O(port) is given; O(bind_address) and
        O(networks) are as declared. Parameters from its command line have to be declared as O(settings).
        Where there is no such container, and no database of ours, the run is refused."
      - What event triggers call stays the superuser's; event triggers whose function somebody else may replace are
        disabled. Memberships of O(username) that lead to more than a database are ended before it may log in.
      - A container that a supervisor keeps, such as a service of Docker Swarm, is refused, and so is one on whose data
        another container runs.
      - Check mode says all that would be done. A run that was interrupted is finished by the next one that has it.
    type: bool
  max_impact: &max_impact
    description:
      - "The longest interruption that the run may cause: V(none), V(restart) of the server, or V(recreate) of the
        container. Default: V(recreate). What it may not do is returned as RV(pending)."
    type: str
    choices: [none, restart, recreate]
  databases:
    description:
      - Databases to manage in one call, each with the same options; the module's own options are their defaults.
      - One that fails does not stop the others; the task then fails with the results of all.
    type: list
    elements: dict
    suboptions:
      name: *name
      environment: *environment
      state: *state
      version: *version
      image: *image
      pull: *pull
      backup_root: *backup_root
      port: *port
      port_range: *port_range
      bind_address: *bind_address
      base_domain: *base_domain
      address: *address
      trusted_sources: *trusted_sources
      networks: *networks
      network_aliases: *network_aliases
      sslmode: *sslmode
      tls_certificate: *tls_certificate
      tls_key: *tls_key
      tls_ca: *tls_ca
      username: *username
      password: *password
      update_password: *update_password
      login_grace: *login_grace
      end_sessions: *end_sessions
      memory: *memory
      cpus: *cpus
      shm_size: *shm_size
      read_only: *read_only
      tune: *tune
      settings: *settings
      extensions: *extensions
      users: *users
      pooler: *pooler
      wait_timeout: *wait_timeout
      deletion_protection: *deletion_protection
      purge: *purge
      final_backup: *final_backup
      trash_days: *trash_days
      partial: *partial
      adopt: *adopt
      max_impact: *max_impact
  stand_ins:
    description:
      - Where the official image of a O(version) is not on the host, and its stand-in is, which role
        P(vellaric.postgres.image#role) builds of Debian's packages, that one is taken.
    type: bool
    default: false
  images_required:
    description:
      - Change nothing, and fail with RV(images_missing), where the official image of a database is not on the host and
        would have to be pulled. M(vellaric.postgres.postgres_db_image) pulls with the host's logins, and says which
        stand-in can be built.
      - It means nothing in check mode, which tells that an image would be pulled.
    type: bool
    default: false
seealso:
  - module: vellaric.postgres.postgres_db_credentials
  - module: vellaric.postgres.postgres_db_image
  - module: vellaric.postgres.postgres_db_info
"""

EXAMPLES = r"""
- name: Resolve the credentials, or generate them, and store them encrypted
  vellaric.postgres.postgres_db_credentials:
    path: "{{ inventory_dir }}/host_vars/{{ inventory_hostname }}/postgres_credentials.yml"
    name: my-database
    environment: production

- name: Read them back
  ansible.builtin.include_vars:
    file: "{{ inventory_dir }}/host_vars/{{ inventory_hostname }}/postgres_credentials.yml"

- name: Create the database
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    username: "{{ postgres_credentials['my-database-production-postgres'].username }}"
    password: "{{ postgres_credentials['my-database-production-postgres'].password }}"
    sslmode: require
    bind_address: 0.0.0.0
    trusted_sources:
      - 10.0.0.0/8
    memory: 2g
    tune: true
    settings:
      work_mem: 64MB

- name: Give it more memory, and leave everything else as it is
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    memory: 4g
    partial: true

- name: Show a certificate of the organisation's own to its clients
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    address: db.example.com
    sslmode: verify-full
    tls_certificate: "{{ lookup('ansible.builtin.file', 'db.example.com.crt') }}"
    tls_key: "{{ vaulted_tls_key }}"
    tls_ca: "{{ lookup('ansible.builtin.file', 'example-ca.crt') }}"
    partial: true

- name: Let containers on network shop reach it by the name of its container
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    networks:
      - shop
    partial: true

- name: Let a report read it
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    partial: true
    users:
      - name: reporting
        role: readonly
        connection_limit: 5
        password: "{{ reporting_password }}"

- name: Stop two databases
  vellaric.postgres.postgres_db:
    environment: development
    state: stopped
    databases:
      - name: shop
      - name: forum

- name: Bring back what was deleted last
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    state: undeleted

- name: Take over a container that compose made, with its data
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    image: postgres:15
    username: "{{ postgres_credentials['my-database-production-postgres'].username }}"
    password: "{{ postgres_credentials['my-database-production-postgres'].password }}"
    adopt: true

- name: Delete a database, keeping its data in the trash
  vellaric.postgres.postgres_db:
    name: my-database
    environment: production
    state: absent
    deletion_protection: false
"""

RETURN = r"""
actions:
  description: What was done, in order; in check mode, what would be done.
  type: list
  elements: dict
  returned: without O(databases)
  contains: &actions
    verb:
      description: The kind of step.
      type: str
      returned: always
      sample: create
    summary:
      description: The step in words.
      type: str
      returned: always
      sample: create container my-database-production-postgres and initialise the data directory
    impact:
      description: What the step does to those who use the database, V(none), V(restart) or V(recreate).
      type: str
      returned: always
      sample: none
final_backup:
  description:
    - The backup that was taken before the database was deleted, as M(vellaric.postgres.postgres_db_backup) returns it.
      V(null) where none was.
  type: dict
  returned: when one database is declared
  sample: null
nothing_made:
  description:
    - Those databases, by the names of their containers, that could not be made, and that have never served. Credentials
      that were stored for just this run are of no use.
  type: list
  elements: str
  returned: failure
  sample: [my-database-production-postgres]
pending:
  description: What O(max_impact) held back; M(vellaric.postgres.postgres_db_info) shows it, too.
  type: list
  elements: dict
  returned: without O(databases)
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
      description: What the step does to those who use the database, V(restart) or V(recreate).
      type: str
      returned: always
      sample: restart
    reason:
      description: Why it takes this impact.
      type: str
      returned: always
      sample: it reads max_connections only when it starts
interruption_seconds:
  description: Seconds for which a server that served did not, because of this run.
  type: float
  returned: without O(databases)
  sample: 1.21
clients_waited_seconds:
  description:
    - Seconds for which the clients of the pooler waited, because of this run. They saw no error of it.
  type: float
  returned: without O(databases)
  sample: 1.4
clients_cut:
  description:
    - Clients of the pooler that lost their connection, because of this run, of those that keep one of the server's.
  type: int
  returned: without O(databases)
  sample: 0
container_name:
  description: Name of the container.
  type: str
  returned: without O(databases)
  sample: my-database-production-postgres
database:
  description: The database; V(null) where it is gone.
  type: dict
  returned: without O(databases)
  contains:
    id:
      description: Identity, given once and kept for life. V(null) where check mode predicts it.
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
      description: Whether O(state=absent) is refused.
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
databases:
  description:
    - What became of each of the O(databases), in their order, with the keys that are returned for a single one, and
      RV(databases[].changed).
  type: list
  elements: dict
  returned: when O(databases) is given
  contains:
    changed:
      description: Whether it was changed.
      type: bool
      returned: always
    error:
      description: What went wrong with this one.
      type: str
      returned: when it failed
undeclared:
  description: Container names of the databases on the host that are not among the O(databases). They are left alone.
  type: list
  elements: str
  returned: when O(databases) is given
  sample: [forum-production-postgres]
images_missing:
  description: The official images that are not on the host.
  type: list
  elements: str
  returned: when it failed for that
  sample: ["postgres:15-alpine"]
log:
  description: Last lines of the container's log.
  type: list
  elements: str
  returned: when a server did not become ready
"""

import gc

# A run is short, and what it makes stays until its end: to look for garbage meanwhile is a twentieth of its time.
gc.disable()

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db import main

if __name__ == "__main__":
    main()
