# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tune: what is derived from the limits, accepted and used by real servers of several major versions."""

from __future__ import annotations

import os

import pytest
from harness import IMAGE, OTHER_MAJOR_IMAGE, docker, verbs

NEWEST_IMAGE = os.environ.get("VELLARIC_TEST_NEWEST_IMAGE", "vellaric/postgres:18-forky")
MB, GB = 1 << 20, 1 << 30
# What the server itself says, in units and spelling of its own.
DERIVED = ("shared_buffers", "max_connections", "effective_cache_size", "maintenance_work_mem", "jit")
UNTUNED = ("128MB", "100", "4GB", "64MB", "on")
TUNED = {
    "512m": ("64MB", "28", "384MB", "32MB", "off"),
    "1g": ("256MB", "28", "768MB", "64MB", "off"),
    "4g": ("1GB", "103", "3GB", "256MB", "off"),
}


@pytest.fixture(scope="module")
def living(shared):
    """A database that every test leaves without limits and untuned."""
    shared.run("living")
    shared.query("living", "CREATE TABLE kept AS SELECT 42 AS answer")
    yield "living"
    shared.run("living")
    assert says(shared, "living") == UNTUNED
    assert shared.query("living", "TABLE kept") == [(42,)]


def says(host, short):
    return host.query(short, "SELECT " + ", ".join(f"current_setting('{name}')" for name in DERIVED))[0]


def pending(answer):
    return [step["verb"] for step in answer["pending"]]


def test_a_server_is_fitted_to_its_limits_and_back(shared, living):
    identity = shared.inspect(living)["Id"]
    answer = shared.converge(living, memory="512m", tune=True)
    # The server is made to fit before it has less memory.
    assert verbs(answer) == ["write_record", "write_files", "restart", "update"]
    assert "shared_buffers" in answer["actions"][2]["summary"] and answer["actions"][2]["impact"] == "restart"
    before, after = answer["diff"]["before"]["parameters"], answer["diff"]["after"]["parameters"]
    assert "shared_buffers" not in before and after["shared_buffers"] == "64MB"
    assert says(shared, living) == TUNED["512m"]
    row = shared.one(living)
    assert row["tune"] is True and row["settings"] == {}
    assert row["parameters"]["shared_buffers"] == "64MB" and row["shm_size_bytes"] == 256 * MB

    answer = shared.converge(living, memory="1g", tune=True)
    assert verbs(answer) == ["write_record", "write_files", "update", "restart"]
    assert says(shared, living) == TUNED["1g"]

    answer = shared.converge(living, memory="1g", tune=True, settings={"work_mem": "5MB"})
    assert verbs(answer) == ["write_record", "write_files", "reload"]
    assert shared.query(living, "SHOW work_mem") == [("5MB",)] and says(shared, living) == TUNED["1g"]

    answer = shared.converge(living, memory="1g", tune=True, settings={"max_connections": 50})
    assert verbs(answer) == ["write_record", "write_files", "restart"]
    assert says(shared, living) == ("256MB", "50", "768MB", "64MB", "off")
    # The memory that more connections share.
    assert shared.query(living, "SHOW work_mem") == [("4519kB",)]
    assert shared.inspect(living)["Id"] == identity

    answer = shared.converge(living, memory="1g", settings={"max_connections": 50})
    assert verbs(answer) == ["write_record", "write_files", "restart"]
    assert says(shared, living) == ("128MB", "50", "4GB", "64MB", "on")
    assert shared.inspect(living)["Id"] == identity
    assert verbs(shared.converge(living)) == ["write_record", "write_files", "replace"]


def test_shm_size_is_derived_too_unless_declared(shared, living):
    shared.run(living, memory="1g", tune=True)
    # Another size of /dev/shm takes a new container; whatever else changes comes with it.
    answer = shared.converge(living, memory="4g", tune=True)
    assert verbs(answer) == ["write_record", "write_files", "replace"]
    assert "shm_size 256m -> 512m" in answer["actions"][-1]["summary"]
    assert says(shared, living) == TUNED["4g"]
    assert shared.inspect(living)["HostConfig"]["ShmSize"] == shared.one(living)["shm_size_bytes"] == 512 * MB
    answer = shared.converge(living, memory="4g", tune=True, shm_size="300m")
    assert verbs(answer) == ["write_record", "replace"]
    assert shared.inspect(living)["HostConfig"]["ShmSize"] == 300 * MB
    assert verbs(shared.converge(living)) == ["write_record", "write_files", "replace"]
    assert shared.inspect(living)["HostConfig"]["ShmSize"] == 256 * MB


def test_what_a_run_may_not_restart_for_is_pending(shared, living):
    shared.run(living, memory="1g", tune=True)
    less = {"memory": "512m", "tune": True}
    answer = shared.run(living, max_impact="none", **less)
    assert (verbs(answer), pending(answer)) == (["write_record"], ["restart", "update"])
    assert shared.inspect(living)["HostConfig"]["Memory"] == GB and says(shared, living) == TUNED["1g"]
    assert verbs(shared.converge(living, **less)) == ["write_files", "restart", "update"]
    assert shared.inspect(living)["HostConfig"]["Memory"] == 512 * MB and says(shared, living) == TUNED["512m"]
    more = {"memory": "1g", "tune": True}
    answer = shared.run(living, max_impact="none", **more)
    assert (verbs(answer), pending(answer)) == (["write_record", "update"], ["restart"])
    assert shared.inspect(living)["HostConfig"]["Memory"] == GB and says(shared, living) == TUNED["512m"]
    assert verbs(shared.converge(living, **more)) == ["write_files", "restart"]
    shared.run(living)


def test_a_partial_declaration_keeps_what_is_tuned(shared, living):
    shared.run(living, memory="512m", tune=True)
    answer = shared.converge(living, image=None, memory="1g", partial=True)
    assert verbs(answer) == ["write_record", "write_files", "update", "restart"]
    assert says(shared, living) == TUNED["1g"]
    answer = shared.converge(living, image=None, tune=False, partial=True)
    assert verbs(answer) == ["write_record", "write_files", "restart"]
    assert says(shared, living) == UNTUNED and shared.one(living)["parameters"] == {}
    shared.run(living)


def test_a_persons_own_file_overrides_what_is_derived(shared, living):
    shared.run(living, memory="1g", tune=True)
    own = shared.directory(living) / "postgresql.conf"
    own.write_text("work_mem = 3MB\n")
    try:
        docker("kill", "-s", "HUP", shared.container(living))
        assert shared.query(living, "SHOW work_mem") == [("3MB",)]
        shared.converge(living, memory="1g", tune=True, settings={"work_mem": "5MB"})
        assert shared.query(living, "SHOW work_mem") == [("5MB",)]
    finally:
        own.unlink()
    shared.run(living)


@pytest.mark.parametrize("check", [True, False])
def test_without_a_limit_of_memory_there_is_nothing_to_derive_from(shared, living, check):
    for options in ({}, {"cpus": 2}, {"partial": True}):
        message = shared.refused(living, check=check, tune=True, **options)
        assert shared.container(living) in message and "declare memory" in message
    assert shared.one(living)["tune"] is False


@pytest.mark.parametrize("image", [IMAGE, OTHER_MAJOR_IMAGE, NEWEST_IMAGE])
def test_every_major_version_starts_with_what_is_derived(host, image):
    databases = [{"name": host.name(memory), "memory": memory, "tune": True} for memory in TUNED]
    answer = host.run(image=image, databases=databases)
    assert answer["changed"]
    for memory, expected in TUNED.items():
        row = host.one(memory)
        assert row["status"] == "active" and says(host, memory) == expected
        sql = f"SELECT name FROM pg_settings WHERE name = ANY('{{{','.join(row['parameters'])}}}') ORDER BY name"
        assert [name for (name,) in host.query(memory, sql)] == sorted(row["parameters"])
        wrong = host.psql(memory, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL")
        waiting = host.psql(memory, "SELECT count(*) FROM pg_settings WHERE pending_restart")
        assert (wrong, waiting) == ("0", "0")
        host.query(memory, "CREATE TABLE t AS SELECT g, md5(g::text) AS m FROM generate_series(1, 100000) AS g")
        host.query(memory, "CREATE INDEX ON t (m)")
    assert host.run(image=image, databases=databases)["changed"] is False


@pytest.mark.parametrize(("cpus", "workers"), [(None, None), (2, None), (4, "4"), (16, "16")])
def test_processors_give_the_parallel_workers(shared, cpus, workers):
    # Predicted only: the engine gives no container more processors than the machine has.
    answer = shared.check("new", memory="1g", cpus=cpus, tune=True)
    assert answer["diff"]["after"]["parameters"].get("max_parallel_workers") == workers
    assert answer["database"]["parameters"] == {
        name: answer["diff"]["after"]["parameters"][name] for name in answer["database"]["parameters"]
    }
