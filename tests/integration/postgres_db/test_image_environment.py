# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image brings along besides the server: honoured, kept off, or refused before anything is made."""

from __future__ import annotations

import shutil

import harness
import pytest
from harness import docker, verbs

MISLEADING = {
    "POSTGRES_USER": "app",
    "POSTGRES_DB": "other",
    "POSTGRES_PASSWORD_FILE": "/run/secrets/none",
    "POSTGRES_HOST_AUTH_METHOD": "trust",
    "POSTGRES_INITDB_WALDIR": "/wal",
    "PGPORT": "6000",
    "PGHOST": "nowhere",
    "PGUSER": "nobody",
    "PGDATABASE": "none",
    "PGOPTIONS": "-c search_path=x",
    "PGSSLMODE": "verify-full",
    "PG_COLOR": "always",
}


def with_environment(tag, **variables):
    return harness.derived_image(tag, *(f"ENV {name} {value}" for name, value in variables.items()))


def encoding(host, short):
    return host.query(short, "SELECT current_setting('server_encoding'), current_setting('wal_segment_size')")


def test_variables_that_would_mislead_a_run_are_kept_off_and_those_of_initdb_honoured(host, image_tag):
    with_environment(image_tag, **MISLEADING, POSTGRES_INITDB_ARGS='"--wal-segsize=1 --locale=C -A trust -X /wal"')
    host.converge("a", image=image_tag)
    assert encoding(host, "a") == [("UTF8", "1MB")]
    assert (host.directory("a") / "pgdata/15/docker/pg_wal").is_dir()
    assert not (host.directory("a") / "pgdata/15/docker/pg_wal").is_symlink()
    shown = docker("exec", host.container("a"), "env")
    assert not [name for name in MISLEADING if f"\n{name}=" in f"\n{shown}"]
    arguments = {"name": host.name("a"), "environment": host.environment, "data_root": host.data_root}
    for state in ("present", "verified"):
        host._result("postgres_db_backup", {**arguments, "state": state})
    assert "replace" in verbs(host.converge("a", image=image_tag, shm_size="300m"))


@pytest.mark.parametrize("how_many", [1, 3] if harness.THOROUGH else [3])
def test_an_image_without_a_locale_makes_no_database_that_takes_any_bytes(host, image_tag, how_many):
    with_environment(image_tag, LANG="C")
    host.run(databases=[{"name": host.name(f"d{number}"), "image": image_tag} for number in range(how_many)])
    for number in range(how_many):
        assert encoding(host, f"d{number}") == [("UTF8", "16MB")]


def test_what_is_not_understood_is_refused_before_anything_is_made(host, image_tag):
    with_environment(image_tag, POSTGRES_INITDB_ARGS="--locale=\\$LANG")
    for attempt in (host.check, host.run):
        with pytest.raises(harness.Failed, match="POSTGRES_INITDB_ARGS"):
            attempt("a", image=image_tag)
    assert host.untouched()


def test_a_log_that_lies_in_the_container_is_found_and_not_lost_with_it(host):
    """As an image's POSTGRES_INITDB_WALDIR made it before."""
    host.run("a", read_only=False)
    container, wal = host.container("a"), host.directory("a") / "pgdata/15/docker/pg_wal"
    host.run("a", state="stopped")
    docker("cp", "-a", str(wal), f"{container}:/wal")
    shutil.rmtree(wal)
    wal.symlink_to("/wal")
    host.run("a", read_only=False)
    host.query("a", "CREATE TABLE t AS SELECT 1 AS i")
    (found,) = host.info(name=host.name("a"), gather=["findings"])
    assert ("critical", "data_in_container") in [(one["severity"], one["code"]) for one in found["findings"]]
    for options in ({"shm_size": "300m"}, {"state": "absent"}):
        message = host.refused("a", read_only=False, **options)
        assert "pg_wal -> /wal" in message and "docker cp" in message
    # As the message says.
    host.run("a", state="stopped")
    wal.unlink()
    docker("cp", "-a", f"{container}:/wal", str(wal))
    host.run("a", read_only=False)
    assert "replace" in verbs(host.run("a", read_only=True))
    assert host.query("a", "SELECT i FROM t") == [(1,)]
