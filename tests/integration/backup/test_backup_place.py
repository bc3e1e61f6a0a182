# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another kind of place for backups: one that is not on the host, as an object store is not.

Whatever takes, checks, verifies, restores and prunes has to come out with what Place says, and with no path beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
from pathlib import Path

import pytest

PACKAGE = "ansible_collections.vellaric.postgres.plugins.module_utils."
catalog, check, dump_options, manifests, naming, place, retention, stages, target = (
    importlib.import_module(f"{PACKAGE}_backups.{name}")
    for name in ("catalog", "check", "dump_options", "manifest", "naming", "place", "retention", "stage", "target")
)
operations, restore = (importlib.import_module(f"{PACKAGE}_dumps.{name}") for name in ("operations", "restore"))
files = importlib.import_module(PACKAGE + "_host.files")
Engine = importlib.import_module(PACKAGE + "_host.engine").Engine


class Elsewhere(place.Place):
    """Backups as objects in memory: a key, and bytes."""

    def __init__(self, directory):
        self.directory, self.container = directory, os.path.basename(directory)
        self.objects, self.held = {}, set()

    @property
    def shown(self):
        return "elsewhere"

    def backups(self, now=None):
        found = []
        for key in self.objects:
            if key.endswith(".json"):
                of = manifests.from_json(self.objects[key].decode(), key)
                age = catalog.age(of.created_at, now)
                shown = (self.container, of.file_name, f"elsewhere:{of.file_name}", of.format)
                found.append(catalog.Backup(*shown, of.size_bytes, of.created_at, age, of, of.failure))
        return sorted(found, key=lambda backup: backup.sequence)

    @contextlib.contextmanager
    def hold(self, backup):
        directory = Path(self.directory, ".held")
        directory.mkdir(0o755)
        (directory / backup.file_name).write_bytes(self.objects[backup.file_name])
        self.held.add(backup.file_name)
        try:
            yield str(directory / backup.file_name)
        finally:
            self.held.discard(backup.file_name)
            files.remove_tree(str(directory))

    def read_roles(self, backup):
        return self.objects[naming.globals_name(backup.file_name)].decode()

    @contextlib.contextmanager
    def stage(self, uid, gid):
        stage = stages.Stage(self.directory, uid, gid)
        files.make_directory(stage.work, 0o700, uid, gid)
        try:
            yield stage
        finally:
            files.remove_tree(stage.work)

    def publish(self, stage, manifest, roles):
        self.objects[naming.globals_name(manifest.file_name)] = roles.encode()
        self.objects[manifest.file_name] = Path(stage.partial(manifest.file_name)).read_bytes()
        os.unlink(stage.partial(manifest.file_name))
        self.objects[naming.manifest_name(manifest.file_name)] = manifests.to_json(manifest).encode()

    def revise(self, backup, **changes):
        key = naming.manifest_name(backup.file_name)
        manifest = dataclasses.replace(manifests.from_json(self.objects[key].decode(), key), **changes)
        self.objects[key] = manifests.to_json(manifest).encode()
        return manifest

    def remove(self, backup):
        assert backup.file_name not in self.held
        for name in (naming.manifest_name, naming.globals_name, str):
            del self.objects[name(backup.file_name)]


@pytest.fixture
def elsewhere(host, monkeypatch):
    host.run("shop")
    host.query("shop", "CREATE TABLE orders AS SELECT generate_series(1, 500) AS id")
    there = Elsewhere(f"{host.root}/backups/{host.container('shop')}")
    monkeypatch.setattr(target, "place_of", lambda directory: there)
    return there


def test_a_place_that_is_not_on_the_host(host, elsewhere):
    engine = Engine()
    engine.connect()

    def run(state, **options):
        request = operations.Request(host.name("shop"), host.environment, host.data_root, state, **options)
        return operations.run(engine, request)

    taken = run("present").backup
    run("present", options=dump_options.Options(format="custom"))
    assert os.listdir(elsewhere.directory) == [] and len(elsewhere.objects) == 6
    for name in (taken.file_name, "latest"):
        assert run("checked", backup=name).failure is None
        assert run("verified", backup=name).backup.verified

    host.query("shop", "DELETE FROM orders")
    of = target.observe_target(engine, host.data_root, host.name("shop"), host.environment)
    for name in (taken.file_name, "latest"):
        outcome = restore.restore(engine, of, restore.Options(backup=name, backup_first=False, keep_old=0))
        assert outcome.restored["rows"] == 500
        host.query("shop", "DELETE FROM orders")

    assert len(run("pruned", retention=retention.Retention(last=1)).removed) == 1
    assert os.listdir(elsewhere.directory) == [] and len(elsewhere.objects) == 3
