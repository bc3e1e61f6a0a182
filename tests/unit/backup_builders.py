# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups for the unit tests: on disk, or only as nouns."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib

from ansible_collections.vellaric.postgres.plugins.module_utils._backups import catalog, naming
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.local_directory import LocalDirectory
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.manifest import Manifest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import clock

CONTAINER = "shop-production-postgres"
NOW = datetime.datetime(2026, 6, 15, 12, 0, 0)
CONTENT = b"a dump"


def manifest(moment=NOW, format_="plain", compression="gzip", **changes):
    built = Manifest(
        container=CONTAINER,
        database_id="db-0123456789abcdef01234567",
        name="shop",
        environment="production",
        file_name=naming.file_name(CONTAINER, moment, format_, compression),
        format=format_,
        compression=compression,
        size_bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        created_at=clock.iso(moment),
        duration_seconds=1.5,
        sequence=1,
        server_version="15.20 (Debian 15.20-0+deb12u1)",
        dump_version="15.20",
        image="postgres:15",
        image_id="sha256:00",
        database={"owner": "db_user_0123456789ab"},
        extensions={"plpgsql": "1.0"},
        objects={"tables": 2},
        row_counts={"public.orders": 12},
        database_size_bytes=8 << 20,
        taken_by="module",
        checked_at=clock.iso(moment),
        checked_how="when it was taken",
    )
    return dataclasses.replace(built, **changes)


def put(directory, moment=NOW, content=CONTENT, **changes):
    """Put a backup into a directory, and return its manifest."""
    directory.mkdir(exist_ok=True)
    built = manifest(moment, **changes)
    (directory / built.file_name).write_bytes(content)
    LocalDirectory(str(directory)).write_manifest(built)
    return built


def noun(moment, now=NOW, sequence=1, damage=None, verified=False):
    """A Backup that is on no disk."""
    built = manifest(moment, sequence=sequence, verified_at=clock.iso(moment) if verified else None)
    age = int((now - moment).total_seconds())
    path = f"/backups/{CONTAINER}/{built.file_name}"
    return catalog.Backup(CONTAINER, built.file_name, path, "plain", 6, built.created_at, age, built, damage)
