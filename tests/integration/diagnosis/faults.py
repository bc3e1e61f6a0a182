# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of databases: how each is caused on a real one, and what a diagnosis has to name. The table in docs/ has them.

A fault is a context manager that takes the place (see Place), and puts everything back at its end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
from ansible_collections.vellaric.postgres.plugins.module_utils._host import tls
from cryptography import x509

DOMAIN = "db.example.com"
FEW_CONNECTIONS = 12
SETTINGS = {"max_connections": FEW_CONNECTIONS, "work_mem": "8MB", "autovacuum": "off"}
# Of what a database has that the faults are caused in.
DECLARED = {"settings": SETTINGS, "address": DOMAIN, "sslmode": "verify-full", "memory": "256m"}


class Place:
    """The database `short` of a host. ask: options for the module that belong to the fault."""

    def __init__(self, host: harness.Host, short: str) -> None:
        self.host = host
        self.short = short
        self.ask: dict[str, Any] = {}

    @property
    def container(self) -> str:
        return self.host.container(self.short)

    @property
    def directory(self) -> Path:
        return self.host.directory(self.short)

    @property
    def data(self) -> Path:
        return next(self.directory.glob("pgdata/*/docker"))

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.host.psql(self.short, statement)

    def declare(self, **options: Any) -> dict[str, Any]:
        return self.host.run(self.short, **{**DECLARED, **options})

    def diagnose(self, **options: Any) -> dict[str, Any]:
        given = {
            "name": self.host.name(self.short),
            "environment": self.host.environment,
            "data_root": self.host.data_root,
            "backup_root": self.host.defaults["backup_root"],
            "password": harness.PASSWORD,
            **self.ask,
            **options,
        }
        given = {key: value for key, value in given.items() if value is not None}
        return self.host._result("postgres_db_diagnosis", given)

    def serves(self) -> bool:
        try:
            return self.host.query(self.short, "SELECT 1") == [(1,)]
        except harness.psycopg.Error:
            return False


Cause = Callable[[Place], "contextlib.AbstractContextManager[None]"]


@dataclasses.dataclass(frozen=True)
class Fault:
    """symptom: a heading of docs/troubleshooting.md; caused: in words; check, state: what has to be named first; mend:
    a part of the command that has to be told; often: whether it is caused in every run of the tests."""

    name: str
    symptom: str
    caused: str
    check: str
    state: str
    mend: str
    cause: Cause
    often: bool


FAULTS: dict[str, Fault] = {}


@dataclasses.dataclass(frozen=True)
class OnHost:
    """A fault of a whole host, which test_diagnose_hosts.py causes on one of its own."""

    symptom: str
    caused: str
    check: str
    mend: str


NO_ENGINE = OnHost("The engine is broken", "the host has none", "engine", "vellaric.postgres.prepare")
STOPPED_ENGINE = OnHost("The engine is broken", "it was stopped", "engine", "systemctl start docker")
BROKEN_ENGINE = OnHost("The engine is broken", "its `daemon.json` is damaged", "engine", "journalctl -u docker")
UNKNOWN_NAME = OnHost("Connections are refused", "clients do not know the name", "client_reach", "getent hosts")
FIREWALL = OnHost("Connections are refused", "a firewall drops what clients send", "client_reach", "nc -zv")
ON_HOSTS = (NO_ENGINE, STOPPED_ENGINE, BROKEN_ENGINE, UNKNOWN_NAME, FIREWALL)


def fault(
    symptom: str, caused: str, check: str, mend: str, state: str = "fails", often: bool = False
) -> Callable[[Callable[[Place], Iterator[None]]], Cause]:
    def register(function: Callable[[Place], Iterator[None]]) -> Cause:
        cause = contextlib.contextmanager(function)
        FAULTS[function.__name__] = Fault(function.__name__, symptom, caused, check, state, mend, cause, often)
        return cause

    return register


def up(place: Place) -> None:
    """Bring it back to what is declared, and wait until it serves."""
    place.declare()
    harness.eventually(place.serves, 60)


# It will not start


@fault("It will not start", "somebody has stopped it", "container", "playbook vellaric.postgres.start", often=True)
def stopped(place: Place) -> Iterator[None]:
    harness.docker("stop", place.container)
    yield
    harness.docker("start", place.container)


@fault("It will not start", "its process was killed", "container", "vellaric.postgres.start")
def killed(place: Place) -> Iterator[None]:
    harness.docker("kill", place.container)
    yield
    harness.docker("start", place.container)


@fault("It will not start", "`docker pause`", "container", "docker unpause")
def paused(place: Place) -> Iterator[None]:
    harness.docker("pause", place.container)
    yield
    harness.docker("unpause", place.container)


@fault("It will not start", "the server hangs (SIGSTOP)", "answers", "vellaric.postgres.restart")
def hung(place: Place) -> Iterator[None]:
    harness.docker("kill", "-s", "STOP", place.container)
    place.ask = {"timeout": 2}
    try:
        yield
    finally:
        harness.docker("kill", "-s", "CONT", place.container)


@fault("It will not start", "its container was removed", "container", "vellaric.postgres.create")
def removed(place: Place) -> Iterator[None]:
    harness.docker("rm", "-f", place.container)
    yield


def _loops(place: Place) -> None:
    harness.docker("restart", "-t", "5", place.container)
    harness.eventually(lambda: harness.inspect(place.container)["State"]["Status"] == "restarting", 60)


@fault("It will not start", "a parameter that there is not, in a file of one's own", "settings", "mend", often=True)
def wrong_parameter(place: Place) -> Iterator[None]:
    (place.directory / "postgresql.conf").write_text("no_such_parameter = 1\n")
    _loops(place)
    yield
    (place.directory / "postgresql.conf").unlink()


@fault("It will not start", "`ALTER SYSTEM` with a library that there is not", "settings", "postgresql.auto.conf")
def altered(place: Place) -> Iterator[None]:
    file = place.data / "postgresql.auto.conf"
    kept = file.read_text()
    place.sql("ALTER SYSTEM SET shared_preload_libraries = 'no_such_library'")
    _loops(place)
    yield
    file.write_text(kept)


@fault("It will not start", "its data directory has another owner", "data", "chown -R")
def foreign_owner(place: Place) -> Iterator[None]:
    harness.docker("stop", place.container)
    owner = place.data.stat()
    # The image's entrypoint puts back what it may: it may not, where the mount says no.
    os.chown(place.data, 12345, 12345)
    yield
    os.chown(place.data, owner.st_uid, owner.st_gid)
    harness.docker("start", place.container)


@fault("It will not start", "the disk of its data is not mounted", "data", "mount")
def data_gone(place: Place) -> Iterator[None]:
    harness.docker("stop", place.container)
    (place.directory / "pgdata").rename(place.directory / "elsewhere")
    subprocess.run(["docker", "start", place.container], capture_output=True, check=False)
    yield
    (place.directory / "elsewhere").rename(place.directory / "pgdata")
    harness.docker("start", place.container)


@fault("It will not start", "a file of the server's is gone (`global/pg_control`)", "data", "vellaric.postgres.restore")
def damaged_data(place: Place) -> Iterator[None]:
    harness.docker("stop", place.container)
    control = place.data / "global/pg_control"
    control.rename(place.data / "kept")
    subprocess.run(["docker", "start", place.container], capture_output=True, check=False)
    harness.eventually(lambda: harness.inspect(place.container)["RestartCount"] > 0, 60)
    yield
    (place.data / "kept").rename(control)


@fault("It will not start", "its record is damaged", "known", "database.json")
def damaged_record(place: Place) -> Iterator[None]:
    record = place.directory / "database.json"
    kept = record.read_text()
    record.write_text("{")
    yield
    record.write_text(kept)


# Port in use


@fault("Its port is in use", "another process listens on it", "port", "end process")
def port_taken(place: Place) -> Iterator[None]:
    harness.docker("stop", place.container)
    with harness.listener(place.host.record(place.short)["port"]):
        subprocess.run(["docker", "start", place.container], capture_output=True, check=False)
        yield
    harness.docker("start", place.container)


@fault("Its port is in use", "another process had taken it when it was to start", "port", "vellaric.postgres.start")
def port_was_taken(place: Place) -> Iterator[None]:
    harness.docker("stop", place.container)
    with harness.listener(place.host.record(place.short)["port"]):
        subprocess.run(["docker", "start", place.container], capture_output=True, check=False)
    yield
    harness.docker("start", place.container)


# Connections are refused


@fault("Connections are refused", "`ALTER SYSTEM SET listen_addresses`", "reach", "vellaric.postgres.create")
def listens_elsewhere(place: Place) -> Iterator[None]:
    place.sql("ALTER SYSTEM SET listen_addresses = '127.0.0.1'")
    harness.docker("restart", place.container)
    harness.eventually(lambda: "1" in _psql(place, "SELECT 1"), 30)
    yield
    place.sql("ALTER SYSTEM RESET listen_addresses")
    harness.docker("restart", place.container)


def _psql(place: Place, statement: str) -> str:
    return harness.docker("exec", "-u", "postgres", place.container, "psql", "-XAtqc", statement, check=False)


@fault("Connections are refused", "all connections are taken", "slots", "max_connections", often=True)
def no_free_connection(place: Place) -> Iterator[None]:
    with contextlib.ExitStack() as open_ones:
        with contextlib.suppress(harness.psycopg.OperationalError):
            for _turn in range(FEW_CONNECTIONS):
                open_ones.enter_context(place.host.connect(place.short))
        yield


@fault("Connections are refused", "a limit for the database", "database", "CONNECTION LIMIT -1")
def limited(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    with place.host.connect(place.short):
        place.sql(f'ALTER DATABASE "{name}" CONNECTION LIMIT 1')
        yield
    place.sql(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')


@fault("Connections are refused", "the database was closed", "database", "ALLOW_CONNECTIONS true", often=True)
def closed(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    yield
    place.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@fault("Connections are refused", "the database was renamed", "database", "RENAME TO")
def renamed(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" RENAME TO elsewhere')
    yield
    place.sql(f'ALTER DATABASE elsewhere RENAME TO "{name}"')


# Logins are refused


@fault("Logins are refused", "the clients' network is not trusted", "admitted", "database_trusted_sources")
def not_trusted(place: Place) -> Iterator[None]:
    place.declare(trusted_sources=["192.0.2.0/24"])
    yield
    place.declare(trusted_sources=["0.0.0.0/0", "::/0"])


@fault("Logins are refused", "the password was changed in the server", "password", "vellaric.postgres")
def other_password(place: Place) -> Iterator[None]:
    place.sql(f"ALTER ROLE {harness.USERNAME} PASSWORD 'Another-Secret_1234'")
    yield
    place.declare()


@fault("Logins are refused", "`ALTER ROLE ... NOLOGIN`", "role", "vellaric.postgres.create")
def no_login(place: Place) -> Iterator[None]:
    place.sql(f"ALTER ROLE {harness.USERNAME} NOLOGIN")
    yield
    place.sql(f"ALTER ROLE {harness.USERNAME} LOGIN")


@fault("Logins are refused", "`ALTER ROLE ... VALID UNTIL`, which is over", "role", "vellaric.postgres.create")
def expired_role(place: Place) -> Iterator[None]:
    place.sql(f"ALTER ROLE {harness.USERNAME} VALID UNTIL '2020-01-01'")
    yield
    place.sql(f"ALTER ROLE {harness.USERNAME} VALID UNTIL 'infinity'")


@fault("Logins are refused", "the role was renamed", "role", "vellaric.postgres.create")
def role_gone(place: Place) -> Iterator[None]:
    # Its verifier goes with its name: SCRAM does not depend on it.
    place.sql(f"ALTER ROLE {harness.USERNAME} RENAME TO somebody")
    yield
    place.sql(f"ALTER ROLE somebody RENAME TO {harness.USERNAME}")


@fault("Logins are refused", "the database belongs to somebody else", "privileges", "vellaric.postgres.create")
def other_owner(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" OWNER TO postgres')
    yield
    place.sql(f'ALTER DATABASE "{name}" OWNER TO {harness.USERNAME}')


@fault("Logins are refused", "it is set to be read-only", "writable", "RESET default_transaction_read_only")
def read_only(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    yield
    place.sql(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


# Credentials are lost


@fault("Credentials are lost", "nothing is stored for it", "credentials", "database_rotate_lost=true")
def lost_credentials(place: Place) -> Iterator[None]:
    place.ask = {"password": None, "password_lost": True, "password_error": "it has no stored credentials"}
    yield


# Its certificate is refused


@contextlib.contextmanager
def _certificate(place: Place, days: int, *names: str) -> Iterator[None]:
    """Have the server show a certificate of its own authority's that ends so many days from now."""
    directory, authority = place.directory / "tls", Path(place.host.data_root, ".tls")
    kept = {name: (directory / name).read_bytes() for name in ("server.crt", "server.key")}
    pems = ((authority / "ca.crt").read_bytes(), (authority / "ca.key").read_bytes())
    certificate, key = _signed(pems, days, names)
    try:
        (directory / "server.crt").write_bytes(certificate)
        (directory / "server.key").write_bytes(key)
        place.sql("SELECT pg_reload_conf()")
        time.sleep(0.5)
        yield
    finally:
        for name, content in kept.items():
            (directory / name).write_bytes(content)
        place.sql("SELECT pg_reload_conf()")


def _signed(pems: tuple[bytes, bytes], days: int, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    issuer = x509.load_pem_x509_certificate(pems[0])
    issuer_key = serialization.load_pem_private_key(pems[1], password=None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, names[0])]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM), private


@fault("Its certificate is refused", "it has ended", "certificate", "vellaric.postgres.create")
def certificate_ended(place: Place) -> Iterator[None]:
    with _certificate(place, -1, DOMAIN):
        yield


@fault("Its certificate is refused", "it is for another name", "certificate", "vellaric.postgres.create")
def certificate_of_another(place: Place) -> Iterator[None]:
    with _certificate(place, 300, "other.example.com"):
        yield


@fault("Its certificate is refused", "clients have another authority's", "certificate", "vellaric.postgres.create")
def other_authority(place: Place) -> Iterator[None]:
    public = Path("/var/vellaric/certificates", f"{place.container}.crt")
    kept = public.read_bytes()
    with tempfile.TemporaryDirectory() as root:
        public.write_bytes(tls.authority(root)[0])
    yield
    public.write_bytes(kept)


@fault("Its certificate is refused", "it ends in three days", "certificate", "vellaric.postgres.create", "warns")
def certificate_ends(place: Place) -> Iterator[None]:
    with _certificate(place, 3, DOMAIN):
        yield


@fault("Its certificate is refused", "`ALTER SYSTEM SET ssl = off`", "tls", "vellaric.postgres.create", often=True)
def tls_off(place: Place) -> Iterator[None]:
    place.sql("ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()")
    harness.eventually(lambda: _psql(place, "SHOW ssl") == "off")
    yield
    place.sql("ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()")


# It is slow


@fault("It is slow", "sessions wait for a lock", "locks", "pg_terminate_backend", "warns")
def locked(place: Place) -> Iterator[None]:
    place.host.query(place.short, "CREATE TABLE IF NOT EXISTS orders (id int)")
    with place.host.connect(place.short, autocommit=False) as holder:
        holder.execute("LOCK TABLE orders")
        waiting = threading.Thread(target=_wait, args=(place,))
        waiting.start()
        time.sleep(1.5)
        yield
        holder.rollback()
        waiting.join()


def _wait(place: Place) -> None:
    place.host.query(place.short, "SELECT count(*) FROM orders")


@fault("It is slow", "large tables without statistics", "maintenance", "vacuumdb --analyze", "warns")
def no_statistics(place: Place) -> Iterator[None]:
    place.host.query(place.short, "CREATE TABLE large AS SELECT generate_series(1, 30000) AS id")
    time.sleep(1)
    yield
    place.host.query(place.short, "DROP TABLE large")


@fault("It is slow", "tables full of dead rows", "maintenance", "vacuumdb --analyze", "warns")
def dead_rows(place: Place) -> Iterator[None]:
    place.host.query(place.short, "CREATE TABLE large AS SELECT generate_series(1, 30000) AS id")
    place.host.query(place.short, "ANALYZE large")
    place.host.query(place.short, "UPDATE large SET id = id + 1")
    time.sleep(1)
    yield
    place.host.query(place.short, "DROP TABLE large")


# It is out of disk


@contextlib.contextmanager
def _small(place: Place, options: str) -> Iterator[harness.Host]:
    """A host of its own, whose file system has little of something."""
    root = tempfile.mkdtemp(prefix="vellaric-test-", dir="/var/tmp")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0755,{options}", "vellaric-test", root], check=True)
    host = harness.Host(root=root)
    try:
        host.run("shop", settings={"max_wal_size": "64MB", "min_wal_size": "32MB"})
        place.ask = {
            "name": host.name("shop"),
            "data_root": host.data_root,
            "backup_root": host.defaults["backup_root"],
        }
        yield host
    finally:
        host.close()
        subprocess.run(["umount", root], check=True)
        os.rmdir(root)


@fault("It is out of disk", "something has filled the disk", "disk", "make room")
def full_disk(place: Place) -> Iterator[None]:
    with _small(place, "size=200m") as host:
        subprocess.run(["dd", "if=/dev/zero", f"of={host.root}/filler", "bs=1M"], capture_output=True, check=False)
        with contextlib.suppress(harness.psycopg.Error):
            host.query("shop", "CREATE TABLE large AS SELECT generate_series(1, 1000000)")
        yield


@fault("It is out of disk", "small files have taken all inodes", "disk", "df -i")
def no_inodes(place: Place) -> Iterator[None]:
    with _small(place, "size=200m,nr_inodes=3000") as host:
        with contextlib.suppress(OSError):
            for number in range(3000):
                Path(host.root, f"file-{number}").touch()
        yield


# It is out of memory


@fault("It is out of memory", "its processes want more than its limit", "memory", "database_memory=512m", "warns")
def killed_processes(place: Place) -> Iterator[None]:
    harness.docker("exec", place.container, "sh", "-c", "head -c 400m /dev/zero | tail", check=False)
    yield
    harness.docker("restart", place.container)


@fault("It is out of memory", "the OOM killer has ended it", "memory", "vellaric.postgres.resize")
def killed_for_memory(place: Place) -> Iterator[None]:
    limits = ("--memory", "6m", "--memory-swap", "6m")
    harness.docker("stop", place.container)
    harness.docker("update", "--restart", "no", *limits, place.container)
    subprocess.run(["docker", "start", place.container], capture_output=True, check=False)
    harness.eventually(lambda: harness.inspect(place.container)["State"]["Status"] == "exited", 60)
    yield
    limits = ("--memory", "256m", "--memory-swap", "256m")
    harness.docker("update", "--restart", "unless-stopped", *limits, place.container)
    harness.docker("start", place.container)


# It cannot be created


@fault("It cannot be created", "it was never created", "known", "vellaric.postgres.create", often=True)
def never_created(place: Place) -> Iterator[None]:
    place.ask = {"name": place.host.name("another")}
    yield


@fault("It cannot be created", "its first start was interrupted", "container", "vellaric.postgres.create")
def half_created(place: Place) -> Iterator[None]:
    arguments = place.host.written(place.host.arguments("half"))
    kill = harness.REPOSITORY / "tests/integration/postgres_db/killed.py"
    command = [harness.sys.executable, str(kill), "start:1", arguments]
    subprocess.run(command, env=harness.environment(), capture_output=True, check=False)
    place.ask = {"name": place.host.name("half")}
    yield
    place.host.run("half", state="absent", purge=True, deletion_protection=False)


@fault("It cannot be created", "its image is not on the host", "image", "docker pull")
def no_image(place: Place) -> Iterator[None]:
    tag = f"vellaric-test/diagnosis:{os.getpid()}"
    harness.derived_image(tag)
    place.host.run("other", image=tag)
    harness.docker("rm", "-f", place.host.container("other"))
    harness.remove_images(tag)
    place.ask = {"name": place.host.name("other")}
    yield
    place.host.run("other", state="absent", purge=True, deletion_protection=False)


@fault("It cannot be created", "it was deleted", "known", "vellaric.postgres.undelete")
def deleted(place: Place) -> Iterator[None]:
    place.host.run("gone")
    place.host.run("gone", state="absent", deletion_protection=False)
    place.ask = {"name": place.host.name("gone")}
    yield


# A backup fails or is damaged


@fault("A backup fails or is damaged", "none was taken in time", "backups", "vellaric.postgres.backup", "warns")
def no_backup(place: Place) -> Iterator[None]:
    place.ask = {"thresholds": {"backup_hours": 0.0001}}
    yield


@fault("A backup fails or is damaged", "its file was cut off", "backups", "postgres.backup", "warns")
def damaged_backup(place: Place) -> Iterator[None]:
    named = {"name": place.host.name(place.short), "environment": place.host.environment}
    place.host._result("postgres_db_backup", {**named, "data_root": place.host.data_root})
    directory = Path(place.host.defaults["backup_root"], place.container)
    (backup,) = directory.glob("*.sql.gz")
    os.truncate(backup, backup.stat().st_size // 2)
    yield
    _no_backups(place)


def _no_backups(place: Place) -> None:
    # The directory itself is mounted.
    for path in Path(place.host.defaults["backup_root"], place.container).iterdir():
        if path.is_file():
            path.unlink()


# The schedule did not run


@contextlib.contextmanager
def _schedule(place: Place, status: dict[str, Any] | None) -> Iterator[None]:
    import json

    directory = Path(place.host.data_root, ".schedule")
    (directory / "status").mkdir(parents=True)
    settings = {
        "schema": 1,
        "scheduler": "cron",
        "data_root": place.host.data_root,
        "docker_host": "unix:///var/run/docker.sock",
        "wait_timeout": 60,
        "environments": {"development": {"calendar": "0 3 * * *", "retention": {"last": 2}}},
        "databases": [],
    }
    (directory / "schedule.json").write_text(json.dumps(settings))
    (directory / "notify.json").write_text("{}")
    if status is not None:
        (directory / "status/development.json").write_text(json.dumps(status))
    try:
        yield
    finally:
        shutil.rmtree(directory)


@fault("The schedule did not run", "nothing started it", "schedule", "systemctl", "warns")
def schedule_missed(place: Place) -> Iterator[None]:
    named = {"name": place.host.name(place.short), "environment": place.host.environment}
    place.host._result("postgres_db_backup", {**named, "data_root": place.host.data_root})
    time.sleep(1)
    place.ask = {"thresholds": {"backup_hours": 0.0001, "verified_days": 0}}
    with _schedule(place, None):
        yield
    _no_backups(place)


# Drift comes back


@fault("Drift comes back", "`ALTER SYSTEM` outranks what is declared", "drift", "--check --diff", "warns")
def outranked(place: Place) -> Iterator[None]:
    place.sql("ALTER SYSTEM SET work_mem = '64MB'", "SELECT pg_reload_conf()")
    yield
    place.sql("ALTER SYSTEM RESET work_mem", "SELECT pg_reload_conf()")


@fault("Drift comes back", "another tool has made a container of its name", "known", "docker rm -f")
def replaced(place: Place) -> Iterator[None]:
    harness.docker("rm", "-f", place.container)
    options = ("--name", place.container, "--label", "com.docker.compose.project=shop", "--entrypoint", "sleep")
    harness.docker("run", "-d", *options, harness.IMAGE, "600")
    yield
    harness.docker("rm", "-f", place.container)


@fault("Drift comes back", "watchtower runs on the host", "keepers", "watchtower", "warns")
def watched(place: Place) -> Iterator[None]:
    tag = f"vellaric-test/watchtower:{os.getpid()}"
    harness.derived_image(tag)
    name = f"{place.host.prefix}-watchtower"
    harness.docker("run", "-d", "--name", name, "--entrypoint", "sleep", tag, "600")
    yield
    harness.docker("rm", "-f", name)
    harness.remove_images(tag)


# The engine is broken


@fault("The engine is broken", "no engine listens on its socket", "engine", "docker", often=True)
def no_engine(place: Place) -> Iterator[None]:
    place.ask = {"docker_host": f"unix://{place.host.root}/nothing.sock"}
    yield


@fault("The engine is broken", "it takes connections and answers none", "engine", "systemctl restart docker")
def engine_hangs(place: Place) -> Iterator[None]:
    path = f"{place.host.root}/silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        place.ask = {"docker_host": f"unix://{path}", "docker_timeout": 1}
        yield
    os.unlink(path)
