# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ansible_collections.vellaric.postgres.plugins.module_utils._domain import layout

ROOT = "/var/vellaric/postgres"
CONTAINER = "app-development-postgres"


def test_what_is_not_a_database_is_hidden_below_the_data_root():
    paths = [
        layout.authority_lock(ROOT),
        layout.database_lock(ROOT, CONTAINER),
        layout.image_cache(ROOT),
        layout.trash(ROOT, CONTAINER, "2026-01-15T12:00:00.000Z", "db-1"),
        layout.doomed(ROOT, CONTAINER),
    ]
    assert all(path[len(ROOT) :].startswith("/.") for path in paths)
    assert len(set(paths)) == len(paths)


def test_the_trash_tells_when_and_which():
    path = layout.trash(ROOT, CONTAINER, "2026-01-15T12:34:56.789Z", "db-1")
    assert path == f"{ROOT}/.trash/{CONTAINER}-20260115T123456-db-1"


def test_a_removal_under_way_is_not_in_the_way_of_the_trash():
    assert not layout.doomed(ROOT, CONTAINER).rsplit("/", 1)[-1].startswith(CONTAINER)


def test_no_database_is_called_like_a_container_that_waits():
    # Every container of a database ends in -postgres.
    assert layout.previous_container(CONTAINER) == f"{CONTAINER}-previous"


def test_the_trash_of_one_name_is_told_from_that_of_others():
    container, identity = "app-production-postgres", "db-0123456789abcdef01234567"
    first = os.path.basename(layout.trash("/x", container, "2026-01-15T12:00:00.123Z", identity))
    last = os.path.basename(layout.trash("/x", container, "2026-02-15T12:00:00.123Z", identity))
    others = [f"app-{first}", f"{container}-production-postgres-20260101T000000-{identity}", f".purge-{container}"]
    assert layout.trashed(container, [last, *others, first]) == (first, last)
    assert layout.deleted_at(container, first) == ("2026-01-15T12:00:00Z", identity)
    assert layout.expired(container, (first, last), "2026-02-16T12:00:01.000Z", 1) == (first, last)
    assert layout.expired(container, (first, last), "2026-02-16T11:59:59.000Z", 1) == (first,)
    assert layout.expired(container, (first, last), "2026-02-16T12:00:00.000Z", 40) == ()
