# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect to a database, and what nobody gets to see: the password, and what stands for it."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
from harness import IMAGE, PASSWORD, USERNAME, derived_image, docker, playbook, verbs

SECRET = "S3cret-of-this-test_only"


@pytest.fixture(scope="module")
def database(shared):
    shared.run("a", sslmode="require")
    return "a"


@pytest.fixture(scope="module")
def stranger(shared, database):
    """Another role that may log in, as a superuser might make one."""
    shared.psql(database, f"CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")
    return "stranger"


def refused(shared, database, **options):
    with pytest.raises(psycopg.OperationalError) as failure:
        shared.connect(database, **options)
    return str(failure.value)


@pytest.mark.parametrize("sslmode", ["require", "verify-full"])
def test_no_login_without_tls_where_it_is_required(shared, database, sslmode):
    shared.run(database, sslmode=sslmode)
    assert "no encryption" in refused(shared, database, sslmode="disable")
    assert shared.query(database, "SELECT 1", sslmode="require") == [(1,)]


def test_no_login_without_tls_from_psql(shared, database):
    """The same with psql, a client that shares nothing with us."""
    target = f"host=127.0.0.1 port={shared.record(database)['port']} dbname={shared.name(database)} user={USERNAME}"

    client = ["docker", "run", "--rm", "--network=host", "--env=PGPASSWORD", "--entrypoint=psql", IMAGE]

    def psql(sslmode):
        return subprocess.run(
            [*client, "-XAtc", "SELECT 1", f"{target} sslmode={sslmode}"],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )

    assert psql("require").stdout.strip() == "1"
    answer = psql("disable")
    assert answer.returncode == 2 and "no pg_hba.conf entry" in answer.stderr


def test_verify_full_with_the_authority_of_the_host(shared, database):
    row = shared.one(database)
    options = {"sslmode": "verify-full", "sslrootcert": row["ca_file"]}
    assert shared.query(database, "SELECT 1", **options) == [(1,)]
    assert shared.query(database, "SELECT 1", host="localhost", **options) == [(1,)]
    assert "does not match host name" in refused(shared, database, host="evil.example", hostaddr="127.0.0.1", **options)
    ours = refused(shared, database, sslmode="verify-full", sslrootcert="/etc/ssl/certs/ca-certificates.crt")
    assert "certificate verify failed" in ours or "does not exist" in ours


def test_tls_is_of_today(shared, database):
    version = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert shared.query(database, version)[0][0] in ("TLSv1.2", "TLSv1.3")
    assert shared.psql(database, "SHOW ssl_min_protocol_version") == "TLSv1.2"


@pytest.mark.parametrize("dbname", ["postgres", "template1", None])
def test_the_superuser_cannot_log_in_over_tcp(shared, database, dbname):
    dbname = dbname or shared.name(database)
    assert "no pg_hba.conf entry" in refused(shared, database, user="postgres", dbname=dbname, password="")
    assert "no pg_hba.conf entry" in refused(shared, database, user="postgres", dbname=dbname)


def test_the_superuser_cannot_log_in_over_tcp_inside_the_container(shared, database):
    command = ["psql", "-w", "-U", "postgres", "-d", "postgres", "-c", "SELECT 1"]
    inside = ["docker", "exec", "-u", "postgres", shared.container(database), *command]
    for address in ("127.0.0.1", shared.container(database)):
        answer = subprocess.run([*inside, "-h", address], capture_output=True, text=True, check=False)
        assert answer.returncode != 0 and "no pg_hba.conf entry" in answer.stderr, answer
    # The socket is for the operating system's user of the same name, and for root, who can become that user.
    other = ["docker", "exec", "-u", "nobody", shared.container(database), *command]
    answer = subprocess.run(other, capture_output=True, text=True, check=False)
    assert answer.returncode != 0 and "Peer authentication failed" in answer.stderr


def test_the_superuser_has_no_password(shared, database):
    assert shared.psql(database, "SELECT rolname, rolpassword IS NULL FROM pg_authid WHERE rolsuper") == "postgres|t"


def test_the_application_role_is_an_ordinary_owner(shared, database):
    flags = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
    assert shared.psql(database, f"SELECT {flags} FROM pg_roles WHERE rolname = '{USERNAME}'") == "f"
    owner = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{shared.name(database)}'"
    assert shared.psql(database, owner) == USERNAME
    verifier = shared.psql(database, f"SELECT rolpassword FROM pg_authid WHERE rolname = '{USERNAME}'")
    assert verifier.startswith("SCRAM-SHA-256$4096:")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shared.query(database, "COPY (SELECT 1) TO PROGRAM 'id'")
    for other in ("postgres", "template1"):
        assert "no pg_hba.conf entry" in refused(shared, database, dbname=other)
    shared.query(database, "CREATE SCHEMA s; CREATE TABLE s.t (i int); DROP SCHEMA s CASCADE")


def test_nobody_else_may_connect(shared, database, stranger):
    assert "no pg_hba.conf entry" in refused(shared, database, user=stranger)
    # Even where pg_hba.conf let it in, the database would not.
    may = f"SELECT has_database_privilege('{stranger}', '{shared.name(database)}', 'CONNECT')"
    assert shared.psql(database, may) == "f"


def test_access_changed_by_hand_is_put_right(shared, database, stranger):
    name = shared.name(database)
    shared.psql(database, f'GRANT CONNECT ON DATABASE "{name}" TO PUBLIC')
    shared.psql(database, f"ALTER ROLE {USERNAME} SUPERUSER")
    shared.psql(database, "ALTER ROLE postgres PASSWORD 'easy'")
    answer = shared.converge(database, sslmode="verify-full")
    assert [step["verb"] for step in answer["actions"]] == ["role", "restrict", "lock_superuser", "prove_login"]
    test_nobody_else_may_connect(shared, database, stranger)
    test_the_superuser_has_no_password(shared, database)
    test_the_application_role_is_an_ordinary_owner(shared, database)


@pytest.mark.parametrize("privilege", ["CREATE", "CONNECT", "TEMPORARY"])
def test_what_everybody_may_do_with_the_database_is_taken_back(shared, database, privilege):
    shared.psql(database, f'GRANT {privilege} ON DATABASE "{shared.name(database)}" TO PUBLIC')
    assert verbs(shared.converge(database, sslmode="verify-full")) == ["restrict"]


def test_a_password_of_printable_characters_works_and_leaves_nothing(host):
    odd = "a'b\"c\\d$e`f%g#h;i&j"
    host.run("a", password=odd)
    assert host.query("a", "SELECT 1", password=odd) == [(1,)]


class Watcher(threading.Thread):
    """Reads the command lines of all processes until it is stopped, as ps shows them to everybody."""

    def __init__(self, secret):
        super().__init__(daemon=True)
        self.secret, self.found, self.looks, self.stopped = secret.encode(), set(), 0, threading.Event()

    def run(self):
        while not self.stopped.wait(0.01):
            self.looks += 1
            for process in filter(str.isdigit, os.listdir("/proc")):
                try:
                    line = Path("/proc", process, "cmdline").read_bytes()
                except OSError:
                    continue
                if self.secret in line:
                    self.found.add(line)


def below(directory):
    for path in Path(directory).rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def test_the_password_is_nowhere_to_be_seen(host, image_tag):
    # A server that logs all statements, which is what a curious person would turn on.
    settings = {"log_statement": "all", "log_min_duration_statement": 0, "log_connections": True}
    derived_image(image_tag)
    outputs = []
    watcher = Watcher(SECRET)
    watcher.start()
    for options in ({}, {"image": image_tag}, {"password": SECRET + "2"}):
        arguments = host.arguments("a", **{"password": SECRET, "settings": settings, **options})
        ours = {key: value for key, value in arguments.items() if not key.startswith("_")}
        answer, output = playbook(host, "vellaric.postgres.postgres_db", ours, "-vvv", "--diff")
        assert answer["changed"]
        outputs += [output, str(answer), docker("inspect", host.container("a")), docker("logs", host.container("a"))]
    outputs.append(str(playbook(host, "vellaric.postgres.postgres_db_info", {"data_root": host.data_root}, "-vvv")))
    watcher.stopped.set()
    watcher.join()
    assert watcher.looks > 10 and not watcher.found
    environment = docker("inspect", "-f", "{{json .Config.Env}}", host.container("a"))
    bootstrap = next(e for e in environment.strip("[]").split('","') if "POSTGRES_PASSWORD=" in e).partition("=")[2]
    logged = subprocess.run(["docker", "logs", host.container("a")], capture_output=True, text=True, check=True)
    outputs += [logged.stdout, logged.stderr]
    assert "statement: " in logged.stderr
    verifier = host.psql("a", f"SELECT rolpassword FROM pg_authid WHERE rolname = '{USERNAME}'")
    for output in outputs:
        assert SECRET not in output
        assert verifier not in output and "SCRAM-SHA-256$" not in output
    # The bootstrap password is in the environment, and opens nothing.
    assert bootstrap and "no pg_hba.conf entry" in refused(host, "a", user="postgres", password=bootstrap.strip('"'))
    for root in (host.data_root, host.defaults["backup_root"]):
        assert not [path for path in below(root) if SECRET.encode() in path.read_bytes()]
    # The verifier is in the server's own files, which nobody else can read.
    holding = [path for path in below(host.data_root) if b"SCRAM-SHA-256$" in path.read_bytes()]
    assert all(host.directory("a") / "pgdata" in path.parents for path in holding)
    assert host.query("a", "SELECT 1", password=SECRET + "2") == [(1,)]


def test_the_owner_cannot_slip_functions_under_the_superuser(host):
    """A search path of the database's puts the owner's functions before the server's: the superuser calls none."""
    host.run("a")
    host.query("a", "CREATE TABLE called (by name, what text)")
    shadows = {"obj_description": "oid, name", "format": "text, VARIADIC text[]", "starts_with": "text, text"}
    for name, arguments in shadows.items():
        host.query(
            "a",
            f"CREATE FUNCTION public.{name}({arguments}) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
            f" INSERT INTO public.called VALUES (current_user, '{name}'); RETURN NULL; END $$",
        )
    host.query("a", f'ALTER DATABASE "{host.name("a")}" SET search_path = public, pg_catalog')
    assert host.query("a", "SELECT obj_description(1, 'pg_class'), (SELECT count(*) FROM called)") == [(None, 0)]
    host.query("a", "TRUNCATE called")
    users = [{"name": "reporting", "role": "readonly", "password": PASSWORD}]
    host.converge("a", users=users, extensions=["pg_stat_statements"])
    host.converge("a", users=[], extensions=[])
    gather = ["statistics", "settings", "sizes", "queries", "activity", "replication", "backups", "tls", "findings"]
    (one,) = host.info(name=host.name("a"), gather=gather)
    assert one["statistics"]["connections"] >= 0
    place = {"name": host.name("a"), "environment": host.environment, "data_root": host.data_root}
    assert host._result("postgres_db_backup", place)["backup"]["checked"]
    assert host.query("a", "TABLE called") == []
