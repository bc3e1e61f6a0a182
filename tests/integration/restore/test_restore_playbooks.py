# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks restore, import and clone, as a user runs them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
import yaml
from harness import PASSWORD, Host
from restoring import in_container, nothing_left, take

from playbooks import Fleet, changes


@pytest.fixture(scope="module")
def fleet():
    host = Host()
    host.run("shop")
    host.query(
        "shop", "CREATE TABLE people AS SELECT n AS id, n || '@example.com' AS mail FROM generate_series(1, 9) AS n"
    )
    yield Fleet(host)
    host.close()


def test_restore_of_a_file_on_the_controller(fleet):
    backup = take(fleet.host, "shop")
    for path in Path(backup.path).parent.glob(backup.file_name + "*"):
        shutil.copy(path, fleet.root)
    fleet.host.query("shop", "DELETE FROM people")
    given = {"restore_file": f"./{backup.file_name}", "restore_backup_first": False, "restore_keep_old": 0}
    assert changes(fleet.play("restore", "--check", **given)) == 1
    assert fleet.host.query("shop", "SELECT count(*) FROM people") == [(0,)]
    output = fleet.play("restore", **given)
    assert changes(output) == 1 and backup.file_name in output
    assert fleet.host.query("shop", "SELECT count(*) FROM people") == [(9,)]
    assert not list(Path(tempfile.gettempdir()).glob(f"vellaric-copy-*/{backup.file_name}"))
    nothing_left(fleet.host, "shop")


def test_import_of_a_file_on_the_controller(fleet):
    container, name = fleet.host.container("shop"), fleet.host.name("shop")
    path = fleet.root / "old dump.sql"
    path.write_bytes(in_container(container, "pg_dump", name))
    given = {"import_file": path.relative_to(fleet.root).as_posix()}
    assert "replace: true" in fleet.play("import", succeeds=False, **given)
    output = fleet.play("import", **given, import_replace=True, import_keep_old=0, import_backup_first=False)
    assert "public.people" in output and changes(output) == 1
    nothing_left(fleet.host, "shop")


def test_a_restore_that_is_run_twice_comes_to_the_same(fleet):
    wished = take(fleet.host, "shop").file_name
    fleet.host.query("shop", "CREATE TABLE mistake (i int)")
    for _turn in range(2):
        assert wished in fleet.play("restore", restore_keep_old=0)
        assert fleet.host.query("shop", "SELECT to_regclass('mistake') IS NULL") == [(True,)]


def test_a_clone_into_itself_is_refused(fleet):
    given = {"clone_from_environment": "development", "clone_mask": "DELETE FROM people"}
    assert "would be cloned into itself" in fleet.play("clone", succeeds=False, **given)
    assert fleet.host.query("shop", "SELECT count(*) FROM people") == [(9,)]


def test_clone_that_is_masked(fleet):
    fleet.host.run("copy")
    mask = fleet.root / "mask.sql"
    mask.write_text("UPDATE people SET mail = 'person-' || id || '@invalid.example';\n")
    given = {"clone_from_name": fleet.host.name("shop"), "clone_from_environment": "development"}
    fleet.play(
        "clone",
        short="copy",
        **given,
        clone_mask_files=[mask.relative_to(fleet.root).as_posix()],
        clone_mask="DELETE FROM people WHERE id > 5",
    )
    assert fleet.host.query("copy", "SELECT mail FROM people WHERE id = 5") == [("person-5@invalid.example",)]
    assert fleet.host.query("copy", "SELECT count(*) FROM people") == [(5,)]
    assert fleet.host.query("shop", "SELECT count(*) FROM people") == [(9,)]
    nothing_left(fleet.host, "copy")


def test_a_clone_out_of_production_wants_a_mask_or_to_be_told(fleet):
    output = " ".join(fleet.play("clone", short="copy", clone_from_name="shop", succeeds=False).split())
    assert "nothing of it would be masked in development" in output and "-e clone_unmasked=true" in output
    # Told, it goes on to look for what is to be cloned.
    output = fleet.play("clone", short="copy", clone_from_name="none", clone_unmasked=True, succeeds=False)
    assert "masked" not in output and "none-production-postgres" in output


def test_restore_that_is_masked(fleet):
    take(fleet.host, "shop")
    mask = fleet.root / "restored.sql"
    mask.write_text("UPDATE people SET mail = 'nobody';\n")
    given = {"restore_mask_files": [mask.name], "restore_mask": "DELETE FROM people WHERE id > 8"}
    fleet.play("restore", **given, restore_backup_first=False, restore_keep_old=0)
    assert fleet.host.query("shop", "SELECT mail, count(*) FROM people GROUP BY 1") == [("nobody", 8)]


def test_clone_from_another_host(fleet):
    """What is cloned is found on the other host, and brought from there; nothing of it is left on the way."""
    other = Host()
    try:
        # Users that only the source has, and privileges of theirs.
        other.run("source", users=[{"name": "report", "role": "readonly", "password": PASSWORD}])
        other.query("source", "CREATE TABLE people AS SELECT n AS id, 'secret' AS mail FROM generate_series(1, 7) AS n")
        fleet.host.run("target")
        path = fleet.root / "inventory/hosts.yml"
        before = path.read_text()
        hosts = yaml.safe_load(before)
        roots = {f"database_{name}": other.defaults[name] for name in ("data_root", "backup_root")}
        known = hosts["postgres_hosts"]["hosts"]
        known["other"] = {**known["local"], **roots}
        path.write_text(yaml.safe_dump(hosts))
        given = {"clone_from_name": other.name("source"), "clone_from_environment": "development"}
        masked = {**given, "clone_mask": "UPDATE people SET mail = 'nobody'"}
        output = fleet.play("clone", "--check", short="target", **masked)
        assert "from other, restore it into" in output and "and run 1 masks" in output
        fleet.play("clone", short="target", **masked)
        assert fleet.host.query("target", "SELECT mail, count(*) FROM people GROUP BY 1") == [("nobody", 7)]
        assert fleet.host.run("target")["changed"] is False
        assert not list(Path("/var/tmp").glob("vellaric-c*/*development-postgres*"))
        nothing_left(fleet.host, "target")
        nowhere = fleet.play("clone", short="target", **{**masked, "clone_from_name": "nowhere"}, succeeds=False)
        assert "clone_from_host=HOST" in nowhere
        # The one that is named, and its last backup.
        other.query("source", "DELETE FROM people")
        fleet.play("clone", short="target", **given, clone_from_host="other", clone_backup="latest")
        assert fleet.host.query("target", "SELECT mail, count(*) FROM people GROUP BY 1") == [("secret", 7)]
        path.write_text(before)
    finally:
        other.close()
