# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that are written for PgBouncer, with each version that Debian has: what they promise holds."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import time

import psycopg
import pytest
from harness import PASSWORD, THOROUGH, USERNAME, docker, eventually

PARTS = "ansible_collections.vellaric.postgres.plugins.module_utils."
pgbouncer = importlib.import_module(PARTS + "_domain.pgbouncer")
pooler = importlib.import_module(PARTS + "_domain.pooler")
console = importlib.import_module(PARTS + "_server.console")
wire = importlib.import_module(PARTS + "_server.wire")
DEFAULTS = pooler.PoolerSpec()
# The image of each Debian release, which `tests/lab/up --poolers` builds.
SUITES = ("bookworm", "trixie", "forky")
pytestmark = pytest.mark.skipif(not THOROUGH, reason="test_pooler tries each time what a run makes of them")
UID = 996
LOGINS = (
    "SELECT rolname || '|' || rolpassword || '|' || coalesce(rolvaliduntil < now(), false) FROM pg_authid"
    " WHERE rolcanlogin AND NOT rolsuper AND rolpassword IS NOT NULL"
)


class Pooled:
    """A database, and a pooler that was started by hand with the files as we write them."""

    def __init__(self, host, network, suite):
        self.host, self.network = host, network
        self.container = f"{host.prefix}-{suite}-pool"
        self.image = f"vellaric/pgbouncer:{suite}"
        told = json.loads(docker("image", "inspect", self.image))[0]["Config"]["Env"]
        self.version = pgbouncer.version(
            next(line.partition("=")[2] for line in told if line.startswith("PGBOUNCER_VERSION=")), self.image
        )
        self.files = f"{host.root}/{suite}"
        self.port = host.ports[1] - SUITES.index(suite)

    def write(self, spec=DEFAULTS, authority=None):
        for directory in ("conf", "tls"):
            os.makedirs(f"{self.files}/{directory}", exist_ok=True)
        server = pgbouncer.Server(self.host.container("shop"), 5432, "verify-full")
        sizes = pooler.sizes(spec, None, 100, 3)
        name = self.host.name("shop")
        ini = pgbouncer.ini(self.container, name, spec, sizes, server, "require", self.version)
        rows = [line.split("|") for line in self.host.psql("shop", LOGINS).splitlines()]
        logins = [pgbouncer.Login(role, verifier, expired == "true") for role, verifier, expired in rows]
        own = self.host.directory("shop") / "tls"
        contents = {
            f"conf/{pgbouncer.INI}": ini,
            f"conf/{pgbouncer.HBA_FILE}": pgbouncer.hba_conf(self.container, "require", ["0.0.0.0/0", "::/0"], []),
            f"conf/{pgbouncer.AUTH_FILE}": pgbouncer.auth_file(logins, self.who_may_log_in()),
            "tls/server.crt": (own / "server.crt").read_text(),
            "tls/server.key": (own / "server.key").read_text(),
            "tls/server-ca.crt": authority or (own / "ca.crt").read_text(),
        }
        for path, content in contents.items():
            # A new file each time: in one that was written in the same second, and is as long, RELOAD sees no change.
            with open(f"{self.files}/{path}.new", "w") as stream:
                os.fchmod(stream.fileno(), 0o600)
                os.fchown(stream.fileno(), UID, UID)
                stream.write(content)
            os.rename(f"{self.files}/{path}.new", f"{self.files}/{path}")

    def who_may_log_in(self):
        path = f"{self.files}/conf/{pgbouncer.AUTH_FILE}"
        return open(path).read() if os.path.exists(path) else ""

    def start(self):
        docker(
            *("run", "-d", "--name", self.container, f"--network={self.network}"),
            *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
            f"--publish=127.0.0.1:{self.port}:{pgbouncer.PORT}",
            f"--tmpfs={pgbouncer.SOCKET_MOUNT}:uid={UID},gid={UID},mode=0700",
            f"--volume={self.files}/conf:{pgbouncer.CONFIG_MOUNT}:ro",
            f"--volume={self.files}/tls:{pgbouncer.TLS_MOUNT}:ro",
            self.image,
        )

    def console(self, command, seconds=5):
        facts = json.loads(docker("inspect", self.container))[0]
        return console.run(facts["State"]["Pid"], facts["Id"], UID, UID, command, seconds)

    def logs(self):
        told = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, check=True)
        return told.stdout + told.stderr

    def connect(self, session=False, **options):
        name = self.host.name("shop")
        parameters = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": USERNAME,
            "password": PASSWORD,
            "dbname": pgbouncer.session_name(name) if session else name,
            "connect_timeout": 10,
            "autocommit": True,
            "sslmode": "verify-ca",
            "sslrootcert": f"{self.host.directory('shop')}/tls/ca.crt",
        }
        return psycopg.connect(**{**parameters, **options})

    def answers(self):
        with contextlib.suppress(psycopg.OperationalError), self.connect() as client:
            return client.execute("SELECT 1").fetchone() == (1,)
        return False


@pytest.fixture(scope="module")
def network(shared):
    name = f"pool-{shared.prefix}"
    docker("network", "create", name)
    yield name
    for container in shared.containers():
        docker("rm", "-fv", container)
    docker("network", "rm", name)


@pytest.fixture(scope="module")
def database(shared, network):
    shared.run("shop", networks=[network], users=[{"name": "reporting", "role": "readonly", "password": PASSWORD}])
    return shared


@pytest.fixture(scope="module", params=SUITES)
def pooled(request, database, network):
    pooled = Pooled(database, network, request.param)
    pooled.write()
    pooled.start()
    try:
        eventually(pooled.answers, 30)
    except AssertionError as error:
        raise AssertionError(pooled.logs()) from error
    yield pooled
    docker("rm", "-fv", pooled.container)
    shutil.rmtree(pooled.files)


def test_both_names_serve_over_tls_with_the_servers_verifiers(pooled):
    with pooled.connect() as client:
        assert client.pgconn.ssl_in_use
        assert client.execute("SELECT current_user, current_database()").fetchone() == (
            USERNAME,
            pooled.host.name("shop"),
        )
    with pooled.connect(session=True) as client:
        client.execute("SET application_name = 'mine'")
        assert client.execute("SHOW application_name").fetchone() == ("mine",)
    with pooled.connect(user="reporting") as client:
        assert client.execute("SELECT current_user").fetchone() == ("reporting",)
    over_tls = f"SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '{USERNAME}'"
    assert pooled.host.psql("shop", over_tls).strip() == "t"


@pytest.mark.parametrize(
    "options", [{"password": "wrong-password"}, {"user": "nobody"}, {"sslmode": "disable"}, {"user": "postgres"}]
)
def test_nobody_else_is_let_in(pooled, options):
    with pytest.raises(psycopg.OperationalError):
        pooled.connect(**options)


def test_named_prepared_statements_as_the_version_has_them(pooled):
    if not pooled.version.prepares_statements:
        pytest.skip("it has none, as version.prepares_statements says")
    for _turn in range(3):
        with pooled.connect(prepare_threshold=0) as client:
            assert client.execute("SELECT %s::int + 1", (41,)).fetchone() == (42,)
            assert client.execute("SELECT %s::int + 1", (41,)).fetchone() == (42,)


def test_a_user_that_was_dropped_is_let_in_no_more(pooled):
    """1.26 goes on letting in who is not named any more."""
    renamed = "ALTER ROLE {} RENAME TO {}"
    try:
        pooled.host.psql("shop", renamed.format("reporting", "elsewhere"))
        pooled.write()
        pooled.console("RELOAD")
        with pytest.raises(psycopg.OperationalError):
            pooled.connect(user="reporting")
    finally:
        pooled.host.psql("shop", renamed.format("elsewhere", "reporting"))
        pooled.write()
        pooled.console("RELOAD")
    with pooled.connect(user="reporting") as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_user_that_expired_is_let_in_no_more(pooled):
    until = "ALTER ROLE reporting VALID UNTIL "
    try:
        pooled.host.psql("shop", until + "'2001-01-01'")
        pooled.write()
        pooled.console("RELOAD")
        with pytest.raises(psycopg.OperationalError):
            pooled.connect(user="reporting")
    finally:
        pooled.host.psql("shop", until + "'infinity'")
        pooled.write()
        pooled.console("RELOAD")
    with pooled.connect(user="reporting") as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_changed_password_is_the_only_one(pooled):
    """The old one is refused with warm connections to the server, too."""
    change = "ALTER ROLE reporting PASSWORD '{}'"
    with pooled.connect(user="reporting") as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
    try:
        pooled.host.psql("shop", change.format("another-password"))
        pooled.write()
        pooled.console("RELOAD")
        with pytest.raises(psycopg.OperationalError):
            pooled.connect(user="reporting")
        with pooled.connect(user="reporting", password="another-password") as client:
            assert client.execute("SELECT current_user").fetchone() == ("reporting",)
    finally:
        pooled.host.psql("shop", change.format(PASSWORD))
        pooled.write()
        pooled.console("RELOAD")


def test_the_server_is_back_with_nothing_but_verifiers(pooled):
    """The keys that a client's login gave it outlive the connections: 1.25.1 and 1.25.2 have lost them there."""
    with pooled.connect() as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
        pooled.console("PAUSE")
        docker("restart", pooled.host.container("shop"))
        pooled.console("RESUME")
        assert client.execute("SELECT 2").fetchone() == (2,)


def test_a_server_that_another_authority_vouches_for_is_not_used(pooled, tmp_path):
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-days", "2"]
    subprocess.run(
        [*request, "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")], check=True, capture_output=True
    )
    try:
        pooled.write(
            spec=pooler.PoolerSpec(settings={"query_wait_timeout": "3"}), authority=(tmp_path / "crt").read_text()
        )
        pooled.console("RELOAD")
        pooled.console("RECONNECT")
        eventually(lambda: not pooled.answers(), 20)
        assert "certificate verify failed" in pooled.logs()
    finally:
        pooled.write()
        pooled.console("RELOAD")
        pooled.console("RECONNECT")
    eventually(pooled.answers, 20)


def test_the_console_answers_and_says_what_it_refuses(pooled):
    (version,) = pooled.console("SHOW VERSION")
    assert pgbouncer.version(version["version"], "it") == pooled.version
    names = {row["name"]: row for row in pooled.console("SHOW DATABASES")}
    name = pooled.host.name("shop")
    assert names[name]["pool_mode"] == "transaction" and names[f"{name}_session"]["pool_mode"] == "session"
    with pytest.raises(wire.Rejected, match="not paused"):
        pooled.console("RESUME")


def test_a_pause_that_was_given_up_is_in_force_until_somebody_resumes(pooled):
    name = pooled.host.name("shop")
    quoted = f'"{name}"'
    with pooled.connect() as client:
        client.execute("BEGIN")
        client.execute("SELECT 1")
        with pytest.raises(TimeoutError):
            pooled.console(f"PAUSE {quoted}", 1)
        assert {row["name"]: row["paused"] for row in pooled.console("SHOW DATABASES")}[name] == "1"
        client.execute("COMMIT")
    pooled.console(f"RESUME {quoted}")
    assert pooled.answers()


def test_it_stops_soon_and_not_by_force_with_an_idle_client(pooled):
    with pooled.connect() as client:
        client.execute("SELECT 1")
        begin = time.monotonic()
        docker("stop", "-t", "30", pooled.container)
        assert time.monotonic() - begin < 10
        state = json.loads(docker("inspect", pooled.container))[0]["State"]
        assert state["ExitCode"] == 0, state
