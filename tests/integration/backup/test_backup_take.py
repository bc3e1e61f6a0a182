# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that succeed: what they are called, what is beside them, and what they hold."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import re
import threading

import harness
import pytest
from backups import Backups

STAMP = "%Y%m%d-%H%M%S"


@pytest.fixture(scope="module")
def shop(shared):
    shared.run("shop")
    shared.query("shop", "CREATE TABLE orders (id serial PRIMARY KEY, note text)")
    shared.query("shop", "INSERT INTO orders (note) SELECT 'order ' || i FROM generate_series(1, 500) AS i")
    shared.query("shop", 'CREATE TABLE "Odd; Name\n$(x) ""quoted""" (id int)')
    shared.query("shop", 'INSERT INTO "Odd; Name\n$(x) ""quoted""" SELECT 1')
    shared.query("shop", "CREATE VIEW recent AS SELECT * FROM orders WHERE id > 490")
    shared.query("shop", f"ALTER DATABASE \"{shared.name('shop')}\" SET work_mem = '8MB'")
    return Backups(shared, "shop")


@pytest.fixture
def fresh(shop):
    shop.forget()
    return shop


def manifest_of(shop, backup):
    return json.loads((shop.directory / f"{backup['name']}.json").read_text())


def test_a_backup_has_its_name_its_manifest_and_the_roles(fresh):
    predicted = fresh.run(check=True)
    assert predicted["changed"] and fresh.files() == [] and predicted["backup"] is None
    answer = fresh.run()
    assert [action["verb"] for action in answer["actions"]] == ["take"] == harness.verbs(predicted)
    backup = answer["backup"]
    assert re.fullmatch(re.escape(fresh.container) + r"-\d{8}-\d{6}\.sql\.gz", backup["name"])
    assert answer["diff"]["before"] == {"backups": []} and answer["diff"]["after"] == {"backups": [backup["name"]]}
    assert backup["good"] and backup["checked"] and not backup["verified"] and backup["taken_by"] == "module"
    assert fresh.files() == [backup["name"], f"{backup['name']}.globals.sql", f"{backup['name']}.json"]
    text = gzip.decompress((fresh.directory / backup["name"]).read_bytes())
    assert b"PostgreSQL database dump complete" in text[-400:] and b"\r\n" not in text
    assert backup["size_bytes"] == (fresh.directory / backup["name"]).stat().st_size
    fresh.assert_clean(1)


def test_the_manifest_says_what_it_holds(fresh):
    manifest = manifest_of(fresh, fresh.take())
    assert manifest["row_counts"] == {"public.orders": 500, 'public."Odd; Name\n$(x) ""quoted"""': 1}
    objects = {kind: number for kind, number in manifest["objects"].items() if number}
    assert objects == {"tables": 2, "views": 1, "sequences": 1, "indexes": 1, "constraints": 1}
    assert manifest["extensions"] == {"plpgsql": "1.0"}
    assert manifest["database_id"] == fresh.host.record("shop")["id"]
    assert manifest["database"]["owner"] == harness.USERNAME
    assert manifest["database"]["settings"] == [{"role": None, "settings": ["work_mem=8MB"]}]
    assert manifest["database"]["encoding"] == "UTF8"
    assert manifest["server_version"].startswith("15.") and manifest["image"] == harness.IMAGE


def test_the_server_may_read_finished_backups_but_not_touch_them(fresh):
    backup = fresh.take()
    inside = f"/var/lib/vellaric/backups/{backup['name']}"

    def tries(command):
        return harness.docker(
            "exec", "-u", "postgres", fresh.container, "sh", "-c", f"{command} && echo done", check=False
        )

    assert tries(f"cat {inside} >/dev/null") == "done"
    for command in (f"echo x >>{inside}", f"rm {inside}", f"mv {inside} {inside}.old", f"touch {inside}.new"):
        assert tries(f"{command} 2>/dev/null") == ""
    assert tries(f"cat {inside}.globals.sql 2>/dev/null") == ""
    assert (fresh.directory / f"{backup['name']}.globals.sql").stat().st_mode & 0o777 == 0o600


def test_no_secret_is_in_the_result_and_only_a_verifier_in_the_globals(fresh):
    answer = fresh.run()
    known = json.dumps(answer) + (fresh.directory / f"{answer['backup']['name']}.json").read_text()
    assert "SCRAM" not in known and harness.PASSWORD not in known
    roles = (fresh.directory / f"{answer['backup']['name']}.globals.sql").read_text()
    assert f"CREATE ROLE {harness.USERNAME}" in roles and harness.PASSWORD not in roles


@pytest.mark.parametrize("options", [{"format": "custom"}, {"format": "directory", "jobs": 2}, {"compression": "none"}])
def test_other_formats(fresh, options):
    backup = fresh.take(**options)
    assert backup["good"] and backup["checked"] and backup["format"] == options.get("format", "plain")
    inside = f"/var/lib/vellaric/backups/{backup['name']}"
    if options.get("format"):
        listed = harness.docker("exec", "-u", "postgres", fresh.container, "pg_restore", "-l", inside)
        assert "TABLE DATA public orders" in listed
    assert manifest_of(fresh, backup)["row_counts"]["public.orders"] == 500
    fresh.assert_clean(1)


def test_a_backup_that_is_recent_enough_is_not_taken_again(fresh):
    first = fresh.run(max_age="1h")
    assert first["changed"]
    for check in (True, False):
        again = fresh.run(check=check, max_age="1h")
        assert not again["changed"] and again["backup"]["name"] == first["backup"]["name"]
        assert again["diff"]["before"] == again["diff"]["after"]
    assert fresh.run(check=True)["changed"]


def test_one_that_is_not_good_is_not_recent_enough(fresh):
    first = fresh.take()
    (fresh.directory / first["name"]).write_bytes(b"")
    again = fresh.run(max_age="1h")
    assert again["changed"] and again["backup"]["good"]


def test_two_in_one_second_have_two_names(fresh):
    now = datetime.datetime.now(datetime.timezone.utc)
    fresh.directory.mkdir(exist_ok=True)
    taken = [now + datetime.timedelta(seconds=seconds) for seconds in range(60)]
    for moment in taken:
        (fresh.directory / f"{fresh.container}-{moment.strftime(STAMP)}.dump").touch()
    backup = fresh.take()
    assert backup["name"] > f"{fresh.container}-{taken[-1].strftime(STAMP)}.dump"
    for moment in taken:
        assert (fresh.directory / f"{fresh.container}-{moment.strftime(STAMP)}.dump").stat().st_size == 0


def test_two_runs_at_once_take_one_after_the_other(fresh):
    running = [fresh.start(), fresh.start()]
    answers = [harness.result(process) for process in running]
    assert len({answer["backup"]["name"] for answer in answers}) == 2
    assert sorted(manifest_of(fresh, answer["backup"])["sequence"] for answer in answers) == [1, 2]
    fresh.assert_clean(2)


def test_a_clock_that_was_moved_back(fresh):
    first = fresh.take()
    # As if it had been taken while the clock was a year ahead.
    script = (
        "import dataclasses, datetime, os, sys; sys.path.insert(0, sys.argv[2]);"
        "from ansible_collections.vellaric.postgres.plugins.module_utils._backups import catalog, naming;"
        "from ansible_collections.vellaric.postgres.plugins.module_utils._backups import local_directory;"
        "from ansible_collections.vellaric.postgres.plugins.module_utils._domain import clock;"
        "place = local_directory.LocalDirectory(sys.argv[1]);"
        "b = catalog.find(place, 'latest');"
        "later = datetime.datetime.fromisoformat(b.created_at[:19]) + datetime.timedelta(days=365);"
        "name = naming.file_name(b.container, later, 'plain', 'gzip');"
        "os.rename(b.path, os.path.join(sys.argv[1], name)); os.unlink(b.path + '.json');"
        "os.rename(b.path + '.globals.sql', os.path.join(sys.argv[1], name + '.globals.sql'));"
        "place.write_manifest(dataclasses.replace(b.manifest, file_name=name,"
        " created_at=clock.iso(later)))"
    )
    harness.subprocess.run(
        [harness.sys.executable, "-c", script, str(fresh.directory), str(harness.COLLECTIONS)], check=True
    )
    answer = fresh.run(max_age="1h")
    # What is dated in the future is not taken for recent, and what was taken later is the newest.
    assert answer["changed"] and answer["backup"]["name"] >= first["name"]
    assert "clock" in json.dumps(answer["warnings"])
    assert fresh.run(state="checked", backup="latest")["backup"]["name"] == answer["backup"]["name"]
    pruned = fresh.run(state="pruned", retention={"last": 1})
    assert pruned["removed"] != [answer["backup"]["name"]] and len(pruned["removed"]) == 1


def test_all_tables_are_of_one_moment(fresh):
    """While both sides of each transfer are written in one transaction, no backup sees one without the other."""
    host = fresh.host
    host.query("shop", "CREATE TABLE credits (id int); CREATE TABLE debits (id int)")
    stop = threading.Event()

    def transfer():
        with host.connect("shop", autocommit=False) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                connection.execute(f"INSERT INTO credits VALUES ({number})")
                connection.execute(f"INSERT INTO debits VALUES ({number})")
                connection.commit()

    writer = threading.Thread(target=transfer)
    writer.start()
    try:
        backup = fresh.take()
    finally:
        stop.set()
        writer.join()
    counts = manifest_of(fresh, backup)["row_counts"]
    assert counts["public.credits"] == counts["public.debits"] > 0
    text = gzip.decompress((fresh.directory / backup["name"]).read_bytes()).decode()
    for table in ("credits", "debits"):
        rows = re.search(rf"COPY public\.{table} .*?;\n(.*?)\\\.\n", text, re.S).group(1)
        assert rows.count("\n") == counts[f"public.{table}"]
    host.query("shop", "DROP TABLE credits, debits")


def test_rows_need_not_be_counted(fresh):
    assert manifest_of(fresh, fresh.take(row_counts=False))["row_counts"] is None


def test_a_hostile_search_path_of_the_database_is_not_followed(fresh):
    """The owner of a database may set its search_path, and make functions that hide the server's own."""
    host = fresh.host
    host.query("shop", "CREATE SCHEMA evil")
    host.query("shop", "CREATE TABLE evil.told (by text)")
    for name in ("current_setting(text)", "pg_export_snapshot()", "pg_encoding_to_char(int)"):
        host.query(
            "shop",
            f"CREATE FUNCTION evil.{name} RETURNS text LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO evil.told VALUES (current_user); RETURN 'x'; END $$",
        )
    host.query("shop", f'ALTER DATABASE "{host.name("shop")}" SET search_path = evil, pg_catalog, public')
    try:
        assert fresh.take()["good"]
        assert host.query("shop", "SELECT * FROM evil.told") == []
    finally:
        host.query("shop", f'ALTER DATABASE "{host.name("shop")}" RESET search_path')
        host.query("shop", "DROP SCHEMA evil CASCADE")


def test_backups_are_pruned_after_one_has_been_taken(fresh):
    for turn in range(2):
        fresh.take()
    predicted = fresh.run(check=True, retention={"last": 2})
    answer = fresh.run(retention={"last": 2})
    assert harness.verbs(answer) == harness.verbs(predicted) == ["take", "remove"]
    assert answer["removed"] == predicted["removed"] and len(answer["removed"]) == 1
    again = fresh.run(state="pruned", retention={"last": 2})
    assert not again["changed"]
    fresh.assert_clean(2)


def test_one_is_removed_by_its_name(fresh):
    backup = fresh.take()
    predicted = fresh.run(check=True, state="absent", backup=backup["name"])
    answer = fresh.run(state="absent", backup=backup["name"])
    assert predicted["removed"] == answer["removed"] == [backup["name"]]
    assert predicted["diff"]["after"] == answer["diff"]["after"] == {"backups": []}
    assert not fresh.run(state="absent", backup=backup["name"])["changed"]
    fresh.assert_clean(0)


@pytest.mark.parametrize(
    "name", ["$(touch /tmp/pwned)", "x'; DROP TABLE orders; --", "../../etc/passwd", "latest", "*"]
)
def test_names_with_shell_or_sql_in_them_are_refused(fresh, name):
    assert "not the name of a backup" in fresh.refused(state="absent", backup=name)
    if name != "latest":
        assert "not the name of a backup" in fresh.refused(state="checked", backup=name)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"compression": "zstd"}, "compression: gzip"),
        ({"jobs": 2}, "format: directory"),
        ({"compression_level": 10}, "from 1 to 9"),
        ({"timeout": 0}, "timeout is 0"),
        ({"max_age": "soon"}, "such as 12h"),
        ({"state": "pruned", "retention": {}}, "retention"),
        ({"backup": "latest", "state": "checked"}, "There is no backup"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(fresh, options, said):
    assert said in fresh.refused(**options)
    assert fresh.files() == []


def test_a_database_that_is_not_there(shop):
    other = Backups(shop.host, "nowhere")
    assert "no such database" in other.refused()
    assert not os.path.exists(other.directory)


def test_a_symbolic_link_is_not_followed(fresh, tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("precious")
    fresh.directory.mkdir(exist_ok=True)
    (fresh.directory / ".work").symlink_to(victim)
    link = f"{fresh.container}-20200101-000000.sql.gz"
    (fresh.directory / link).symlink_to(victim / "precious")
    fresh.take()
    assert (victim / "precious").read_text() == "precious" and os.listdir(victim) == ["precious"]
    assert fresh.run(state="absent", backup=link)["removed"] == [link]
    assert (victim / "precious").exists()


def test_a_newer_server_has_other_compressions(shared):
    shared.run("next", image=harness.OTHER_MAJOR_IMAGE)
    shared.query("next", "CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 1000) AS i")
    backups = Backups(shared, "next")
    for options in (
        {"compression": "zstd"},
        {"compression": "lz4"},
        {"compression": "zstd", "format": "directory", "jobs": 2},
    ):
        backup = backups.take(**options)
        assert backup["good"] and backup["compression"] == options["compression"]
        assert not backups.run(state="checked", backup=backup["name"])["backup"]["damage"]
    backups.assert_clean(3)
    shared.forget("next")
