# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States: started, present, stopped, restarted, absent; protection, trash and purge; partial; max_impact."""

from __future__ import annotations

import os

import pytest
from harness import docker, inspect, verbs


@pytest.fixture(scope="module")
def living(shared):
    """A database for the tests of this file that leave it running."""
    shared.run("living")
    shared.query("living", "CREATE TABLE kept AS SELECT 42 AS answer")
    return "living"


def test_stop_start_and_restart(shared, living):
    stopped = shared.converge(living, state="stopped")
    assert verbs(stopped) == ["stop"]
    assert stopped["actions"][0]["impact"] == "restart"
    assert shared.one(living)["status"] == "stopped"
    assert shared.inspect(living)["State"]["ExitCode"] == 0
    started = shared.converge(living)
    assert verbs(started) == ["start"]
    assert shared.query(living, "TABLE kept") == [(42,)]
    before = shared.one(living)["started_at"]
    assert verbs(shared.check(living, state="restarted")) == ["restart"]
    assert shared.one(living)["started_at"] == before
    assert verbs(shared.run(living, state="restarted")) == ["restart"]
    assert shared.one(living)["started_at"] > before
    assert shared.query(living, "TABLE kept") == [(42,)]


def test_present_leaves_it_stopped_and_still_changes_it(shared, living):
    shared.run(living, state="stopped")
    assert verbs(shared.converge(living, state="present")) == []
    changed = shared.converge(living, state="present", memory="256m", settings={"work_mem": "8MB"})
    assert verbs(changed) == ["write_record", "write_files", "update"]
    assert shared.one(living)["status"] == "stopped"
    assert verbs(shared.run(living, memory="256m", settings={"work_mem": "8MB"})) == ["start"]
    assert shared.query(living, "SHOW work_mem") == [("8MB",)]
    shared.run(living)


def test_present_starts_a_new_one(host):
    assert "create" in verbs(host.converge("a", state="present"))
    assert host.query("a", "SELECT 1") == [(1,)]


def test_stopping_what_is_not_there_is_refused(host):
    for state in ("stopped", "restarted"):
        assert "there is no such database" in host.refused("a", state=state)
        assert "there is no such database" in host.refused("a", state=state, check=True)
    assert host.untouched()


def test_states_need_no_credentials(shared, living):
    nothing = {"username": None, "password": None, "image": None}
    assert verbs(shared.run(living, state="stopped", **nothing)) == ["stop"]
    assert verbs(shared.run(living, state="restarted", **nothing)) == ["start"]


def test_deletion_is_refused_while_protected(shared, living):
    shared.run(living, deletion_protection=True)
    message = shared.refused(living, state="absent")
    assert "protected from deletion" in message and "deletion_protection: false" in message
    assert "protected" in shared.refused(living, state="absent", check=True)
    assert shared.query(living, "TABLE kept") == [(42,)]
    assert verbs(shared.run(living)) == ["write_record"]


def test_production_is_protected_by_default(host):
    host.run("a", environment="production")
    assert "protected" in host.refused("a", environment="production", state="absent")
    host.converge("a", environment="production", state="absent", deletion_protection=False, purge=True)
    assert host.untouched()


def test_deletion_moves_to_the_trash_and_back(host):
    host.run("a")
    host.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    record = host.record("a")
    answer = host.converge("a", state="absent")
    assert verbs(answer) == ["remove", "trash"]
    assert answer["database"] is None
    assert host.inspect("a") is None and host.info() == []
    trash = os.path.join(host.data_root, ".trash")
    (entry,) = os.listdir(trash)
    assert entry.startswith(host.container("a")) and record["id"] in entry
    assert os.stat(trash).st_mode & 0o077 == 0
    # Brought back by hand: as it was, with its id and its port.
    os.rename(os.path.join(trash, entry), host.directory("a"))
    host.run("a")
    assert host.query("a", "TABLE kept") == [(42,)]
    assert host.record("a")["id"] == record["id"] and host.record("a")["port"] == record["port"]
    # A namesake after a deletion is another database.
    host.run("a", state="absent")
    host.run("a")
    assert host.record("a")["id"] != record["id"]
    assert host.query("a", "SELECT to_regclass('kept')") == [(None,)]


def test_purge_leaves_nothing_but_backups(host):
    host.run("a")
    answer = host.converge("a", state="absent", purge=True)
    assert verbs(answer) == ["remove", "purge"]
    assert not host.directory("a").exists()
    assert os.listdir(os.path.join(host.data_root, ".trash")) == []
    assert os.listdir(host.defaults["backup_root"]) == []
    host.run("a")
    backup = os.path.join(host.defaults["backup_root"], host.container("a"), "kept.sql.gz")
    with open(backup, "w"):
        pass
    host.run("a", state="absent", purge=True)
    assert os.path.exists(backup)


def test_what_is_stopped_or_without_a_container_can_be_deleted(host):
    host.run("a")
    host.run("a", state="stopped")
    docker("rm", "-v", host.container("a"))
    assert verbs(host.converge("a", state="absent")) == ["trash"]
    assert verbs(host.run("a", state="absent")) == []


def test_partial_changes_what_is_given_and_keeps_the_rest(shared, living):
    shared.run(living, memory="256m", settings={"work_mem": "8MB"}, address="db1.example.com")
    nothing = {"username": None, "password": None, "image": None, "pull": None, "backup_root": None}
    answer = shared.converge(living, partial=True, cpus="1", **nothing)
    assert verbs(answer) == ["write_record", "update"]
    row = shared.one(living)
    assert (row["memory_limit_bytes"], row["cpus"], row["host"]) == (256 << 20, 1, "db1.example.com")
    assert row["settings"] == {"work_mem": "8MB"}
    shared.run(living)


def test_partial_is_refused_for_what_is_not_there(host):
    assert "Create it first" in host.refused("a", partial=True)
    assert host.untouched()


def test_max_impact_holds_back_a_restart(shared, living):
    options = {"settings": {"max_connections": 150, "work_mem": "8MB"}, "max_impact": "none"}
    answer = shared.run(living, **options)
    assert [step["verb"] for step in answer["pending"]] == ["restart"]
    assert answer["pending"][0]["impact"] == "restart"
    # Asked again it is still pending, and still not done.
    again = shared.run(living, **options)
    assert [step["verb"] for step in again["pending"]] == ["restart"] and not again["changed"]
    assert shared.psql(living, "SHOW max_connections") == "100"
    done = shared.converge(living, settings=options["settings"], max_impact="restart")
    assert "restart" in verbs(done) and done["pending"] == []
    assert shared.psql(living, "SHOW max_connections") == "150"
    shared.run(living)


def test_max_impact_holds_back_a_replacement(shared, living):
    before = inspect(shared.container(living))["Id"]
    answer = shared.run(living, shm_size="128m", memory="300m", max_impact="restart")
    assert [step["verb"] for step in answer["pending"]] == ["replace"]
    assert "update" in verbs(answer)
    assert inspect(shared.container(living))["Id"] == before
    assert verbs(shared.run(living, shm_size="128m", memory="300m")) == ["replace"]
    assert shared.query(living, "TABLE kept") == [(42,)]
    shared.run(living)
