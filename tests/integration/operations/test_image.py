# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built image keeps the contract of the official one: what the role `image` builds, on the real engine.

`tests/lab/up` builds the images. VELLARIC_IMAGE_TESTS names others, of any origin, to try in their place:
`VELLARIC_IMAGE_TESTS="postgres:17" pytest tests/integration/operations/test_image.py` holds the tests to the original.
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import subprocess
import tempfile
import time
import uuid

import pytest

IMAGES = os.environ.get("VELLARIC_IMAGE_TESTS", "vellaric/postgres:15-bookworm vellaric/postgres:17-trixie").split()
PASSWORD = "a test's password: 'quoted' $and \"all\""
HARDENED = ["--cap-drop=ALL", "--security-opt=no-new-privileges"] + [
    "--cap-add=" + name for name in ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
]


def docker(*arguments, check=True, **options):
    run = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False, **options)
    if check and run.returncode:
        raise RuntimeError("docker {}: {}".format(" ".join(arguments), run.stderr))
    return run


class Container:
    """One container of the image under test."""

    def __init__(self, image):
        self.image = image
        self.name = "imagetest-" + uuid.uuid4().hex[:10]

    def create(self, *options, password=PASSWORD, command=()):
        if password is not None:
            options += ("--env", "POSTGRES_PASSWORD=" + password)
        docker("create", "--name", self.name, *options, self.image, *command)
        return self

    def put(self, name, content, mode=0o644, directory="/docker-entrypoint-initdb.d"):
        """Copy a file into the created container. (A bind mount would not work from inside another container.)"""
        path = os.path.join(tempfile.gettempdir(), self.name + ".file")
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        docker("cp", path, f"{self.name}:{directory}/{name}")
        os.remove(path)

    def start(self):
        docker("start", self.name)
        return self

    def exec(self, *command, check=True):
        return docker("exec", self.name, *command, check=check)

    def sql(self, query, database="postgres", user="postgres"):
        return self.exec("psql", "-XAtq", "-U", user, "-d", database, "-c", query).stdout.strip()

    def logs(self):
        run = docker("logs", self.name)
        return run.stdout + run.stderr

    def inspect(self):
        return json.loads(docker("inspect", self.name).stdout)[0]

    def tcp_ready(self):
        return self.exec("pg_isready", "-q", "-U", "postgres", "-h", "127.0.0.1", check=False).returncode == 0

    def wait(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if not self.inspect()["State"]["Running"] or time.monotonic() > end:
                raise RuntimeError("not reached; the log:\n" + self.logs())
            time.sleep(0.1)
        return self

    def wait_ready(self):
        return self.wait(self.tcp_ready)

    def wait_end(self):
        return int(docker("wait", self.name).stdout)

    def login(self, password, user="postgres", database="postgres"):
        """Log in as a client on the network does: pg_hba.conf trusts the loopback."""
        address = self.inspect()["NetworkSettings"]["IPAddress"]
        return docker(
            "exec",
            "--env",
            "PGPASSWORD=" + password,
            self.name,
            "psql",
            "-XAtq",
            "-h",
            address,
            "-U",
            user,
            "-d",
            database,
            "-c",
            "SELECT current_user",
            check=False,
        )


@pytest.fixture(params=IMAGES)
def container(request):
    made = Container(request.param)
    yield made
    docker("rm", "--force", "--volumes", made.name, check=False)


@pytest.fixture
def volume():
    name = "imagetest-" + uuid.uuid4().hex[:10]
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", "--force", name, check=False)


def major_of(container):
    return int(image_environment(container)["PG_MAJOR"])


def image_environment(container):
    config = json.loads(docker("image", "inspect", container.image).stdout)[0]["Config"]
    return dict(entry.split("=", 1) for entry in config["Env"])


def test_declares_what_the_official_image_declares(container):
    config = json.loads(docker("image", "inspect", container.image).stdout)[0]["Config"]
    environment = image_environment(container)
    major = int(environment["PG_MAJOR"])
    assert environment["PGDATA"] == (
        "/var/lib/postgresql/data" if major < 18 else f"/var/lib/postgresql/{major}/docker"
    )
    assert list(config["Volumes"]) == ["/var/lib/postgresql/data" if major < 18 else "/var/lib/postgresql"]
    assert environment["LANG"] == "en_US.utf8"
    assert list(config["ExposedPorts"]) == ["5432/tcp"]
    assert config["StopSignal"] == "SIGINT"
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert config["Cmd"] == ["postgres"]
    version = docker("run", "--rm", container.image, "--version").stdout
    assert re.search(rf"\(PostgreSQL\) {major}\.\d+", version)
    assert re.search(r"\d+\.\d+", version).group() == re.match(r"[\d.]+", environment["PG_VERSION"]).group()


def test_runs_other_commands_without_a_database(container):
    run = docker(
        "run",
        "--rm",
        container.image,
        "sh",
        "-c",
        "id -u; command -v docker-entrypoint.sh; pg_dump --version; locale -a; stat -c %a /var/run/postgresql",
    )
    assert run.stdout.splitlines()[:2] == ["0", "/usr/local/bin/docker-entrypoint.sh"]
    assert f"pg_dump (PostgreSQL) {major_of(container)}." in run.stdout
    assert "en_US.utf8" in run.stdout
    assert run.stdout.splitlines()[-1] in ("2777", "3777")


def test_initialises_what_the_variables_say(container):
    container.create(
        "--env=POSTGRES_USER=app-owner",
        "--env=POSTGRES_DB=Shop 1",
        "--env=POSTGRES_INITDB_WALDIR=/var/lib/wal",
        "--env=POSTGRES_INITDB_ARGS=--data-checksums --text-search-config='simple'",
        command=["-c", "shared_buffers=32MB", "-c", "cluster_name=a 'b' \"c\" $d"],
    ).start().wait_ready()
    owner = {"user": "app-owner", "database": "Shop 1"}
    assert container.sql("SHOW data_checksums", **owner) == "on"
    assert container.sql("SHOW default_text_search_config", **owner) == "pg_catalog.simple"
    assert container.sql("SHOW shared_buffers", **owner) == "32MB"
    assert container.sql("SHOW cluster_name", **owner) == "a 'b' \"c\" $d"
    assert container.sql("SHOW lc_messages", **owner) == "en_US.utf8"
    assert container.sql("SHOW listen_addresses", **owner) == "*"
    assert container.sql("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper", **owner) == "app-owner"
    assert container.exec("sh", "-c", "readlink $PGDATA/pg_wal").stdout.strip() == "/var/lib/wal"
    assert container.exec("cat", "/proc/1/comm").stdout.strip() == "postgres"
    assert container.exec("stat", "-c", "%u:%g", "/proc/1").stdout.strip() == "999:999"
    assert container.exec("sh", "-c", "stat -c %u:%a $PGDATA").stdout.strip() == "999:700"
    assert container.exec("sh", "-c", "tail -n 1 $PGDATA/pg_hba.conf").stdout.split() == [
        "host",
        "all",
        "all",
        "all",
        "scram-sha-256",
    ]
    assert container.login(PASSWORD, **owner).stdout.strip() == "app-owner"
    assert "password authentication failed" in container.login("wrong", **owner).stderr


def test_has_the_contributed_modules(container):
    container.create().start().wait_ready()
    for extension in ("pg_stat_statements", "pgcrypto", "uuid-ossp", "pg_trgm", "amcheck"):
        container.sql(f'CREATE EXTENSION "{extension}"')


def test_reads_values_from_files(container):
    container.create(
        "--env=POSTGRES_PASSWORD_FILE=/password",
        "--env=POSTGRES_USER_FILE=/user",
        "--env=POSTGRES_DB_FILE=/db",
        password=None,
    )
    # As root, before stepping down: a file that only root may read will do.
    container.put("password", PASSWORD + "\n", mode=0o600, directory="")
    container.put("user", "filed\n", directory="")
    container.put("db", "cabinet\n", directory="")
    container.start().wait_ready()
    assert container.login(PASSWORD, user="filed", database="cabinet").stdout.strip() == "filed"
    assert PASSWORD not in docker("inspect", container.name).stdout
    # As the server's own user: root in a container may not look at other users' processes.
    environment = docker("exec", "--user=postgres", container.name, "cat", "/proc/1/environ").stdout
    assert "POSTGRES_PASSWORD_FILE" not in environment


def test_refuses_a_value_given_twice(container):
    container.create("--env=POSTGRES_PASSWORD_FILE=/password")
    container.put("password", "x", directory="")
    container.start()
    assert container.wait_end() == 1
    assert "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set" in container.logs()


def test_refuses_to_initialise_without_a_password(container):
    container.create(password=None).start()
    assert container.wait_end() == 1
    assert "POSTGRES_PASSWORD" in container.logs()


def test_trusts_only_when_told_to(container):
    container.create("--env=POSTGRES_HOST_AUTH_METHOD=trust", password=None).start().wait_ready()
    assert container.login("anything").stdout.strip() == "postgres"
    assert "warning" in container.logs().lower()


def test_runs_the_scripts_in_order(container):
    container.create("--env=POSTGRES_DB=app")
    container.put("10.sql", "CREATE TABLE done (n int);")
    container.put(
        "20.sh",
        'psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO done VALUES (20)"'
        "\nfrom_sourced=yes; : $unset",
        mode=0o644,
    )
    container.put(
        "30.sh",
        '#!/bin/sh\n[ -z "$from_sourced" ] && psql -U postgres app -c "INSERT INTO done VALUES (30)"',
        mode=0o755,
    )
    container.put("40.sql.gz", gzip.compress(b"INSERT INTO done VALUES (40);"))
    container.put("50.sql.xz", lzma.compress(b"INSERT INTO done VALUES (50);"))
    container.put("60.sh", 'docker_process_sql <<< "INSERT INTO done VALUES (60);"')
    container.put("70.txt", "not a script")
    container.start().wait_ready()
    assert container.sql("SELECT string_agg(n::text, ' ') FROM done", database="app") == "20 30 40 50 60"
    assert "ignoring /docker-entrypoint-initdb.d/70.txt" in container.logs()


@pytest.mark.parametrize("name, content", [("10.sql", "SELECT 1/0;"), ("10.sh", "false")])
def test_a_failing_script_ends_the_container(container, name, content):
    container.create()
    container.put(name, content)
    container.put("20.sql", "SELECT 'later script' || ' ran';")
    container.start()
    assert container.wait_end() != 0
    assert "later script ran" not in container.logs()


def test_opens_tcp_only_when_all_is_in_place(container):
    container.create()
    container.put("10.sql", "SELECT pg_sleep(2);")
    container.start()
    container.wait(lambda: container.exec("pg_isready", "-q", check=False).returncode == 0)
    assert not container.tcp_ready()
    assert container.exec("cat", "/proc/1/comm").stdout.strip() != "postgres"
    container.wait_ready()
    assert container.exec("cat", "/proc/1/comm").stdout.strip() == "postgres"


def test_stops_cleanly_and_at_once(container):
    container.create().start().wait_ready()
    # An open session would hold up the smart shutdown that SIGTERM asks for.
    session = subprocess.Popen(
        ["docker", "exec", container.name, "psql", "-U", "postgres", "-c", "SELECT pg_sleep(60)"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    container.wait(lambda: container.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(60)'") != "0")
    began = time.monotonic()
    docker("stop", container.name)
    assert time.monotonic() - began < 5
    session.wait()
    assert container.inspect()["State"]["ExitCode"] == 0
    container.start().wait_ready()
    assert "was not properly shut down" not in container.logs()


def test_runs_as_any_uid(container):
    container.create("--user=12345:12345", "--tmpfs=/data:uid=12345,gid=12345", "--env=PGDATA=/data/pg")
    container.start().wait_ready()
    assert container.exec("stat", "-c", "%u:%g", "/proc/1").stdout.strip() == "12345:12345"
    assert container.sql("SELECT current_user") == "postgres"
    assert "LD_PRELOAD" not in container.exec("cat", "/proc/1/environ").stdout


@pytest.mark.parametrize("owner", ["root", "postgres"])
def test_hardened_over_the_parent_directory(container, volume, owner):
    """How our own containers run: one mount at the parent, PGDATA below it, five capabilities."""
    major = major_of(container)
    options = HARDENED + [
        f"--env=PGDATA=/var/lib/postgresql/{major}/docker",
        f"--volume={volume}:/var/lib/postgresql",
    ]
    docker("run", "--rm", "--entrypoint=chown", f"--volume={volume}:/mnt:nocopy", container.image, owner, "/mnt")
    container.create(*options).start().wait_ready()
    container.sql("CREATE TABLE kept ()")
    docker("rm", "--force", "--volumes", container.name)
    # Killed above, and no password now: the data are there, nothing is initialised.
    container.create(*options, password=None).start().wait_ready()
    assert container.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'kept'") == "1"
    assert container.exec("sh", "-c", "find $PGDATA ! -user postgres | wc -l").stdout.strip() == "0"
    status = container.exec("cat", "/proc/1/status").stdout
    assert re.search(r"CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"NoNewPrivs:\s+1", status)


def test_from_18_on_refuses_data_of_an_older_layout(container, volume):
    docker(
        "run",
        "--rm",
        "--entrypoint=sh",
        f"--volume={volume}:/mnt",
        container.image,
        "-c",
        "mkdir /mnt/data; echo 15 > /mnt/data/PG_VERSION",
    )
    container.create(f"--volume={volume}:/var/lib/postgresql").start()
    if major_of(container) < 18:
        # Its own volume lies over the old data: it does not see them.
        container.wait_ready()
    else:
        assert container.wait_end() == 1
        assert "/var/lib/postgresql/data" in container.logs()
