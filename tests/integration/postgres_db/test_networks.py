# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application containers reach the database by its container's name, on networks that it joins and leaves in place."""

from __future__ import annotations

import os
import subprocess

import psycopg
import pytest
from harness import IMAGE, PASSWORD, USERNAME, docker, verbs


@pytest.fixture(scope="module")
def nets(shared):
    """Two networks of this file's own. By their names, one comes before the default network and one after it."""
    names = (f"a-{shared.prefix}", f"z-{shared.prefix}")
    for name in names:
        docker("network", "create", name)
    yield names
    shared.run("living")
    for name in names:
        docker("network", "rm", name)


@pytest.fixture(scope="module")
def living(shared, nets):
    shared.run("living")
    return "living"


def ask_by_name(shared, network, sslmode="prefer", name=None):
    """Ask the database from another container on a network, by its container's name or another one."""
    host = name or shared.container("living")
    target = f"host={host} dbname={shared.name('living')} user={USERNAME} connect_timeout=3"
    container = ["docker", "run", "--rm", f"--network={network}", "--env=PGPASSWORD", "--entrypoint=psql"]
    return subprocess.run(
        [*container, IMAGE, "-XAtc", "SELECT 'answered'", f"{target} sslmode={sslmode}"],
        env={**os.environ, "PGPASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )


def answers_by_name(shared, network, **options):
    answer = ask_by_name(shared, network, **options)
    return answer.stdout.strip() == "answered" or answer.stderr


def test_found_by_an_alias(shared, living, nets):
    _before, after = nets
    options = {"networks": [after], "network_aliases": ["db", "db.shop"]}
    assert "networks" in verbs(shared.converge(living, **options))
    assert answers_by_name(shared, after, name="db") is True and answers_by_name(shared, after, name="db.shop") is True
    assert "db" in shared.one(living)["certificate"]["names"]
    # Whoever joined it again without them.
    docker("network", "disconnect", after, shared.container(living))
    docker("network", "connect", after, shared.container(living))
    assert verbs(shared.converge(living, **options)) == ["networks"]
    assert answers_by_name(shared, after, name="db") is True
    shared.converge(living, networks=[after], network_aliases=["other"])
    assert answers_by_name(shared, after, name="db") is not True
    shared.run(living)


def test_joined_and_left_while_clients_stay_connected(shared, living, nets):
    _before, after = nets
    with shared.connect(living) as client:
        answer = shared.converge(living, networks=[after])
        assert [(step["verb"], step["impact"]) for step in answer["actions"]] == [
            ("write_record", "none"),
            ("networks", "none"),
        ]
        assert answer["diff"]["before"]["networks"] == ["bridge"]
        assert answer["diff"]["after"]["networks"] == ["bridge", after]
        assert answer["database"]["networks"] == shared.one(living)["networks"] == [after]
        assert answers_by_name(shared, after) is True
        # One that other options change keeps its networks.
        assert verbs(shared.run(living, partial=True, sslmode="require")) == ["write_record", "write_files", "reload"]
        assert shared.one(living)["networks"] == [after]
        assert answers_by_name(shared, after, sslmode="require") is True
        back = shared.converge(living)
        assert verbs(back) == ["write_record", "write_files", "networks", "reload"]
        assert shared.one(living)["networks"] == []
        assert "could not translate host name" in ask_by_name(shared, after).stderr
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_an_empty_list_is_none_of_them(shared, living, nets):
    shared.run(living, networks=[nets[1]])
    assert verbs(shared.run(living, networks=[], partial=True)) == ["write_record", "networks"]
    assert shared.one(living)["networks"] == []


def test_a_published_port_that_moves_is_said_to(shared, living, nets):
    """Told of the engine that this runs on, whatever its version: the clients are asked."""
    first, _last = nets
    with shared.connect(living) as client:
        predicted = shared.check(living, networks=[first])["actions"][-1]
        if predicted["impact"] == "restart":
            held_back = shared.run(living, networks=[first], max_impact="none")
            assert [step["verb"] for step in held_back["pending"]] == ["networks"]
            assert client.execute("SELECT 1").fetchone() == (1,)
        shared.converge(living, networks=[first])
        try:
            stayed = client.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            stayed = False
        assert stayed is (predicted["impact"] == "none"), predicted
    assert shared.query(living, "SELECT 1") == [(1,)]
    assert shared.check(living)["actions"][-1]["impact"] == predicted["impact"]
    shared.converge(living)
    assert shared.query(living, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("which", [0, 1])
def test_containers_of_its_networks_are_trusted_and_nobody_else(shared, living, nets, which):
    network = nets[which]
    answer = shared.converge(living, networks=[network], trusted_sources=[])
    assert verbs(answer) == ["write_record", "write_files", "networks", "reload"]
    subnet = docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", network)
    assert any(subnet in line for line in answer["diff"]["after"]["access"])
    assert answers_by_name(shared, network) is True
    assert "no pg_hba.conf entry" in ask_on_default(shared)
    # What comes to the published port has an address of the host's in one of the networks.
    with pytest.raises(psycopg.OperationalError, match="pg_hba.conf"):
        shared.connect(living)
    # Of its default network an engine that has just made it does not name the gateway.
    docker_host = shared.inspect("living")["NetworkSettings"]["Networks"]["bridge"]["Gateway"]
    shared.run(living, networks=[network], trusted_sources=[docker_host])
    assert shared.query(living, "SELECT 1") == [(1,)]
    shared.run(living)


def ask_on_default(shared):
    address = shared.inspect("living")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    target = f"host={address} dbname={shared.name('living')} user={USERNAME} connect_timeout=3"
    answer = subprocess.run(
        ["docker", "run", "--rm", "--env=PGPASSWORD", "--entrypoint=psql", IMAGE, "-XAtc", "SELECT 1", target],
        env={**os.environ, "PGPASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stderr


def test_what_somebody_else_changed_is_put_right(shared, living, nets):
    _before, network = nets
    shared.run(living, networks=[network])
    for other in (network, "bridge"):
        docker("network", "disconnect", other, shared.container(living))
        assert verbs(shared.converge(living, networks=[network])) == ["networks"]
    assert answers_by_name(shared, network) is True
    assert shared.query(living, "SELECT 1") == [(1,)]
    shared.run(living)
    docker("network", "connect", network, shared.container(living))
    assert verbs(shared.converge(living)) == ["networks"]


def test_a_new_container_is_on_its_networks_from_the_start(shared, living, nets):
    _before, network = nets
    shared.run(living, networks=[network])
    answer = shared.converge(living, networks=[network], shm_size="64m")
    assert verbs(answer) == ["write_record", "replace"]
    assert answers_by_name(shared, network) is True
    docker("rm", "-f", shared.container(living))
    assert verbs(shared.converge(living, networks=[network], shm_size="64m")) == ["create"]
    assert answers_by_name(shared, network) is True
    shared.run(living)


def test_a_network_that_was_made_again_keeps_no_database_from_starting(shared, living, nets):
    _before, network = nets
    shared.run(living, networks=[network], trusted_sources=[])
    shared.run(living, state="stopped")
    docker("network", "rm", network)
    message = shared.refused(living, networks=[network], trusted_sources=[])
    assert f"docker network create {network}" in message and "Nothing was changed" in message
    docker("network", "create", network)
    # It does not start with what it knows of the old one.
    assert "not found" in docker_error("start", shared.container(living))
    answer = shared.converge(living, networks=[network], trusted_sources=[])
    assert verbs(answer)[-2:] == ["networks", "start"]
    assert answers_by_name(shared, network) is True
    shared.run(living)


def docker_error(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stderr


def test_created_on_a_network(host, nets):
    _before, network = nets
    answer = host.converge("a", networks=[network])
    assert verbs(answer)[-1] == "prove_login"
    assert host.one("a")["networks"] == [network]


def test_a_missing_network_changes_nothing(host):
    for check in (True, False):
        message = host.refused("a", networks=["no-such-network"], check=check)
        assert "docker network create no-such-network" in message
    assert "leave it out" in host.refused("a", networks=["bridge"])
    assert host.untouched()
