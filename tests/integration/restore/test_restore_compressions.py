# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only newer servers' dumps have, zstd and lz4, in each format: restored, by several processes, and verified."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest
from harness import OTHER_MAJOR_IMAGE, Failed, Fork, Host, result
from restoring import PACKAGE, arguments, dumped, make_sample, nothing_left, psql, run, take

catalog = importlib.import_module(PACKAGE + "_backups.catalog")
LocalDirectory = importlib.import_module(PACKAGE + "_backups.local_directory").LocalDirectory
unpack = importlib.import_module(PACKAGE + "_backups.unpack")
BACKUP = "postgres_db_backup"


@pytest.fixture(scope="module")
def newer():
    host = Host()
    host.defaults["image"] = OTHER_MAJOR_IMAGE
    try:
        make_sample(host, "a")
        host.before = dumped(host, "a")
        yield host
    finally:
        host.close()


@pytest.mark.parametrize(
    "taken",
    [
        {"format": "directory", "jobs": 2, "compression": "zstd"},
        {"format": "custom", "compression": "lz4"},
        {"format": "plain", "compression": "zstd"},
    ],
    ids=lambda taken: f"{taken['format']}-{taken['compression']}",
)
def test_comes_back_with_no_difference(newer, taken):
    backup = take(newer, "a", **taken)
    assert backup.manifest.compression == taken["compression"]
    jobs = 1 if taken["format"] == "plain" else 2
    named = {"backup": backup.file_name, "format": taken["format"], "jobs": taken.get("jobs", 1)}
    assert run(newer, "a", module="postgres_db_backup", state="verified", **named)["backup"]["verified"]
    psql(newer.container("a"), newer.name("a"), "DROP SCHEMA public CASCADE; DROP SCHEMA accounts CASCADE;")
    run(newer, "a", backup="latest_verified", keep_old=0, backup_first=False, jobs=jobs)
    assert dumped(newer, "a") == newer.before
    nothing_left(newer, "a")


def without_programs():
    os.environ["PATH"] = "/nowhere"


def without_libraries():
    without_programs()
    unpack._LIBRARIES = {"zstd": "libnone.so.9", "lz4": "libnone.so.9"}


def run_on(host, before, module="postgres_db_restore", **options):
    """Run a module on a host that lacks something."""
    return result(Fork(module, host.written(arguments(host, "a", **options)), before))


def refused(host, before=lambda: None, **options):
    with pytest.raises(Failed) as failure:
        run_on(host, before, **options)
    return failure.value.message


@pytest.fixture
def empty(newer):
    for backup in listed(newer):
        place(newer).remove(backup)
    return newer


def place(host):
    return LocalDirectory(f"{host.root}/backups/{host.container('a')}")


def listed(host):
    return place(host).backups()


def test_without_the_program(empty):
    """The library does it, which most hosts have for their package manager."""
    for compression in ("lz4", "zstd"):
        taken = run_on(empty, without_programs, BACKUP, compression=compression)["backup"]
        assert taken["checked_how"].startswith("decompressed to its end mark")
    run_on(empty, without_programs, keep_old=0, backup_first=False)
    assert dumped(empty, "a") == empty.before


def test_without_program_and_library_a_good_backup_stays_good(empty):
    backup = take(empty, "a", compression="zstd")
    message = refused(empty, without_libraries, module=BACKUP, state="verified")
    assert "neither zstd nor its library" in message and "damaged" not in message
    (still,) = listed(empty)
    assert still.good and still.manifest == backup.manifest
    # Its checksum can be compared nevertheless, and the answer says that it was no more than that.
    checked = run_on(empty, without_libraries, BACKUP, state="checked")["backup"]
    assert checked["good"] and "not decompressed" in checked["checked_how"]
    assert "neither zstd nor its library" in refused(empty, without_libraries, backup_first=False)
    assert dumped(empty, "a") == empty.before


def test_none_is_taken_that_could_not_be_read(empty):
    for check in (True, False):
        assert "format: custom" in refused(empty, without_libraries, module=BACKUP, compression="lz4", check=check)
    assert listed(empty) == []
    assert run_on(empty, without_libraries, BACKUP, compression="lz4", format="custom")["backup"]["good"]


def test_what_was_ended_says_nothing_against_a_backup(empty, tmp_path):
    take(empty, "a", compression="zstd")
    (tmp_path / "zstd").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "zstd").chmod(0o755)

    def killed():
        os.environ["PATH"] = f"{tmp_path}:{os.environ['PATH']}"

    for state in ("checked", "verified"):
        message = refused(empty, killed, module=BACKUP, state=state)
        assert "signal 9" in message and "it is damaged" not in message
    assert "signal 9" in refused(empty, killed, backup_first=False)
    assert [backup.good for backup in listed(empty)] == [True]


def test_latest_is_the_last_that_was_taken_or_is_asked_for(empty):
    older = take(empty, "a")
    newer = take(empty, "a")
    content = Path(newer.path).read_bytes()
    Path(newer.path).write_bytes(content[:-1])
    for check in (True, False):
        message = refused(empty, check=check, backup_first=False)
        assert older.file_name in message and f"{newer.file_name}: it has" in message and "allow_older" in message
    warned = run(empty, "a", module=BACKUP, state="checked")
    assert warned["backup"]["name"] == older.file_name and newer.file_name in str(warned["warnings"])
    for options in ({"allow_older": True}, {"backup": older.file_name}):
        answer = run(empty, "a", keep_old=0, backup_first=False, **options)
        assert answer["backup"]["name"] == older.file_name
    # What nobody has repaired counts again once it is whole.
    Path(newer.path).write_bytes(content)
    assert run(empty, "a", keep_old=0, backup_first=False)["backup"]["name"] == newer.file_name


def test_what_a_later_version_took_is_not_called_damaged(empty):
    take(empty, "a")
    backup = take(empty, "a")
    manifest = Path(backup.path + ".json")
    text = manifest.read_text()
    manifests = importlib.import_module(PACKAGE + "_backups.manifest")
    content = {**manifests.json.loads(text), "schema": 99}
    content.pop("checksum")
    manifest.write_text(manifests.json.dumps({**content, "checksum": manifests._checksum(content)}))
    last = listed(empty)[-1] if listed(empty)[-1].undecided else listed(empty)[0]
    shown = catalog.describe(last)
    assert not shown["good"] and shown["damage"] is None and "update the collection" in shown["undecided"]
    assert "update the collection" in refused(empty, backup_first=False)
