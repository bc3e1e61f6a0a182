# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.local_directory import LocalDirectory
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build


@pytest.fixture
def place(tmp_path):
    if os.getuid():
        pytest.skip("only root gives directories away")
    return LocalDirectory(str(tmp_path / build.CONTAINER))


def staged(place):
    """The context of a stage, for this user."""
    return place.stage(os.getuid(), os.getgid())


def put_partial(stage, manifest):
    with open(stage.partial(manifest.file_name), "wb") as stream:
        stream.write(build.CONTENT)


def test_what_is_published_counts_and_nothing_else_is_left(place):
    manifest = build.manifest()
    with staged(place) as stage:
        put_partial(stage, manifest)
        place.publish(stage, manifest, "CREATE ROLE app;\n")
    (found,) = place.backups(build.NOW)
    assert found.good and len(os.listdir(place.directory)) == 3
    assert place.read_roles(found) == "CREATE ROLE app;\n"


def test_what_is_there_is_never_replaced(place):
    manifest = build.manifest()
    with staged(place) as stage:
        put_partial(stage, manifest)
        place.publish(stage, manifest, "")
        put_partial(stage, manifest)
        with pytest.raises(DatabaseError, match="there already"):
            place.publish(stage, manifest, "")
    (found,) = place.backups(build.NOW)
    assert found.good


def failing(function, number):
    """The function, which fails as a full disk does when it is called for that time."""
    calls = []

    def call(*arguments, **options):
        calls.append(arguments)
        if len(calls) == number:
            raise OSError(28, "No space left on device")
        return function(*arguments, **options)

    return call


@pytest.mark.parametrize("call", ["rename", "replace", "fsync"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_wherever_it_fails_what_counts_is_whole(place, monkeypatch, call, number):
    manifest = build.manifest()
    with staged(place) as stage:
        put_partial(stage, manifest)
        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing(getattr(os, call), number))
            try:
                place.publish(stage, manifest, "CREATE ROLE app;\n")
            except DatabaseError as error:
                assert "No space left" in error.message
    found = place.backups(build.NOW)
    assert all(backup.good for backup in found) and len(os.listdir(place.directory)) == 3 * len(found)
