# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that keep a database from starting, from a broken engine to a full disk."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import harness
from causing import Place, fault

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


@fault("It will not start", "an unknown parameter in its `postgresql.conf`", "settings", "fix", often=True)
def wrong_parameter(place: Place) -> Iterator[None]:
    (place.directory / "postgresql.conf").write_text("no_such_parameter = 1\n")
    _loops(place)
    yield
    (place.directory / "postgresql.conf").unlink()


@fault("It will not start", "`ALTER SYSTEM` with a missing library", "settings", "postgresql.auto.conf")
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


@fault(
    "It will not start", "a file of the server is missing (`global/pg_control`)", "data", "vellaric.postgres.restore"
)
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


@fault("Its port is in use", "another process used it when it was started", "port", "vellaric.postgres.start")
def port_was_taken(place: Place) -> Iterator[None]:
    harness.docker("stop", place.container)
    with harness.listener(place.host.record(place.short)["port"]):
        subprocess.run(["docker", "start", place.container], capture_output=True, check=False)
    yield
    harness.docker("start", place.container)


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


@fault("It is out of disk", "something has filled the disk", "disk", "free space")
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


@fault("It is out of memory", "its processes need more than its limit", "memory", "database_memory=512m", "warns")
def killed_processes(place: Place) -> Iterator[None]:
    harness.docker("exec", place.container, "sh", "-c", "head -c 400m /dev/zero | tail", check=False)
    yield
    harness.docker("restart", place.container)


@fault("It is out of memory", "the OOM killer has killed it", "memory", "vellaric.postgres.resize")
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


# The engine is broken


@fault("The engine is broken", "no engine listens on its socket", "engine", "docker", often=True)
def no_engine(place: Place) -> Iterator[None]:
    place.ask = {"docker_host": f"unix://{place.host.root}/nothing.sock"}
    yield


@fault("The engine is broken", "it accepts connections, but does not answer", "engine", "systemctl restart docker")
def engine_hangs(place: Place) -> Iterator[None]:
    path = f"{place.host.root}/silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        place.ask = {"docker_host": f"unix://{path}", "docker_timeout": 1}
        yield
    os.unlink(path)
