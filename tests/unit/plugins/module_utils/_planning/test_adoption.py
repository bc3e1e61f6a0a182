# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that somebody else made: what is refused, what is planned, and what is left after each step."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import layout
from ansible_collections.vellaric.postgres.plugins.module_utils._planning import adoptable, adoption, supervised
from ansible_collections.vellaric.postgres.tests.unit import builders, simulated
from ansible_collections.vellaric.postgres.tests.unit.builders import (
    NAME,
    USERNAME,
    declared,
    empty,
    foreign,
    plan,
    refusal,
    summary,
    verbs,
)

IMAGE = "postgres:15"
DATA = "/var/lib/postgresql/data"
VOLUME = ("/var/lib/docker/volumes/shop/_data", DATA, "volume", "shop")
BIND = ("/srv/shop", DATA, "bind", None)


def wanted(**given):
    return declared(adopt=True, image=IMAGE, **given)


def taken_over(answer=None, facts=None, **given):
    """Return an Adoptable: a superuser of another name, with a database of another name, on a volume."""
    known = {
        "id": "f0e1gn",
        "image_id": "sha256:old",
        "image": IMAGE,
        "running": True,
        "started_at": "2026-01-01T00:00:00Z",
        "restart_policy": {"Name": "always"},
        "removes_itself": False,
        "host_network": False,
        "user": "",
        "published": ("127.0.0.1", 5444),
        "mounts": (VOLUME,),
        "networks": (),
    }
    said = {
        "data_directory": DATA,
        "bootstrap": "shop",
        "has_postgres": False,
        "databases": ["postgres", "shop_db"],
        "standby": False,
        "settings": {},
    }
    server = builders.server(role=None, database={"owner": "shop", "public": True}, superuser_has_password=True)
    fields = {
        "foreign": adoptable.Foreign(**{**known, **(facts or {})}),
        "image": builders.image(),
        "answer": {**said, **(answer or {})},
        "server": server,
        "data": VOLUME[0],
        "owner": (999, 999, 0o700),
        "size": 40 << 20,
        "free": 1 << 40,
    }
    return adoptable.Adoptable(**{**fields, **given})


def seen(**given):
    return empty(container=foreign(id="f0e1gn"), adoptable=taken_over(**given))


def test_the_plan_says_all_that_becomes_of_it():
    planned = plan(wanted(), seen(facts={"published": ("0.0.0.0", 5444), "networks": ("compose",)}))
    assert verbs(planned) == [
        "reserve",
        "certificate",
        "write_files",
        "adopt",
        "arrange",
        "role",
        "restrict",
        "lock_superuser",
        "prove_login",
        "remove_previous",
    ]
    said = summary(planned, "adopt")
    for words in ("copy its data (40 MB) from volume shop", "127.0.0.1 instead of 0.0.0.0", "network compose"):
        assert words in said
    assert "rename the superuser shop to postgres" in summary(planned, "arrange")
    assert "rename that database to app" in summary(planned, "arrange")
    assert (planned.record.port, planned.record.initialised, planned.final) == (5444, False, False)
    assert planned.before["data"] == "volume shop" and planned.before["superuser"] == "shop"


def test_its_port_is_kept_unless_one_is_declared():
    assert plan(wanted(), seen()).record.port == 5444
    assert plan(wanted(port=6000), seen()).record.port == 6000
    assert plan(wanted(), seen(facts={"published": None})).record.port == 5432


@pytest.mark.parametrize(
    ("mounts", "movable", "method"), [((VOLUME,), True, "copy"), ((BIND,), True, "move"), ((BIND,), False, "copy")]
)
def test_only_a_directory_that_a_rename_reaches_is_moved(mounts, movable, method):
    planned = plan(wanted(), seen(facts={"mounts": mounts}, movable=movable))
    assert planned.record.adopted["method"] == method
    assert ("the original is left there" in summary(planned, "adopt")) is (method == "copy")


REFUSALS = {
    "--rm": {"facts": {"removes_itself": True}},
    "host's network": {"facts": {"host_network": True}},
    "standby": {"answer": {"standby": True}},
    "on no volume": {"facts": {"mounts": ()}},
    "mounted into its data directory": {"facts": {"mounts": (VOLUME, ("/x", DATA + "/pg_wal", "bind", None))}},
    "symbolic links (pg_wal)": {"links": ("pg_wal",)},
    "another role postgres": {"answer": {"has_postgres": True}},
    "database postgres is missing": {"answer": {"databases": ["app"]}},
    "max_connections = 300": {"answer": {"settings": {"max_connections": "300"}}},
    "would be copied": {"free": 50 << 20},
    "no database but postgres": {"answer": {"databases": ["postgres"]}},
    'ALTER DATABASE "one" RENAME TO "app"': {"answer": {"databases": ["one", "postgres", "two"]}},
    "start it first": {"obstacle": "it does not run: start it first"},
}


@pytest.mark.parametrize("words", REFUSALS)
def test_what_cannot_be_taken_over_is_refused(words):
    message = refusal(wanted(), seen(**REFUSALS[words]))
    assert words in message and "Nothing was changed" in message


def test_data_that_another_container_mounts_is_refused():
    assert "sidecar mounts" in refusal(wanted(), dataclasses.replace(seen(), mounted_by=("sidecar",)))


def test_parameters_of_its_command_line_are_declared_or_managed():
    planned = plan(
        wanted(settings={"max_connections": 200}),
        seen(answer={"settings": {"max_connections": "300", "config_file": "/etc/x"}}),
    )
    assert "adopt" in verbs(planned)


@pytest.mark.parametrize(("facts", "words"), [({"major": 17}, "PostgreSQL 17"), ({"libc": "musl"}, "musl")])
def test_an_image_that_does_not_go_with_the_data_is_refused(facts, words):
    there = builders.other(seen(), image=builders.image(**facts))
    message = refusal(wanted(), there)
    assert words in message and f"{IMAGE} is what the container runs" in message


def test_without_the_option_it_is_refused_and_the_option_is_named():
    assert "adopt: true" in refusal(declared(), empty(container=foreign()))
    assert "did not create" in refusal(wanted(state="absent", deletion_protection=False), seen())


def test_a_record_of_another_database_stands_against_it():
    there = dataclasses.replace(seen(), record=builders.record_of(wanted()))
    assert "there is a record" in refusal(wanted(), there)


def test_what_an_impact_does_not_allow_is_pending():
    planned = plan(wanted(max_impact="restart"), seen())
    assert planned.steps == () and planned.pending[0].verb == "adopt"


def test_an_image_that_is_not_there_is_fetched_before_anything_is_written():
    planned = plan(wanted(), builders.other(seen(), image=None))
    assert verbs(planned)[:2] == ["pull", "reserve"] and not planned.reserves_port
    assert "pull is never" in refusal(wanted(pull="never"), builders.other(seen(), image=None))


@pytest.mark.parametrize("username", [USERNAME, "shop"])
def test_what_was_interrupted_anywhere_is_finished(username):
    spec = wanted(username=username)
    planned = plan(spec, seen())
    for most in range(1, len(planned.steps) + 1):
        host = simulated.Host(seen(), seen().adoptable.server, {})
        for step in planned.steps[:most]:
            host = host.perform(step, spec, plan(spec, host.seen) if step.verb != "reserve" else planned)
        for _round in range(3):
            again = plan(spec, host.seen)
            for step in again.steps:
                host = host.perform(step, spec, again)
            if again.final:
                break
        assert verbs(plan(spec, host.seen)) == []
        assert host.seen.previous is None and host.seen.record.initialised
        assert host.server.role["login"] and not host.server.role["privileged"]


@pytest.mark.parametrize("state", ["absent", "stopped", "restarted", "started"])
def test_what_was_interrupted_is_nothing_else_than_finished(state):
    spec = wanted()
    planned = plan(spec, seen())
    host = simulated.Host(seen(), seen().adoptable.server, {}).perform(planned.steps[0], spec, planned)
    message = refusal(declared(image=IMAGE, state=state, deletion_protection=False), host.seen)
    assert "interrupted" in message and "adopt: true" in message


def test_the_original_is_removed_and_never_comes_back_once_its_data_has_been_served():
    spec = wanted()
    record = builders.record_of(spec, adopted=plan(spec, seen()).record.adopted)
    settled = builders.settled(spec, record=record)
    original = foreign(id="f0e1gn", name=layout.previous_container(NAME), status="exited")
    left = builders.other(settled, previous=original)
    assert verbs(plan(spec, left)) == ["remove_previous"]
    assert verbs(plan(spec, builders.stopped(left))) == ["start", "remove_previous"]
    stranger = dataclasses.replace(original, id="another")
    assert "did not create" in refusal(spec, builders.other(settled, previous=stranger))


def test_a_directory_below_a_mount_is_found_on_the_host():
    mounts = (("/srv", "/var/lib", "bind", None), ("/data", "/var/lib/postgresql", "volume", "v"))
    assert adoptable.data_source(mounts, "/var/lib/postgresql/18/docker") == ("/data/18/docker", "v")
    assert adoptable.data_source(mounts, "/var/lib/other") == ("/srv/other", None)
    assert adoptable.data_source(mounts, "/opt/data") is None
    assert "15" in adoption.entries_to_keep("/data/x/pgdata", "/data/x/pgdata/15/docker")
    assert adoption.entries_to_keep("/srv", "/data/x/pgdata/15/docker") == adoption.OWN_ENTRIES


def test_an_answer_of_the_engine_is_read():
    answer = builders.fixture("engine-20.10/running.json")
    found = adoptable.from_inspect(answer)
    assert (found.id, found.image_id) == (answer["Id"], answer["Image"])
    assert found.running and not found.removes_itself and not found.host_network
    assert found.published[0] == "127.0.0.1" and found.restart_policy["Name"] == "unless-stopped"
    assert adoptable.data_source(found.mounts, DATA)[1] is None


@pytest.mark.parametrize("state", ["started", "present"])
def test_what_is_not_there_is_not_taken_over(state):
    """An empty database in its place would be taken for it."""
    message = refusal(wanted(state=state), empty())
    assert f"There is no container {NAME} to take over" in message and "leave adopt out" in message


def test_the_plan_names_who_is_shut_out():
    answer = {"logins": [["admin", True], ["report", False], ["shop", True], ["web", False]]}
    users = [{"name": "web", "role": "readonly", "password": builders.PASSWORD}]
    words = summary(plan(wanted(users=users), seen(answer=answer)), "adopt")
    assert "superusers admin, shop can no longer log in from outside" in words
    assert "roles report can no longer log in from outside" in words
    words = summary(plan(wanted(username="shop"), seen(answer=answer)), "adopt")
    assert "superusers admin can" in words and "roles report, web can" in words


def test_what_a_supervisor_keeps_is_refused():
    labels = {"com.docker.swarm.service.name": "shop_db"}
    assert supervised.supervisor(labels)[0] == "Docker Swarm (shop_db)"
    assert supervised.supervisor({"com.docker.compose.project": "shop", "maintainer": "x"}) is None
    message = refusal(wanted(), seen(facts={"supervisor": supervised.supervisor(labels)}))
    assert "Docker Swarm (shop_db) keeps it" in message and "docker service rm" in message
    assert "sidecar runs on its data" in refusal(wanted(), seen(rivals=("sidecar",)))


def test_who_else_runs_on_the_data():
    data, mount = "/var/lib/docker/volumes/shop/_data/below", "/var/lib/docker/volumes/shop/_data"

    def named(source, state="running", writes=True):
        mounts = [{"Source": source, "RW": writes}]
        return supervised.rivals(
            [{"Id": "x", "Names": ["/x"], "State": state, "Mounts": mounts}], data, mount, ("own",)
        )

    assert named(mount) == named(data) == named(f"{data}/base") == ["x"]
    assert named("/var/lib/docker/volumes") == named(f"{mount}2") == named(mount, "exited") == []
    assert named(mount, writes=False) == []
    assert supervised.mount_of([{"Source": "/"}, {"Source": mount}, {"Source": "/srv"}], data) == mount


def test_a_name_that_is_lost_is_said_unless_it_is_declared():
    there = seen(facts={"aliases": ("db", "web"), "networks": ("shop",)})
    assert "no longer found as db, web" in summary(plan(wanted(), there), "adopt")
    there = dataclasses.replace(there, networks=builders.host_networks())
    words = summary(plan(wanted(networks=["shop"], network_aliases=["db"]), there), "adopt")
    assert "no longer found as web" in words
