# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import naming
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError

APP = "app-production-postgres"
MOMENT = datetime.datetime(2026, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("format_", "compression", "suffix"),
    [
        ("plain", "gzip", ".sql.gz"),
        ("plain", "zstd", ".sql.zst"),
        ("plain", "lz4", ".sql.lz4"),
        ("plain", "none", ".sql"),
        ("custom", "gzip", ".dump"),
        ("custom", "zstd", ".dump"),
        ("directory", "lz4", ".dir"),
    ],
)
def test_a_name_says_container_moment_and_format(format_, compression, suffix):
    name = naming.file_name(APP, MOMENT, format_, compression)
    assert name == f"{APP}-20260304-050607{suffix}"
    parsed = naming.parse(APP, name)
    assert (parsed.moment, parsed.format) == (MOMENT, format_)
    assert parsed.compression == (compression if format_ == "plain" else None)


@pytest.mark.parametrize(
    "name",
    [
        f"{APP}-20260304-050607.sql.gz.json",
        f"{APP}-20260304-050607.sql.gz.globals.sql",
        f"{APP}-test-20260304-050607.sql.gz",
        f"x{APP}-20260304-050607.sql.gz",
        f"{APP}-20261304-050607.sql.gz",
        f"{APP}-20260304-250607.sql.gz",
        f"{APP}-20260304-050607.sql.gz\n",
        f"{APP}-２０２６0304-050607.sql.gz",
        f"{APP}-20260304-050607.tar",
        f".{APP}-20260304-050607.sql.gz",
        f"../{APP}-20260304-050607.sql.gz",
        "",
    ],
)
def test_other_files_are_no_backups(name):
    assert naming.parse(APP, name) is None


@pytest.mark.parametrize(
    "name",
    ["$(touch /tmp/x)", "'; DROP TABLE x; --", "../../etc/passwd", "/etc/passwd", f"{APP}-20260304-050607.sql;x"],
)
def test_a_name_that_a_user_gives_is_checked(name):
    with pytest.raises(DatabaseError, match="not the name of a backup"):
        naming.check(APP, name)


def test_a_backup_of_a_container_whose_name_begins_alike_is_another_ones():
    other = naming.file_name("app-test-production-postgres", MOMENT, "plain", "gzip")
    assert naming.parse("app", other) is None


def test_two_backups_in_one_second_have_two_names():
    names = [naming.file_name(APP, MOMENT, "plain", "gzip"), naming.file_name(APP, MOMENT, "custom", "gzip")]
    free = naming.free_moment(APP, names, MOMENT.replace(microsecond=500))
    assert free == MOMENT + datetime.timedelta(seconds=1)
    assert naming.free_moment(APP, [], MOMENT) == MOMENT
