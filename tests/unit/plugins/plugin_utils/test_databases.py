# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases as hosts of an inventory."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.databases import hosts_of

CONTAINER = "shop-production-postgres"


def database(**changed):
    known = {
        "container_name": CONTAINER,
        "environment": "production",
        "status": "active",
        "port": 5432,
        "username": "db_user_0123456789ab",
        "database": "shop",
        "host": "shop-production-postgres.db.example.com",
        "sslmode": "require",
        "bind_address": "0.0.0.0",
        "ca_file": "/var/vellaric/postgres/shop-production-postgres/tls/ca.crt",
        "ca_certificate": "-----BEGIN CERTIFICATE-----",
        "server_settings": {"version": "15.20"},
        "replication": {"role": "primary"},
    }
    return {**known, **changed}


def answers(*databases, docker_host="docker1.example.com", connection=()):
    return {docker_host: {"databases": list(databases), "connection": list(connection)}}


def test_groups_are_valid_names():
    (host,) = hosts_of(answers(database()), "docker_host")
    assert host.name == f"{CONTAINER}@docker1.example.com"
    assert host.groups == (
        "postgres_environment_production",
        "postgres_version_15",
        "postgres_status_active",
        "postgres_role_primary",
        "postgres_on_docker1_example_com",
    )


def test_one_that_does_not_run_has_no_group_of_what_is_not_known():
    stopped = database(status="stopped", missing={"settings": "it does not run"})
    del stopped["server_settings"], stopped["replication"]
    (host,) = hosts_of(answers(stopped), "docker_host")
    assert host.groups[1:] == ("postgres_status_stopped", "postgres_on_docker1_example_com")
    assert host.variables["postgres_version"] is None


def test_from_the_docker_host_it_is_reached_where_it_is_published():
    for published, reached in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5",) * 2):
        (host,) = hosts_of(answers(database(bind_address=published)), "docker_host")
        assert host.variables["login_host"] == reached
    assert host.variables["ansible_host"] == "docker1.example.com"
    assert host.variables["ca_cert"].endswith("/tls/ca.crt")


POOLER = {
    "host": "pool.example.com",
    "port": 6432,
    "bind_address": "0.0.0.0",
    "database": "shop",
    "session_database": "shop_session",
}


@pytest.mark.parametrize(
    ("via", "target"),
    [
        ("server", ("shop-production-postgres.db.example.com", 5432, "shop")),
        ("pooler", ("pool.example.com", 6432, "shop")),
        ("pooler_session", ("pool.example.com", 6432, "shop_session")),
    ],
)
def test_it_is_reached_by_way_of_its_pooler_where_that_is_wanted(via, target):
    (host,) = hosts_of(answers(database(pooler=POOLER)), "controller", via)
    assert tuple(host.variables[name] for name in ("login_host", "login_port", "login_db")) == target
    (host,) = hosts_of(answers(database(pooler=POOLER)), "docker_host", via)
    assert host.variables["login_host"] == "127.0.0.1" and host.variables["login_port"] == target[1]
    (host,) = hosts_of(answers(database(pooler=None)), "controller", via)
    assert host.variables["login_port"] == 5432, "one without a pooler is reached itself"


def test_how_the_docker_host_is_reached_is_taken_over_by_reference():
    (host,) = hosts_of(answers(database(), connection=["ansible_become_password", "ansible_host"]), "docker_host")
    assert host.templates["ansible_become_password"] == "{{ hostvars[postgres_docker_host].ansible_become_password }}"
    assert host.templates["ansible_host"] == "{{ hostvars[postgres_docker_host].ansible_host }}"


@pytest.mark.parametrize("name", ["ansible_x }}{{ evil", "ansible_x.y", "ansible_", "become", "ansible_é"])
def test_only_names_of_variables_become_part_of_a_template(name):
    (host,) = hosts_of(answers(database(), connection=[name]), "docker_host")
    assert list(host.templates) == ["login_password"]


def test_from_the_controller_it_is_reached_as_by_applications():
    (host,) = hosts_of(answers(database(), connection=["ansible_host"]), "controller")
    assert host.variables["login_host"] == "shop-production-postgres.db.example.com"
    assert host.variables["ansible_connection"] == "local"
    assert "ansible_host" not in host.templates and "ca_cert" not in host.variables
    assert "postgres_certificate_file" in host.templates["ca_cert"]
    (host,) = hosts_of(answers(database(ca_certificate=None)), "controller")
    assert "ca_cert" not in host.templates


def test_the_password_is_a_reference_to_what_is_stored():
    (host,) = hosts_of(answers(database()), "docker_host")
    stored = "hostvars[postgres_docker_host].postgres_credentials[postgres_database.container_name].password"
    assert host.templates["login_password"] == "{{ " + stored + " }}"
    assert "password" not in str(host.variables)


@pytest.mark.parametrize("connect_from", ["docker_host", "controller"])
def test_templates_are_the_same_whatever_a_host_answers(connect_from):
    hostile = "{{ lookup('pipe', 'id') }}'] ~ x"
    changed = dict.fromkeys(("host", "username", "database", "bind_address", "ca_file"), hostile)
    found = hosts_of(answers(database(), database(**changed), connection=["ansible_user"]), connect_from)
    assert found[0].templates == found[1].templates
    assert found[1].variables["login_user"] == hostile


def test_a_name_that_two_docker_hosts_have_is_told_apart_and_no_name_of_a_machine():
    found = hosts_of({**answers(database()), **answers(database(), docker_host="docker2")}, "docker_host")
    assert [host.name for host in found] == [f"{CONTAINER}@docker1.example.com", f"{CONTAINER}@docker2"]


@pytest.mark.parametrize("version, group", [("15.20", "15"), ("18beta1", "18"), ("{{ x }}", None), ("x15", None)])
def test_of_a_version_only_the_number_names_a_group(version, group):
    (host,) = hosts_of(answers(database(server_settings={"version": version})), "docker_host")
    assert [name for name in host.groups if "version" in name] == ([f"postgres_version_{group}"] if group else [])


def test_a_role_of_the_host_s_own_names_no_group():
    (host,) = hosts_of(answers(database(replication={"role": "production"})), "docker_host")
    assert not [name for name in host.groups if "role" in name]
