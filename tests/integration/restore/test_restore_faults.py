# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores that are interrupted: no lost original, nothing left, and the next run does what this one could not."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from harness import MODULES, THOROUGH, Failed, docker, environment, eventually
from restoring import arguments, databases, in_container, nothing_left, psql, run, take

KILLED = Path(__file__).parent.parent / "postgres_db/killed.py"
MODULE = "postgres_db_restore"
ROWS = "SELECT word, count(*)::int FROM state GROUP BY 1"
BACKED_UP, PRESENT = [("backed up", 2000)], [("present", 3)]
# To load its 2000 rows takes two seconds.
SLOW = (
    "CREATE FUNCTION slow(n int) RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(0.001) IS NOT NULL';"
    " CREATE TABLE state (word text, n int CHECK (public.slow(n)))"
)


@pytest.fixture(scope="module")
def living(shared):
    """A database whose backup holds other rows than it does, enough of them for a load to be interrupted."""
    shared.run("a")
    shared.query("a", SLOW)
    shared.query("a", "INSERT INTO state SELECT 'backed up', n FROM generate_series(1, 2000) AS n")
    shared.backups = {format_: take(shared, "a", format=format_) for format_ in ("plain", "custom")}
    present(shared)
    return shared


@pytest.fixture(autouse=True)
def as_before(living):
    """What one test leaves behind when it fails is not the next one's trouble."""
    if living.query("a", ROWS) != PRESENT:
        present(living)


def present(host):
    host.query("a", "TRUNCATE state; INSERT INTO state SELECT 'present', n FROM generate_series(1, 3) AS n")


def options(host, format_="plain"):
    return {"backup": host.backups[format_].file_name, "backup_first": False, "keep_old": 0}


def start(host, *command, **given):
    """Start the module, by way of a command where one is given."""
    path = host.written(arguments(host, "a", **given))
    command = [*command, path, MODULE] if command else ["-m", MODULES + MODULE, path]
    return subprocess.Popen(
        [sys.executable, *command], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def whole(host):
    """What has to be true at every moment: one of the two is there, whole, or clients are kept out for a while."""
    rows = psql(host.container("a"), "postgres", "SELECT datname, datallowconn FROM pg_database").splitlines()
    assert f"{host.name('a')}|t" in rows or f"{host.name('a')}|f" in rows
    if f"{host.name('a')}|t" in rows:
        assert host.query("a", ROWS) in (BACKED_UP, PRESENT)


def test_killed_before_each_thing_that_it_does(living):
    seen = []
    for moment in itertools.count(1, 1 if THOROUGH else 5):
        process = start(living, str(KILLED), str(moment), **options(living))
        stdout, stderr = process.communicate()
        whole(living)
        if process.returncode == 0:
            assert moment > 8, stdout
            break
        assert process.returncode == -signal.SIGKILL, stdout + stderr
        seen = stderr.split()
    assert living.query("a", ROWS) == BACKED_UP
    nothing_left(living, "a")
    assert "open" in seen
    present(living)


@pytest.mark.parametrize("format_", ["plain", "custom"])
def test_killed_in_the_middle(living, format_):
    """What it had started in the container ends with it, before anybody runs it again."""
    process = start(living, **options(living, format_))
    loading(living)
    process.kill()
    process.communicate()
    eventually(lambda: not {"psql", "pg_restore", "igzip"} & set(commands(living)))
    assert living.query("a", ROWS) == PRESENT
    run(living, "a", **options(living, format_))
    assert living.query("a", ROWS) == BACKED_UP
    nothing_left(living, "a")
    assert "terminated by signal" not in docker("logs", living.container("a"))
    present(living)


def commands(host):
    """The names of the processes in the container, and of the decompressors of this host that read our backups."""
    inside = [line.split()[1] for line in docker("top", host.container("a"), "-o", "pid,comm").splitlines()[1:]]
    backups = f"{host.root}/backups"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/fd/0").startswith(backups):
                inside.append(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return inside


def loading(host):
    """Wait until the fresh database is being filled."""
    directory = host.directory("a") / "load"
    eventually(lambda: directory.exists() and set(os.listdir(directory)) - {"reserve"}, seconds=240)
    time.sleep(0.7)


def interrupted(host, fault, **given):
    """Run a restore, do something to the server while it loads, and return what the module says of it."""
    errors = []

    def strike():
        loading(host)
        fault()

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        run(host, "a", **{**options(host), **given})
    except Failed as failure:
        errors.append(failure.message)
    thread.join()
    assert errors, "it was not interrupted"
    return errors[0]


@pytest.mark.parametrize("fault", ["kill", "stop", "restart", "backend"])
def test_server_interrupted(living, fault):
    container = living.container("a")
    faults = {
        "kill": lambda: docker("kill", container),
        "stop": lambda: docker("stop", container),
        "restart": lambda: docker("restart", container),
        "backend": lambda: psql(
            container,
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ~ 'restoring'",
        ),
    }
    message = interrupted(living, faults[fault])
    assert "Traceback" not in message and container in message
    living.run("a")
    assert living.query("a", ROWS) == PRESENT
    run(living, "a", **options(living))
    assert living.query("a", ROWS) == BACKED_UP
    nothing_left(living, "a")
    present(living)


def test_too_slow(living):
    with pytest.raises(Failed) as failure:
        run(living, "a", **{**options(living), "timeout": 1})
    message = failure.value.message
    assert "1 s" in message or "did not answer" in message
    assert living.query("a", ROWS) == PRESENT
    eventually(lambda: not {"psql", "igzip"} & set(commands(living)))
    nothing_left(living, "a")


def test_no_room(living):
    """Where there is no room for a second database beside the first, nothing is begun."""
    script = (
        "import importlib, os, sys, types\n"
        "sys.argv.pop()\n"
        "room = {'f_bavail': 66 << 20, 'f_bfree': 66 << 20, 'f_blocks': 1 << 40, 'f_frsize': 1}\n"
        "os.statvfs = lambda path: types.SimpleNamespace(**room)\n"
        f"importlib.import_module('{MODULES}{MODULE}').main()\n"
    )
    process = start(living, "-c", script, **options(living))
    stdout, stderr = process.communicate()
    assert stdout, stderr
    message = json.loads(stdout)["msg"]
    assert "66 MB free" in message and "make room" in message
    assert living.query("a", ROWS) == PRESENT
    nothing_left(living, "a")


def test_damaged_files(living):
    """Every hundredth byte of a backup: whatever is flipped, nothing is restored. Truncated: likewise."""
    original = living.backups["plain"]
    directory = Path(original.path).parent
    content = Path(original.path).read_bytes()
    name = original.file_name.replace(original.created_at[:4], "2001", 1)
    try:
        for suffix in ("", ".json", ".globals.sql"):
            shutil.copy(original.path + suffix, directory / (name + suffix))
        for damaged in (content[: len(content) // 2], content[:-1], flipped(content, len(content) // 3), b""):
            Path(original.path).write_bytes(damaged)
            with pytest.raises(Failed) as failure:
                run(living, "a", **options(living))
            assert "not a good backup" in failure.value.message or "is damaged" in failure.value.message
            assert living.query("a", ROWS) == PRESENT
        Path(original.path).write_bytes(content)
        # Another's manifest beside it.
        with pytest.raises(Failed) as failure:
            run(living, "a", **{**options(living), "backup": name})
        assert "manifest" in failure.value.message
        link = directory / original.file_name.replace(original.created_at[:4], "2002", 1)
        link.symlink_to("/etc/passwd")
        shutil.copy(original.path + ".json", f"{link}.json")
        with pytest.raises(Failed) as failure:
            run(living, "a", **{**options(living), "backup": link.name})
        assert "symbolic link" in failure.value.message
    finally:
        Path(original.path).write_bytes(content)
        for path in directory.glob("*-200[12]*"):
            path.unlink()
    nothing_left(living, "a")


def flipped(content, position):
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


def test_every_hundredth_byte(living):
    """The same without the engine, for all of them: the look at the file alone finds each."""
    restore = importlib.import_module("ansible_collections.vellaric.postgres.plugins.module_utils._dumps.restore")
    backup = take(living, "a")
    content = Path(backup.path).read_bytes()
    restore.check(backup, backup.path)
    for position in range(0, len(content), 100):
        Path(backup.path).write_bytes(flipped(content, position))
        with pytest.raises(restore.DatabaseError):
            restore.check(backup, backup.path)


def test_a_swap_that_was_interrupted(living):
    """The one moment in which clients are kept out: the next run lets them in before anything else."""
    name = living.name("a")
    psql(living.container("a"), "postgres", f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    psql(living.container("a"), "postgres", f'CREATE DATABASE "{name}.restoring"')
    predicted = run(living, "a", check=True, **options(living))
    answer = run(living, "a", **options(living))
    assert [a["verb"] for a in answer["actions"]][:2] == ["put_back", "put_back"]
    assert [a["verb"] for a in predicted["actions"]] == [a["verb"] for a in answer["actions"]]
    assert living.query("a", ROWS) == BACKED_UP
    # Somebody else's rename: what was kept comes back.
    psql(living.container("a"), "postgres", f'ALTER DATABASE "{name}" RENAME TO "{name}.20260101000000"')
    with pytest.raises(Failed):
        run(living, "a", **{**options(living), "backup": "latest", "timeout": 1, "mask": ["SELECT pg_sleep(5)"]})
    assert databases(living, "a") == [name]
    assert living.query("a", ROWS) == BACKED_UP
    present(living)


def test_two_at_once(living):
    """The second waits for the first, and says so where that takes too long."""
    results = []

    def restore(seconds):
        try:
            results.append(run(living, "a", **options(living), wait_timeout=seconds)["changed"])
        except Failed as failure:
            results.append(failure.message)

    threads = [threading.Thread(target=restore, args=(seconds,)) for seconds in (60, 1)]
    for thread in threads:
        thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    assert True in results
    assert all(result is True or "Another run" in result for result in results), results
    nothing_left(living, "a")
    assert in_container(living.container("a"), "ls", "/dev/shm").decode().count("vellaric") == 0
    present(living)


@contextlib.contextmanager
def read_only(directory):
    """To everything but what has it mounted already, as the container has."""
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def test_a_data_directory_that_is_read_only(living):
    with read_only(living.data_root), pytest.raises(Failed) as failure:
        run(living, "a", **options(living))
    assert "Read-only file system" in failure.value.message and living.data_root in failure.value.message
    assert living.query("a", ROWS) == PRESENT
    assert databases(living, "a") == [living.name("a")]
    nothing_left(living, "a")
    run(living, "a", **options(living))
    assert living.query("a", ROWS) == BACKED_UP


def test_a_backup_directory_that_is_read_only(living):
    """It is only read there, unless the present state is to be backed up first."""
    with read_only(living.defaults["backup_root"]), pytest.raises(Failed) as failure:
        run(living, "a", **{**options(living), "backup_first": True})
    assert "Read-only file system" in failure.value.message
    assert living.query("a", ROWS) == PRESENT
    with read_only(living.defaults["backup_root"]):
        run(living, "a", **options(living))
    assert living.query("a", ROWS) == BACKED_UP
    nothing_left(living, "a")
