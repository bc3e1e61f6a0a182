# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import catalog
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.store import Store
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build


@pytest.fixture
def store(tmp_path):
    made = Store(str(tmp_path / build.CONTAINER), os.getuid(), os.getgid())
    if os.getuid():
        pytest.skip("only root gives directories away")
    made.prepare()
    return made


def put_partial(store, manifest):
    with open(store.partial(manifest.file_name), "wb") as stream:
        stream.write(build.CONTENT)


def test_what_is_published_counts_and_nothing_else_is_left(store):
    manifest = build.manifest()
    put_partial(store, manifest)
    store.publish(manifest, "CREATE ROLE app;\n")
    store.clean()
    (found,) = catalog.backups(store.directory, build.NOW)
    assert found.good and len(os.listdir(store.directory)) == 3


def test_what_is_there_is_never_replaced(store):
    manifest = build.manifest()
    for turn in range(2):
        put_partial(store, manifest)
        if turn == 0:
            store.publish(manifest, "")
    with pytest.raises(DatabaseError, match="there already"):
        store.publish(manifest, "")
    (found,) = catalog.backups(store.directory, build.NOW)
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
def test_wherever_it_fails_what_counts_is_whole(store, monkeypatch, call, number):
    manifest = build.manifest()
    put_partial(store, manifest)
    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing(getattr(os, call), number))
        try:
            store.publish(manifest, "CREATE ROLE app;\n")
        except DatabaseError as error:
            assert "No space left" in error.message
    store.clean()
    found = catalog.backups(store.directory, build.NOW)
    assert all(backup.good for backup in found) and len(os.listdir(store.directory)) == 3 * len(found)
