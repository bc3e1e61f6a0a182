# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import os
import threading

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import catalog
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.local_directory import LocalDirectory
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.stage import Stage
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / build.CONTAINER


def listed(directory):
    return LocalDirectory(str(directory)).backups(build.NOW)


def test_no_directory_holds_no_backups(directory):
    assert listed(directory) == []


def test_the_newest_is_last(directory):
    second = build.put(directory, build.NOW - HOUR, sequence=2)
    first = build.put(directory, build.NOW - 2 * HOUR, sequence=1)
    found = listed(directory)
    assert [backup.file_name for backup in found] == [first.file_name, second.file_name]
    assert found[-1].age_seconds == 3600
    assert found[-1].good and found[-1].checked and not found[-1].verified


def test_a_clock_that_was_moved_back_does_not_change_which_is_the_newest(directory):
    build.put(directory, build.NOW, sequence=1)
    newest = build.put(directory, build.NOW - 24 * HOUR, sequence=2)
    assert listed(directory)[-1].file_name == newest.file_name
    assert catalog.find(LocalDirectory(str(directory)), "latest").file_name == newest.file_name


def test_symbolic_links_are_not_followed(directory, tmp_path):
    taken = build.put(directory, build.NOW)
    os.rename(directory / taken.file_name, tmp_path / "elsewhere")
    (directory / taken.file_name).symlink_to(tmp_path / "elsewhere")
    (found,) = listed(directory)
    assert "symbolic link" in found.damage
    LocalDirectory(str(directory)).remove(found)
    assert (tmp_path / "elsewhere").exists() and not os.listdir(directory)


def test_a_manifest_that_is_a_symbolic_link_is_not_read(directory, tmp_path):
    taken = build.put(directory, build.NOW)
    manifest = directory / f"{taken.file_name}.json"
    os.rename(manifest, tmp_path / "elsewhere")
    manifest.symlink_to(tmp_path / "elsewhere")
    (found,) = listed(directory)
    assert not found.good and found.manifest is None


def test_a_pipe_under_the_name_of_a_backup_does_not_hang(directory):
    directory.mkdir()
    os.mkfifo(directory / build.manifest().file_name)
    os.mkfifo(directory / f"{build.manifest().file_name}.json")
    (found,) = listed(directory)
    assert not found.good


@pytest.mark.parametrize(
    ("spoil", "damage"),
    [
        (lambda directory, name: (directory / f"{name}.json").unlink(), "no manifest"),
        (lambda directory, name: (directory / name).unlink(), "missing"),
        (lambda directory, name: (directory / name).write_bytes(b"shorter"[:2]), "its manifest says"),
        (lambda directory, name: (directory / f"{name}.json").write_text("{"), "damaged"),
        (lambda directory, name: (directory / f"{name}.json").write_bytes(b"\xff\x00"), "damaged"),
    ],
)
def test_damage_is_told(directory, spoil, damage):
    spoil(directory, build.put(directory).file_name)
    (found,) = listed(directory)
    assert damage in found.damage and not found.good and not found.checked
    with pytest.raises(DatabaseError, match="There is no backup"):
        catalog.find(LocalDirectory(str(directory)), "latest")
    assert catalog.describe(found)["good"] is False


def test_the_manifest_of_another_backup_is_found_out(directory):
    first = build.put(directory, build.NOW)
    second = build.put(directory, build.NOW - HOUR)
    (directory / f"{first.file_name}.json").write_bytes((directory / f"{second.file_name}.json").read_bytes())
    assert "its manifest is that of" in listed(directory)[-1].damage


def test_other_databases_and_other_files_are_not_listed(directory):
    directory.mkdir()
    for name in ("notes.txt", "shop-production-postgres-2-20260101-000000.sql.gz", ".work"):
        (directory / name).write_text("x")
    assert listed(directory) == []


def test_latest_verified_passes_over_what_was_not_verified(directory):
    verified = build.put(directory, build.NOW - HOUR, sequence=1, verified_at="2026-06-15T11:30:00Z")
    build.put(directory, build.NOW, sequence=2)
    assert catalog.find(LocalDirectory(str(directory)), "latest_verified").file_name == verified.file_name


@pytest.mark.parametrize("wanted", ["latest", "latest_verified"])
def test_what_a_restore_has_replaced_is_meant_by_its_name_only(directory, wanted):
    """Or a restore that is run twice undoes itself."""
    proved = {"verified_at": "2026-06-15T11:30:00Z"}
    replaced = build.put(directory, build.NOW, sequence=2, taken_by="before_restore", **proved).file_name
    with pytest.raises(DatabaseError, match=f"such as {replaced}"):
        catalog.find(LocalDirectory(str(directory)), wanted)
    wished = build.put(directory, build.NOW - HOUR, sequence=1, **proved).file_name
    assert catalog.find(LocalDirectory(str(directory)), wanted).file_name == wished
    assert catalog.find(LocalDirectory(str(directory)), replaced).file_name == replaced


def test_what_is_not_there_is_named_with_what_is(directory):
    there = build.put(directory, build.NOW)
    missing = build.manifest(build.NOW - HOUR).file_name
    with pytest.raises(DatabaseError, match=there.file_name):
        catalog.find(LocalDirectory(str(directory)), missing)


def test_what_is_being_read_is_not_removed(directory):
    build.put(directory)
    (backup,) = listed(directory)
    with LocalDirectory(str(directory)).hold(backup):
        with pytest.raises(DatabaseError, match="restored or verified"):
            LocalDirectory(str(directory)).remove(backup)
    assert listed(directory) == [backup]
    LocalDirectory(str(directory)).remove(backup)
    assert os.listdir(directory) == []


def test_a_revision_keeps_what_others_wrote_meanwhile(directory):
    build.put(directory)
    (backup,) = listed(directory)
    LocalDirectory(str(directory)).revise(backup, checked_at="2026-06-15T12:30:00Z")
    LocalDirectory(str(directory)).revise(backup, verified_at="2026-06-15T12:40:00Z")
    (revised,) = listed(directory)
    assert (revised.manifest.checked_at, revised.verified) == ("2026-06-15T12:30:00Z", True)


def test_a_revision_outlives_the_sweep_of_a_backup_that_ends_meanwhile(directory):
    manifest = build.put(directory, build.NOW)
    backup = catalog.find(LocalDirectory(str(directory)), manifest.file_name)
    place, ended = LocalDirectory(str(directory)), threading.Event()

    def sweep():
        while not ended.is_set():
            place.clean(Stage(str(directory), os.getuid(), os.getgid()))

    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    try:
        for turn in range(100):
            assert LocalDirectory(str(directory)).revise(backup, failure=str(turn)).failure == str(turn)
    finally:
        ended.set()
        sweeping.join()
    assert catalog.find(LocalDirectory(str(directory)), manifest.file_name).manifest.failure == "99"
