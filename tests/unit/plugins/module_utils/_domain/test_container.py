# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import container as containers
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import labels
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import record as records
from ansible_collections.vellaric.postgres.tests.unit import builders

# The declaration with which the recorded container was made.
DECLARED = {
    "name": "unitfix",
    "image": "vellaric/postgres:15-bookworm",
    "data_root": "/srv/databases",
    "backup_root": "/srv/backups",
    "memory": "512m",
    "cpus": "1.5",
    "trusted_sources": ["10.0.0.0/8"],
    "sslmode": "require",
    "settings": {"work_mem": "8MB", "max_connections": 50},
}


@pytest.fixture
def answer():
    return builders.fixture("engine-20.10/running.json")


def wanted(**given):
    record = records.from_json((builders.FIXTURES / "database.json").read_text(encoding="utf-8"), "database.json")
    return containers.desired(builders.declared(**{**DECLARED, **given}), record, builders.image())


def changed(answer, path, value):
    """Return an answer that differs in one place, as another version of the engine would write it."""
    answer = copy.deepcopy(answer)
    place = answer
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return answer


def test_what_the_engine_shows_is_what_it_was_asked_for(answer):
    assert containers.differences(containers.from_inspect(answer).config, wanted()) == []
    assert containers.from_inspect(answer).config == wanted()


def test_a_stopped_container_is_the_same_container(answer):
    stopped = containers.from_inspect(builders.fixture("engine-20.10/stopped.json"))
    assert stopped.config == wanted()
    assert (stopped.status, stopped.running, stopped.active, stopped.ip_address) == ("exited", False, False, None)


def test_the_facts_of_a_running_container(answer):
    found = containers.from_inspect(answer)
    assert found.name == "unitfix-development-postgres"
    assert found.id == answer["Id"]
    assert (found.status, found.running, found.health, found.exit_code) == ("running", True, "healthy", 0)
    assert found.ip_address == answer["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    assert found.database_id == answer["Config"]["Labels"]["io.vellaric.postgres.id"]
    assert found.declared_image == "vellaric/postgres:15-bookworm"
    assert found.started_at.startswith("20") and found.created_at.startswith("20")
    assert (found.oom_killed, found.restart_count) == (False, 0)


OTHER_ENGINES = {
    # Engine 23 and later say CAP_CHOWN where 20.10 says CHOWN.
    "capabilities": (("HostConfig", "CapAdd"), ["CAP_" + name for name in reversed(containers.CAPABILITIES)]),
    "no-new-privileges:true": (("HostConfig", "SecurityOpt"), ["no-new-privileges:true"]),
    "no networks": (("NetworkSettings", "Networks"), None),
    "networks missing": (("NetworkSettings",), {}),
    "network without an address": (("NetworkSettings", "Networks"), {"none": {"IPAddress": ""}, "other": {}}),
    "no health": (("State", "Health"), None),
    "mounts in another order": (("Mounts",), None),
    "anonymous volume": (("Mounts",), None),
}


@pytest.mark.parametrize("variant", sorted(OTHER_ENGINES))
def test_other_versions_of_the_engine_show_the_same_container(answer, variant):
    path, value = OTHER_ENGINES[variant]
    if path == ("Mounts",):
        value = list(reversed(answer["Mounts"]))
    if variant == "anonymous volume":
        value = [
            *value,
            {"Type": "volume", "Name": "f00", "Source": "/var/lib/docker/volumes/f00", "Destination": "/x"},
        ]
    assert containers.from_inspect(changed(answer, path, value)).config == wanted()


@pytest.mark.parametrize("empty", ["", None])
def test_no_address_is_every_address(answer, empty):
    path = ("HostConfig", "PortBindings", "5432/tcp", 0, "HostIp")
    assert containers.from_inspect(changed(answer, path, empty)).config.bind_address == "0.0.0.0"


def test_what_the_engine_leaves_out_is_no_limit(answer):
    for field in ("Memory", "NanoCpus", "Tmpfs", "CapAdd", "SecurityOpt", "LogConfig", "RestartPolicy", "PortBindings"):
        answer["HostConfig"][field] = None
    del answer["Config"]["Healthcheck"], answer["Config"]["StopTimeout"], answer["RestartCount"]
    found = containers.from_inspect(answer).config
    assert (found.memory, found.nano_cpus, found.tmpfs, found.cap_add, found.security_opt) == (None, None, (), (), ())
    assert (found.log_config, found.restart_policy, found.port, found.healthcheck) == ((), "no", 0, ())
    # Docker's own.
    assert found.stop_timeout == 10


@pytest.mark.parametrize(
    ("state", "status", "running", "active"),
    [
        ("stopped", "exited", False, False),
        ("killed", "exited", False, False),
        ("created", "created", False, False),
        ("restarting", "restarting", False, True),
        ("paused", "paused", False, True),
    ],
)
def test_recorded_states(answer, state, status, running, active):
    answer["State"] = builders.fixture("engine-20.10/states.json")[state]
    found = containers.from_inspect(answer)
    assert (found.status, found.running, found.active) == (status, running, active)


def test_a_killed_container_says_its_exit_code(answer):
    answer["State"] = builders.fixture("engine-20.10/states.json")["killed"]
    assert containers.from_inspect(answer).exit_code == 137
    answer["State"] = {**answer["State"], "OOMKilled": True}
    assert containers.from_inspect(answer).oom_killed
    # One of its processes was, and the server went on until it was stopped.
    answer["State"] = {**answer["State"], "ExitCode": 0}
    assert not containers.from_inspect(answer).oom_killed


def test_a_container_of_others_has_no_config():
    found = containers.from_inspect(builders.fixture("engine-20.10/foreign.json"))
    assert found.config is None
    assert found.name == "unitfix-foreign"
    assert found.database_id is None


def test_a_container_without_labels_is_of_others(answer):
    answer["Config"]["Labels"] = None
    assert containers.from_inspect(answer).config is None


def test_labels_of_the_image_are_no_difference(answer):
    assert "org.opencontainers.image.title" in answer["Config"]["Labels"]
    assert all(key.startswith(labels.PREFIX) for key in containers.from_inspect(answer).config.labels)


def test_the_request_is_what_the_engine_then_shows(answer):
    asked = containers.create_arguments(wanted(), answer["Name"].lstrip("/"), {"POSTGRES_PASSWORD": "thrown-away"})
    host, shown = asked.pop("HostConfig"), answer["HostConfig"]
    for field in ("PortBindings", "ShmSize", "Memory", "MemorySwap", "NanoCpus", "CapDrop", "CapAdd", "SecurityOpt"):
        assert host[field] == shown[field]
    assert (host["Tmpfs"], host["LogConfig"]) == (shown["Tmpfs"], shown["LogConfig"])
    assert host["RestartPolicy"]["Name"] == shown["RestartPolicy"]["Name"]
    for mount, there in zip(host["Mounts"], shown["Mounts"]):
        assert mount == {"ReadOnly": False, **there}
    config = answer["Config"]
    # Version 20.10 does not know it yet.
    del asked["Healthcheck"]["StartInterval"]
    for field in ("Cmd", "ExposedPorts", "StopTimeout", "Healthcheck", "Hostname"):
        assert asked[field] == config[field]
    assert asked["Image"] == answer["Image"]
    assert set(asked["Env"]) <= set(config["Env"])
    # The recorded one is of a version that gave no role: what has none is a primary.
    assert labels.ROLE not in config["Labels"]
    assert asked["Labels"].items() <= {**config["Labels"], labels.ROLE: "primary"}.items()


def test_the_container_is_hardened():
    asked = containers.create_arguments(wanted(), "app", {"POSTGRES_PASSWORD": "thrown-away"})["HostConfig"]
    assert asked["CapDrop"] == ["ALL"]
    assert asked["CapAdd"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
    assert asked["SecurityOpt"] == ["no-new-privileges"]
    modes = {mount["Target"]: mount["ReadOnly"] for mount in asked["Mounts"]}
    assert modes == {
        "/var/lib/postgresql": False,
        "/etc/vellaric": True,
        "/var/lib/vellaric/backups": False,
    }
    assert asked["ReadonlyRootfs"] is True and asked["PidsLimit"] == 1024
    assert not {"Privileged", "NetworkMode", "Binds"} & set(asked)


def test_no_password_but_the_one_thrown_away_is_in_the_request():
    spec = builders.declared(**DECLARED)
    config = containers.desired(spec, builders.record_of(spec), builders.image())
    assert builders.PASSWORD not in str(
        containers.create_arguments(config, "app", {"POSTGRES_PASSWORD": "thrown-away"})
    )
    assert builders.PASSWORD not in str(config)


def test_without_limits_the_engine_is_told_so():
    config = dataclasses.replace(wanted(), memory=None, nano_cpus=None)
    limits = containers.limits(config)
    assert (limits["Memory"], limits["MemorySwap"], limits["NanoCpus"]) == (0, 0, 0)


def test_swap_goes_with_memory():
    assert containers.limits(wanted())["MemorySwap"] == containers.limits(wanted())["Memory"] == 512 << 20


@pytest.mark.parametrize(
    ("major", "volumes", "tmpfs"),
    [
        (15, ("/var/lib/postgresql/data",), ("/tmp", "/var/lib/postgresql/data", "/var/run/postgresql")),
        (18, ("/var/lib/postgresql",), ("/tmp", "/var/run/postgresql")),
        (15, ("/elsewhere", "/var/lib/postgresql2"), ("/tmp", "/var/run/postgresql")),
        (15, (), ("/tmp", "/var/run/postgresql")),
    ],
)
def test_volumes_of_the_image_leave_nothing_behind(major, volumes, tmpfs):
    spec = builders.declared()
    config = containers.desired(spec, builders.record_of(spec), builders.image(major=major, volumes=volumes))
    assert config.tmpfs == tmpfs
    assert config.environment["PGDATA"] == f"/var/lib/postgresql/{major}/docker"


def test_the_health_check_asks_over_tcp_as_the_application():
    check = wanted().healthcheck
    assert check[check.index("-h") + 1] == "127.0.0.1"
    assert check[check.index("-U") + 1] == builders.USERNAME
    assert check[check.index("-d") + 1] == "unitfix"


CHANGES = [
    ({"memory": 1 << 30}, ["memory"], []),
    ({"nano_cpus": 2 * 10**9}, ["nano_cpus"], []),
    ({"restart_policy": "no"}, ["restart_policy"], []),
    ({"pids_limit": 2048}, ["pids_limit"], []),
    ({"read_only": False}, [], ["read_only"]),
    # To the engine's update, 0 is "leave as it is".
    ({"memory": None}, [], ["memory"]),
    ({"nano_cpus": None}, [], ["nano_cpus"]),
    ({"memory": None, "nano_cpus": 10**9}, ["nano_cpus"], ["memory"]),
    ({"port": 6000}, [], ["port"]),
    ({"bind_address": "0.0.0.0"}, [], ["bind_address"]),
    ({"shm_size": 1}, [], ["shm_size"]),
    ({"image_id": "sha256:0"}, [], ["image_id"]),
    ({"labels": {}}, [], ["labels"]),
    ({}, [], []),
]


@pytest.mark.parametrize(("fields", "in_place", "by_replacement"), CHANGES, ids=[str(change[0]) for change in CHANGES])
def test_what_can_be_changed_in_place(fields, in_place, by_replacement):
    other = dataclasses.replace(wanted(), **fields)
    assert containers.changed_in_place(wanted(), other) == in_place
    assert containers.changed_by_replacement(wanted(), other) == by_replacement
    assert sorted(containers.differences(wanted(), other)) == sorted(fields)


def test_the_data_directory_is_read_from_the_mounts():
    assert containers.data_directory(wanted()) == "/srv/databases/unitfix-development-postgres"
    assert containers.data_directory(dataclasses.replace(wanted(), mounts=())) is None


def test_what_a_container_of_before_is_not_replaced_for():
    before = dataclasses.replace(wanted(), read_only=False, tmpfs=("/var/lib/postgresql/data",), pids_limit=None)
    assert containers.as_confined(before, wanted()) == dataclasses.replace(before, pids_limit=1024)
    # It comes with what takes a new container anyway.
    other = wanted(shm_size="1g")
    assert containers.as_confined(before, other) == other
    assert containers.as_confined(wanted(), wanted()) == wanted()
    assert containers.as_confined(before, wanted(read_only=False)) == wanted(read_only=False)


def test_an_image_that_writes_elsewhere_may_do_so():
    assert (wanted(read_only=False).read_only, wanted(read_only=False).tmpfs) == (False, ("/var/lib/postgresql/data",))
