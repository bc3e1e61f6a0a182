# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are restored to prove them, and the one that is taken before a database is deleted."""

from __future__ import annotations

import os
import signal

import harness
import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import catalog
from backups import Backups


@pytest.fixture(scope="module")
def shop(shared):
    shared.run("shop", extensions=["pg_trgm"], wait_timeout=300)
    shared.query("shop", 'CREATE SCHEMA "Odd Name"')
    shared.query("shop", "CREATE TABLE orders (id serial PRIMARY KEY, note text, CHECK (id > 0))")
    shared.query("shop", "INSERT INTO orders (note) SELECT 'order ' || i FROM generate_series(1, 500) AS i")
    shared.query("shop", 'CREATE TABLE "Odd Name"."x y" (a int) PARTITION BY RANGE (a)')
    shared.query("shop", 'CREATE TABLE "Odd Name".part PARTITION OF "Odd Name"."x y" FOR VALUES FROM (0) TO (9)')
    shared.query("shop", 'INSERT INTO "Odd Name"."x y" SELECT generate_series(1, 8)')
    shared.query("shop", "SELECT lo_from_bytea(0, 'large')")
    shared.query("shop", COMMENTED)
    shared.psql("shop", "CREATE ROLE reader NOLOGIN; ALTER ROLE reader SET work_mem = '6MB'")
    shared.query("shop", "GRANT SELECT ON orders TO reader")
    return Backups(shared, "shop")


# Eight that pg_dump takes; of what it dumps with another thing, or not at all, it takes none.
COMMENTED = """CREATE DOMAIN positive AS integer CONSTRAINT above CHECK (VALUE > 0);
CREATE TYPE pair AS (a integer, b text); CREATE TYPE span AS RANGE (subtype = date);
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER fires BEFORE INSERT ON "Odd Name"."x y" FOR EACH ROW EXECUTE FUNCTION fired();
ALTER TABLE "Odd Name"."x y" ADD CONSTRAINT small CHECK (a < 100);
COMMENT ON TABLE orders IS 'orders'; COMMENT ON COLUMN orders.note IS 'a note'; COMMENT ON INDEX orders_pkey IS 'key';
COMMENT ON CONSTRAINT above ON DOMAIN positive IS 'above'; COMMENT ON COLUMN pair.b IS 'of a type';
COMMENT ON SCHEMA "Odd Name" IS 'odd'; COMMENT ON TRIGGER fires ON "Odd Name"."x y" IS 'fires';
COMMENT ON CONSTRAINT small ON "Odd Name"."x y" IS 'small';
COMMENT ON TRIGGER fires ON "Odd Name".part IS 'lost'; COMMENT ON CONSTRAINT small ON "Odd Name".part IS 'lost';
COMMENT ON TYPE _positive IS 'lost'"""


@pytest.fixture
def fresh(shop):
    shop.forget()
    return shop


def verification(shop):
    return harness.inspect(f"{shop.container}-verify")


@pytest.mark.parametrize("options", [{}, {"format": "custom"}, {"format": "directory", "jobs": 2}])
def test_a_backup_is_restored_and_compared(fresh, options):
    name = fresh.take(**options)["name"]
    predicted = fresh.run(check=True, state="verified", **options)
    assert predicted["changed"] and not predicted["backup"]["verified"]
    answer = fresh.run(state="verified", jobs=options.get("jobs", 1), format=options.get("format", "plain"))
    backup = answer["backup"]
    assert harness.verbs(answer) == harness.verbs(predicted) == ["verify"]
    assert backup["name"] == name and backup["verified"] and backup["good"] and backup["verified_at"]
    assert backup["verified_how"]["rows"] == 508 and backup["verified_how"]["image"] == harness.IMAGE
    assert verification(fresh) is None
    assert os.listdir(f"{fresh.host.data_root}/.verify") == []
    assert not fresh.run(state="verified", format=options.get("format", "plain"))["changed"]
    assert fresh.run(state="checked", backup="latest_verified")["backup"]["name"] == name
    fresh.assert_clean(1)


def test_the_throw_away_container_has_no_network_and_none_of_the_data(fresh):
    fresh.take()
    process = fresh.start(state="verified")
    harness.eventually(lambda: (verification(fresh) or {}).get("State", {}).get("Running"), seconds=60)
    seen = verification(fresh)
    assert harness.result(process)["backup"]["verified"]
    assert seen["HostConfig"]["NetworkMode"] == "none" and not seen["HostConfig"]["PortBindings"]
    assert sorted(seen["HostConfig"]["CapDrop"]) == ["ALL"]
    writable = [mount["Source"] for mount in seen["Mounts"] if mount["RW"] and mount["Type"] == "bind"]
    assert writable == [f"{fresh.host.data_root}/.verify/{fresh.container}/pgdata"]


def test_what_is_not_what_was_backed_up_is_found_and_does_not_count(fresh):
    older = fresh.take()["name"]
    name = fresh.take()["name"]
    backup = catalog.find(fresh.place, name)
    counts = {**backup.manifest.row_counts, "public.orders": 501}
    assert backup.manifest.objects["comments"] == 8
    objects = {**backup.manifest.objects, "tables": 7, "comments": 9}
    fresh.place.revise(backup, row_counts=counts, objects=objects)
    message = fresh.refused(state="verified")
    assert "500 rows in public.orders instead of 501" in message and "2 tables instead of 7" in message
    assert "8 comments instead of 9" in message
    assert verification(fresh) is None
    # From now on it is not the latest good one, nor does it become that by being read.
    assert fresh.run(state="checked")["backup"]["name"] == older
    assert catalog.find(fresh.place, name).damage.startswith("the restored database differs")


def test_a_verification_that_was_killed_is_cleared_away_by_the_next(fresh):
    fresh.take()
    process = fresh.start(state="verified")
    harness.eventually(lambda: (verification(fresh) or {}).get("State", {}).get("Running"), seconds=60)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not catalog.find(fresh.place, "latest").verified
    assert fresh.run(state="verified")["backup"]["verified"]
    assert verification(fresh) is None
    fresh.assert_clean(1)


def test_a_verification_waits_for_another_and_takes_its_answer(fresh):
    fresh.take()
    first = fresh.start(state="verified")
    harness.eventually(lambda: verification(fresh), seconds=60)
    assert "for 1 s: wait for it" in fresh.refused(state="verified", wait_timeout=1)
    second = fresh.start(state="verified")
    both = [harness.result(process)["backup"] for process in (first, second)]
    assert both[0]["verified"] and both[0]["verified_at"] == both[1]["verified_at"]
    assert both[0]["verified_how"] == both[1]["verified_how"]
    fresh.assert_clean(1)


def test_what_is_being_verified_is_not_removed(fresh):
    first = fresh.take()["name"]
    fresh.take()
    process = fresh.start(state="verified", backup=first)
    harness.eventually(lambda: verification(fresh), seconds=60)
    assert "restored or verified" in fresh.refused(state="absent", backup=first)
    pruned = fresh.run(state="pruned", retention={"last": 1})
    assert pruned["removed"] == [] and pruned["warnings"]
    harness.result(process)
    assert fresh.run(state="absent", backup=first)["changed"]


def test_a_change_that_interrupts_waits_for_the_backup(fresh):
    fresh.host.query("shop", "CREATE TABLE held (id int)")
    with fresh.locked("held"):
        process = fresh.start()
        harness.eventually(fresh.waits_for_lock)
        assert "the backups of" in fresh.host.refused("shop", state="stopped", wait_timeout=1)
        # What interrupts nobody need not wait.
        assert fresh.host.run("shop", extensions=["pg_trgm"], deletion_protection=True)["changed"]
    assert harness.result(process)["backup"]["good"]
    fresh.host.run("shop", extensions=["pg_trgm"])
    fresh.host.query("shop", "DROP TABLE held")


def test_a_deletion_in_production_begins_with_a_backup(shared):
    production = harness.Host(environment="production")
    try:
        production.run("shop")
        production.query("shop", "CREATE TABLE orders AS SELECT 1 AS id")
        deletion = {"state": "absent", "deletion_protection": False, "purge": True}
        predicted = production.check("shop", **deletion)
        answer = production.run("shop", **deletion)
        assert harness.verbs(predicted) == harness.verbs(answer) == ["final_backup", "remove", "purge"]
        assert answer["final_backup"]["taken_by"] == "final" and answer["final_backup"]["good"]
        backups = Backups(production, "shop")
        assert not production.directory("shop").exists() and answer["final_backup"]["name"] in backups.files()
        # Of a database that is gone, backups are still there to be checked, proved and removed.
        root = production.defaults["backup_root"]
        assert backups.run(state="verified", backup_root=root)["backup"]["verified"]
        gone = backups.run(state="absent", backup_root=root, backup=answer["final_backup"]["name"])
        assert gone["changed"] and backups.files() == []
        production.run("shop")
        assert harness.verbs(production.run("shop", **deletion, final_backup=False)) == ["remove", "purge"]
        assert backups.files() == []
    finally:
        production.close()
