# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database that serves is to be looked after for: what is slow, backups, schedules, drift."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import pytest
from causing import Place, fault

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


# A backup fails or is damaged


@fault("A backup fails or is damaged", "none was taken in time", "backups", "vellaric.postgres.backup", "warns")
def no_backup(place: Place) -> Iterator[None]:
    place.ask = {"thresholds": {"backup_hours": 0.0001}}
    yield


@fault("A backup fails or is damaged", "its file was cut off", "backups", "postgres.backup", "warns")
def damaged_backup(place: Place) -> Iterator[None]:
    _backup(place)
    directory = Path(place.host.defaults["backup_root"], place.container)
    (backup,) = directory.glob("*.sql.gz")
    os.truncate(backup, backup.stat().st_size // 2)
    yield
    _no_backups(place)


@fault("A backup fails or is damaged", "its directory was removed", "mounts", "postgres.restart", "warns", often=True)
def directory_removed(place: Place) -> Iterator[None]:
    directory = Path(place.host.defaults["backup_root"], place.container)
    shutil.rmtree(directory)
    yield
    # Neither what runs nor another run brings it back, and no backup is taken of which nothing would be left.
    with pytest.raises(harness.Failed, match=f"{directory} was removed or replaced.*playbook restart"):
        _backup(place)
    assert not directory.exists()
    place.declare(state="restarted")
    _backup(place)
    _no_backups(place)


def _backup(place: Place) -> None:
    named = {"name": place.host.name(place.short), "environment": place.host.environment}
    place.host._result("postgres_db_backup", {**named, "data_root": place.host.data_root})


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
    _backup(place)
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
