# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database is created, shown, and seen by others as we report it."""

from __future__ import annotations

import re
import stat

import pytest
from harness import PASSWORD, USERNAME, Host, docker, playbook, verbs

CREATION = [
    "reserve",
    "certificate",
    "write_files",
    "create",
    "role",
    "database",
    "restrict",
    "lock_superuser",
    "prove_login",
]
SEED_KEYS = {
    "id",
    "name",
    "environment",
    "container_name",
    "host",
    "port",
    "username",
    "database",
    "sslmode",
    "status",
    "created_at",
}


@pytest.fixture(scope="module")
def shared():
    host = Host(environment="production")
    yield host
    host.close()


@pytest.fixture(scope="module")
def created(shared):
    volumes = set(docker("volume", "ls", "-q").split())
    answer = shared.converge("a", memory="512m", cpus="1.5")
    return {"answer": answer, "volumes": volumes, "inspect": shared.inspect("a")}


def test_creation_is_predicted_done_and_then_done_no_more(created):
    assert verbs(created["answer"]) == CREATION
    assert created["answer"]["changed"]


def test_check_mode_leaves_nothing_behind(host):
    answer = host.check("a")
    assert verbs(answer) == CREATION
    assert host.untouched()
    assert not (host.directory("a").parent).exists()


def test_the_result_and_info_have_the_keys_of_the_seed(created, shared):
    row = created["answer"]["database"]
    assert SEED_KEYS <= set(row)
    assert re.fullmatch(r"db-[0-9a-f]{24}", row["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["created_at"])
    assert row["container_name"] == shared.container("a")
    assert (row["status"], row["username"], row["sslmode"]) == ("active", USERNAME, "prefer")
    assert row["port"] == shared.ports[0]
    shown = shared.info()[0]
    # A run tells what is pending beside the database, of which it is the same.
    assert {**row, "health": shown["health"], "pending": created["answer"]["pending"]} == shown
    assert shown["health"] in ("starting", "healthy")
    assert shared.info(name=shared.name("a"), environment="production") == [shown]
    assert shared.info(environment="staging") == []
    assert shared.info(name="another") == []


def test_docker_container_info_agrees(created, shared):
    row = shared.info()[0]
    answer, _output = playbook(shared, "community.docker.docker_container_info", {"name": row["container_name"]})
    container = answer["container"]
    assert container["State"]["Status"] == row["container_status"] == "running"
    assert container["State"]["StartedAt"] == row["started_at"]
    binding = {"HostIp": row["bind_address"], "HostPort": str(row["port"])}
    assert container["NetworkSettings"]["Ports"]["5432/tcp"] == [binding]
    assert container["HostConfig"]["Memory"] == row["memory_limit_bytes"] == 512 << 20
    assert container["HostConfig"]["NanoCpus"] == row["cpus"] * 1e9 == 1.5e9
    assert container["HostConfig"]["ShmSize"] == row["shm_size_bytes"] == 256 << 20
    assert container["Config"]["Labels"]["io.vellaric.postgres.id"] == row["id"]
    assert container["Config"]["Image"] == row["image"]
    sources = {mount["Destination"]: mount["Source"] for mount in container["Mounts"] if mount["Type"] == "bind"}
    assert sources["/var/lib/postgresql"] == f"{row['data_directory']}/pgdata"


def test_a_plain_client_agrees(created, shared):
    row = shared.info()[0]
    options = {"host": row["host"], "port": row["port"], "user": row["username"], "dbname": row["database"]}
    with shared.connect("a", **options) as connection:
        facts = connection.execute(
            "SELECT current_user, current_database(), pg_get_userbyid(datdba), current_setting('server_version_num'),"
            " (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        connection.execute("CREATE TABLE kept (id int); DROP TABLE kept")
    assert facts[:3] == (USERNAME, row["name"], USERNAME)
    assert facts[3].startswith("15")
    # prefer: encrypted where the client can.
    assert facts[4] is True


def test_the_container_is_hardened(created):
    host, config = created["inspect"]["HostConfig"], created["inspect"]["Config"]
    assert host["CapDrop"] == ["ALL"]
    assert sorted(name.replace("CAP_", "") for name in host["CapAdd"]) == [
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "SETGID",
        "SETUID",
    ]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert not host["Privileged"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert config["StopTimeout"] == 120
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}}
    assert host["MemorySwap"] in (host["Memory"], 0)
    assert all(mount["Type"] == "bind" for mount in created["inspect"]["Mounts"])
    assert not any(PASSWORD in entry for entry in config["Env"])


def test_the_health_check_passes_without_a_trace(created, shared):
    test = created["inspect"]["Config"]["Healthcheck"]["Test"]
    before = docker("logs", shared.container("a"))
    docker("exec", shared.container("a"), *test[1:])
    assert docker("logs", shared.container("a")) == before


def test_the_capabilities_of_the_server_itself_are_none(created, shared):
    status = docker("exec", shared.container("a"), "cat", "/proc/1/status")
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)


def test_files_on_the_host_are_readable_by_those_who_need_them(created, shared):
    directory = shared.directory("a")
    modes = {
        path: stat.S_IMODE((directory / path).stat().st_mode)
        for path in ("database.json", "conf/postgresql.conf", "conf/pg_hba.conf", "tls/server.key", "pgdata")
    }
    assert modes == {
        "database.json": 0o600,
        "conf/postgresql.conf": 0o644,
        "conf/pg_hba.conf": 0o644,
        "tls/server.key": 0o600,
        "pgdata": 0o700,
    }
    assert stat.S_IMODE((shared.directory("a").parent / ".tls" / "ca.key").stat().st_mode) == 0o600


def test_removal_leaves_no_volume(created, shared):
    shared.run("a", state="absent", deletion_protection=False, purge=True)
    assert shared.containers() == []
    mine = set(docker("volume", "ls", "-q", "--filter", "dangling=true").split()) - created["volumes"]
    # Others may use this engine meanwhile: a volume of ours would have been made by our image's VOLUME.
    assert not [volume for volume in mine if created["inspect"]["Id"] in docker("volume", "inspect", volume)]
    assert created["inspect"]["Config"]["Volumes"] is None or all(
        volume in created["inspect"]["HostConfig"]["Tmpfs"] for volume in created["inspect"]["Config"]["Volumes"]
    )
