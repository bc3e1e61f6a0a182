# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that fail: no false success, no file or process left, the server unharmed, and words that help."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import harness
import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import check
from backups import Backups

FORMATS = [{}, {"compression_level": 1}, {"format": "custom"}, {"format": "directory", "jobs": 2}]


@pytest.fixture(scope="module")
def shop(shared):
    shared.run("shop")
    shared.query("shop", "CREATE TABLE orders (id serial PRIMARY KEY, note text)")
    # Random, so that it does not compress: some 3 MB.
    shared.query(
        "shop",
        "INSERT INTO orders (note) SELECT string_agg(md5((random() + i * j)::text), '') "
        " FROM generate_series(1, 100) AS i, generate_series(1, 900) AS j GROUP BY i",
    )
    shared.query("shop", "CREATE TABLE held (id int)")
    return Backups(shared, "shop")


@pytest.fixture
def fresh(shop):
    shop.forget()
    return shop


@pytest.mark.parametrize("options", FORMATS)
def test_a_table_that_somebody_has_for_himself(fresh, options):
    with fresh.locked("held"):
        message = fresh.refused(lock_timeout=1, **options)
    assert "public.held" in message and "lock_timeout" in message
    fresh.assert_clean(0)


def test_the_reason_reaches_whoever_runs_a_playbook(fresh):
    """Ansible takes some keys of a result for its own, and tells no more than that they are not."""
    with fresh.locked("held"), pytest.raises(AssertionError) as failure:
        harness.playbook(fresh.host, "vellaric.postgres.postgres_db_backup", fresh.arguments(lock_timeout=1))
    assert "holds ACCESS EXCLUSIVE on public.held" in str(failure.value) and "splitlines" not in str(failure.value)


@pytest.mark.skipif(not harness.THOROUGH, reason="takes half a minute and gigabytes of memory")
@pytest.mark.parametrize("options", [{}, {"format": "custom"}])
def test_large_rows(shared, options):
    """As text a row may have 1 GB, of which a server holds several copies at once."""
    shared.run("large", memory=None)
    backups = Backups(shared, "large")
    backups.forget()
    try:
        shared.psql_in("large", "CREATE TABLE IF NOT EXISTS public.texts AS SELECT repeat('x', 900 * 1000 * 1000) AS t")
        assert backups.take(**options)["good"]
        large = "SELECT decode(repeat('AAAA', 200 * 1000 * 1000), 'base64') AS b"
        shared.psql_in("large", f"CREATE TABLE IF NOT EXISTS public.bytes AS {large}")
        message = backups.refused(**options)
        assert "a row of public.bytes is larger as text" in message and "octet_length" in message
        shared.psql_in("large", "DROP TABLE public.bytes")
        shared.run("large", memory="400m")
        assert "its memory was not enough to dump public.texts" in backups.refused(**options)
    finally:
        shared.forget("large")


@pytest.mark.parametrize("options", FORMATS)
def test_a_timeout_ends_the_work_in_the_container_too(fresh, options):
    with fresh.locked("held"):
        message = fresh.refused(timeout=3, **options)
        assert "not finished after 3 s" in message
        fresh.assert_clean(0)
    assert fresh.take(**options)["good"]


@pytest.mark.parametrize("options", FORMATS)
def test_a_module_that_is_killed_while_it_waits_leaves_nothing_in_the_container(fresh, options):
    with fresh.locked("held"):
        process = fresh.start(**options)
        harness.eventually(fresh.waits_for_lock)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        harness.eventually(lambda: not fresh.at_work())
    assert [backup for backup in fresh.place.backups() if backup.good] == []
    fresh.take()
    fresh.assert_clean(1)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
def test_a_module_that_is_killed_at_any_moment(fresh, share):
    """The next run puts right whatever the killed one has left, and what counts is whole."""
    if not hasattr(fresh, "seconds"):
        began = time.monotonic()
        fresh.take()
        fresh.seconds = time.monotonic() - began
        fresh.forget()
    process = fresh.start()
    time.sleep(fresh.seconds * share)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    harness.eventually(lambda: not fresh.at_work())
    left = [backup for backup in fresh.place.backups() if backup.good]
    assert all(check.find_damage(fresh.place, backup, backup.path)[0] is None for backup in left)
    fresh.take()
    good = [backup for backup in fresh.place.backups() if backup.good]
    assert len(left) + 1 <= len(good) <= 2
    fresh.assert_clean(len(good))


@pytest.mark.parametrize("moment", ["before_data", "before_manifest"])
def test_what_was_renamed_without_its_manifest_is_finished_by_the_next_run(fresh, moment):
    """Between the two renames, a kill leaves a whole backup whose manifest is still hidden."""
    name = fresh.take()["name"]
    manifest = fresh.directory / f"{name}.json"
    os.rename(manifest, fresh.directory / f".{name}.json.partial")
    if moment == "before_data":
        os.rename(fresh.directory / name, fresh.directory / f".{name}.partial")
    fresh.take()
    fresh.assert_clean(2 if moment == "before_manifest" else 1)
    assert all(check.find_damage(fresh.place, backup, backup.path)[0] is None for backup in fresh.place.backups())


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.parametrize("options", FORMATS[::2])
def test_a_container_that_is_stopped_or_killed_meanwhile(fresh, how, options):
    with fresh.locked("held"):
        process = fresh.start(**options)
        harness.eventually(fresh.waits_for_lock)
        harness.docker(how, fresh.container)
        with pytest.raises(harness.Failed) as failure:
            harness.result(process)
    assert "was stopped while its backup was taken" in failure.value.message
    assert fresh.files() == []
    assert "Start it" in fresh.refused()
    fresh.host.run("shop")
    fresh.take(**options)
    harness.eventually(lambda: not fresh.at_work())


def test_a_server_that_is_restarted_meanwhile(fresh):
    with fresh.locked("held"):
        process = fresh.start()
        harness.eventually(fresh.waits_for_lock)
        harness.docker("restart", fresh.container)
        with pytest.raises(harness.Failed) as failure:
            harness.result(process)
    message = failure.value.message
    assert fresh.container in message and "the backup was removed" in message
    assert fresh.files() == []
    fresh.host.run("shop")
    fresh.take()
    fresh.assert_clean(1)


def test_a_server_process_that_dies(fresh):
    with fresh.locked("held"):
        process = fresh.start()
        harness.eventually(fresh.waits_for_lock)
        fresh.host.psql(
            "shop",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'vellaric backup%'"
            " AND wait_event_type = 'Lock'",
        )
        with pytest.raises(harness.Failed) as failure:
            harness.result(process)
    assert "pg_dump ended with exit code 1" in failure.value.message
    harness.eventually(lambda: not fresh.at_work())
    assert fresh.files() == []


@pytest.fixture
def small(shared, request):
    """A database whose backups have a file system of their own, of 100 MB."""
    root = os.path.join(shared.root, "small")
    os.makedirs(root, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m,mode=0755", "vellaric-test", root], check=True)
    try:
        shared.run("small", backup_root=root)
        shared.query("small", "CREATE TABLE held (id int)")
        backups = Backups(shared, "small")
        backups.directory = backups.directory.parent.parent / "small" / backups.container
        yield backups
    finally:
        shared.forget("small")
        subprocess.run(["umount", root], check=True)


def test_a_disk_without_room(small):
    filler = small.directory.parent / "filler"
    filler.write_bytes(b"x" * (60 << 20))
    message = small.refused()
    assert "may need" in message and "backup_root" in message
    filler.unlink()
    small.host.query("small", "CREATE TABLE noise AS SELECT md5(i::text) AS a FROM generate_series(1, 200000) AS i")
    for options in ({}, {"compression_level": 1}, {"format": "custom"}):
        with small.locked("held"):
            process = small.start(**options)
            harness.eventually(small.waits_for_lock)
            # It fills up only now: the dump is under way.
            filler.write_bytes(b"x" * (99 << 20))
        with pytest.raises(harness.Failed) as failure:
            harness.result(process)
        assert "No space left on device" in failure.value.message
        filler.unlink()
        small.assert_clean(0)
    small.take()
    small.assert_clean(1)


def test_a_directory_that_is_read_only(small):
    root = str(small.directory.parent)
    small.take()
    subprocess.run(["mount", "-o", "remount,ro", root], check=True)
    message = small.refused()
    assert "Read-only file system" in message
    subprocess.run(["mount", "-o", "remount,rw", root], check=True)
    small.assert_clean(1)


def flipped(path, place):
    with open(path, "r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte[0] ^ 1]))


@pytest.fixture(scope="module")
def tiny(shared):
    shared.run("tiny")
    shared.query("tiny", "CREATE TABLE t AS SELECT i, md5(i::text) AS m FROM generate_series(1, 200) AS i")
    return Backups(shared, "tiny")


@pytest.mark.parametrize("options", FORMATS[1:])
def test_every_flipped_byte_is_found(tiny, options):
    """A hundredth of all bytes, and the last ones, in each of the files."""
    tiny.forget()
    name = tiny.take(**options)["name"]
    for path in [path for path in tiny.directory.rglob("*") if path.is_file()]:
        size = path.stat().st_size
        for place in [*range(0, size, 100), *range(max(0, size - 5), size)]:
            flipped(path, place)
            backup = next(b for b in tiny.place.backups() if b.file_name == name)
            assert not backup.good or check.find_damage(tiny.place, backup, backup.path)[0] is not None, (path, place)
            flipped(path, place)
    assert not tiny.run(state="checked")["backup"]["damage"]


@pytest.mark.parametrize("options", FORMATS)
def test_what_was_interrupted_or_changed_is_found_and_does_not_count(tiny, options):
    tiny.forget()
    backup = tiny.take(**options)
    path = tiny.directory / backup["name"]
    file = next(path.glob("*.dat.gz")) if path.is_dir() else path
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert "There is no backup" in tiny.refused(state="checked")
    assert "failed verification" in tiny.refused(state="checked", backup=backup["name"])
    # Of the right size, but not what it was: only who reads it can tell.
    file.write_bytes(content[:-9] + bytes(9))
    assert "failed verification" in tiny.refused(state="verified", backup=backup["name"])
    again = tiny.take(**options)
    assert tiny.run(state="checked")["backup"]["name"] == again["name"]
    file.write_bytes(content)
    if options == {}:
        assert tiny.run(state="checked", backup=backup["name"])["backup"]["good"]


def test_a_pipe_that_a_killed_run_left_is_not_in_the_way(tiny):
    tiny.forget()
    work = tiny.directory / ".work"
    work.mkdir(parents=True)
    os.mkfifo(work / f"{tiny.container}-20200101-000000.sql.gz")
    (tiny.directory / f".{tiny.container}-20200101-000000.dir.partial").mkdir()
    (tiny.directory / f".{tiny.container}-20200101-000000.sql.gz.partial").write_text("half")
    (tiny.directory / f"{tiny.container}-20200101-000000.sql.gz.globals.sql").write_text("")
    tiny.take()
    tiny.assert_clean(1)


def test_a_compressor_that_dies(tiny, tmp_path, monkeypatch):
    tiny.forget()
    (tmp_path / "igzip").write_text("#!/bin/sh\nhead -c 10\nexit 3\n")
    (tmp_path / "igzip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "igzip failed" in tiny.refused()
    tiny.assert_clean(0)
    monkeypatch.setenv("PATH", "/nonexistent")
    # Without it, and without any program that could decompress: Python can.
    backup = tiny.take()
    assert backup["good"] and backup["checked_how"].startswith("decompressed to its end mark")


def test_what_somebody_waits_to_have_for_himself_is_not_counted_but_dumped(tiny):
    """Behind him, to count would wait for the end of the dump, and he for that: nobody may be kept waiting so."""
    tiny.forget()
    # Enough that the dump is still at it when it is counted.
    long = "CREATE TABLE free AS SELECT n, repeat('x', 100) FROM generate_series(1, 1000000) AS n"
    tiny.host.query("tiny", f"CREATE TABLE held (id int); {long}")
    alter = "SET lock_timeout = '20s'; ALTER TABLE held ADD COLUMN x int"
    with tiny.locked("held") as holder:
        process = tiny.start()
        harness.eventually(tiny.waits_for_lock)
        command = [
            "docker",
            "exec",
            "-u",
            "postgres",
            tiny.container,
            "psql",
            "-d",
            tiny.host.name("tiny"),
            "-c",
            alter,
        ]
        waiting = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        harness.eventually(lambda: tiny.waits_for_lock("psql"))
        holder.close()
        answer = harness.result(process)
        assert waiting.wait() == 0
    assert answer["backup"]["good"]
    assert "others wait for" in str(answer["warnings"])
    counted = json.loads((tiny.directory / f"{answer['backup']['name']}.json").read_text())["row_counts"]
    assert "public.free" in counted and "public.held" not in counted
    tiny.host.query("tiny", "DROP TABLE held; DROP TABLE free")
    tiny.assert_clean(1)


def test_a_table_whose_index_is_made_again_is_left_out_of_the_counts(tiny):
    tiny.host.query("tiny", "CREATE TABLE made (i int PRIMARY KEY); CREATE TABLE free (i int)")
    holder = tiny.host.connect("tiny", autocommit=False)
    try:
        holder.execute("REINDEX INDEX made_pkey")
        answer = tiny.run()
    finally:
        holder.close()
    assert answer["backup"]["good"] and "others wait for" in str(answer["warnings"])
    counted = json.loads((tiny.directory / f"{answer['backup']['name']}.json").read_text())["row_counts"]
    assert "public.free" in counted and "public.made" not in counted
    tiny.host.query("tiny", "DROP TABLE made; DROP TABLE free")
