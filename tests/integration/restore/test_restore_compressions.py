# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only newer servers' dumps have, zstd and lz4, in each format: restored, by several processes, and verified."""

from __future__ import annotations

import pytest
from harness import OTHER_MAJOR_IMAGE, Host
from restoring import dumped, make_sample, nothing_left, psql, run, take


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
