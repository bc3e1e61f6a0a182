# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import settings, spec
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import builders
from hypothesis import given
from hypothesis import strategies as st


def parse(**given):
    return spec.from_parameters({"name": "app", "environment": "development", **given})


def test_what_is_not_declared_has_its_default():
    plain = parse()
    assert plain.state == "started"
    assert plain.image == "postgres:15-alpine"
    assert (plain.bind_address, plain.port, plain.port_range) == ("127.0.0.1", None, (5432, 6431))
    assert plain.directory == "/var/vellaric/postgres/app-development-postgres"
    assert plain.backup_directory == "/var/vellaric/backups/app-development-postgres"
    assert (plain.memory, plain.nano_cpus, plain.shm_size) == (None, None, 256 << 20)
    assert (plain.sslmode, plain.pull, plain.max_impact, plain.wait_timeout) == ("prefer", "missing", "recreate", 120)
    assert (plain.trusted_sources, plain.settings, plain.partial, plain.purge) == (None, {}, False, False)


@pytest.mark.parametrize(
    ("environment", "protected"), [("production", True), ("staging", False), ("development", False)]
)
def test_production_is_protected_unless_declared_otherwise(environment, protected):
    assert parse(environment=environment).protected is protected
    assert parse(environment=environment, deletion_protection=True).protected is True
    assert parse(environment=environment, deletion_protection=False).protected is False


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ({"version": "17"}, "postgres:17"),
        ({"version": 17}, "postgres:17"),
        ({"version": "17.2-trixie"}, "postgres:17.2-trixie"),
        ({"image": "vellaric/postgres:15-bookworm"}, "vellaric/postgres:15-bookworm"),
        ({"image": "registry.example.com:5000/a/b_c"}, "registry.example.com:5000/a/b_c"),
        ({"image": "postgres@sha256:" + "0" * 64}, "postgres@sha256:" + "0" * 64),
    ],
)
def test_images(given, image):
    assert parse(**given).image == image


# The option at fault, and a part of the message that says what it accepts.
REFUSED = [
    ({"name": "My_Db"}, "name: .*lowercase"),
    ({"environment": "prod"}, "environment: .*production, staging, development"),
    ({"username": "Admin"}, "username: .*lowercase"),
    ({"password": "short"}, "password: .*at least 12"),
    ({"base_domain": "exa mple.com"}, "base_domain: "),
    ({"version": "15", "image": "postgres:15"}, "exclude each other"),
    ({"version": "15 alpine"}, "version is .*tag"),
    ({"version": "15-alpine\n"}, "version is .*tag"),
    ({"image": "Postgres:15"}, "image is "),
    ({"image": "postgres:15\n"}, "image is "),
    ({"image": "-v"}, "image is "),
    ({"port": 0}, "port is 0: .*between 1 and 65535"),
    ({"port": 65536}, "port is 65536"),
    ({"port_range": "5432-"}, "port_range is .*FIRST-LAST"),
    ({"port_range": "6000-5000"}, "port_range is "),
    ({"port_range": "0-10"}, "port_range is "),
    ({"port_range": "1-65536"}, "port_range is "),
    ({"bind_address": "localhost"}, "bind_address is .*0.0.0.0"),
    ({"bind_address": "10.0.0.0/8"}, "bind_address is "),
    ({"trusted_sources": ["10.0.0.1/8"]}, "trusted_sources has '10.0.0.1/8'.*host bits"),
    ({"trusted_sources": ["10.0.0.0/8", "all"]}, "trusted_sources has 'all'"),
    ({"memory": "lots"}, "memory is 'lots'"),
    ({"memory": "32m"}, "memory is '32m': at least 64m"),
    ({"cpus": "0"}, "cpus is "),
    ({"shm_size": "-1"}, "shm_size is "),
    ({"tune": True}, "tune is true, but app-development-postgres has no limit of memory.*declare memory"),
    ({"tune": True, "cpus": 2}, "tune is true, but "),
    ({"wait_timeout": 0}, "wait_timeout is 0: at least 1"),
    ({"data_root": "var/postgres"}, "data_root is .*absolute"),
    ({"data_root": "/"}, "data_root is "),
    ({"data_root": "/tmp/.."}, "data_root is "),
    ({"data_root": "/a:b"}, "data_root is .*colons"),
    ({"backup_root": "backups"}, "backup_root is "),
    ({"settings": {"Work_Mem": "1MB"}}, "settings has 'Work_Mem'.*lower case"),
    ({"settings": {"work_mem = 1\nport": "1MB"}}, "settings has "),
    ({"settings": {"work_mem\n": "1MB"}}, "settings has "),
    ({"settings": {7: "1MB"}}, "settings has 7"),
    ({"settings": {"work_mem": None}}, "settings.work_mem is None"),
    ({"settings": {"work_mem": ["1MB"]}}, "settings.work_mem is "),
    ({"settings": {"work_mem": "1MB\nport = 7"}}, "settings.work_mem has control characters"),
    ({"settings": {"port": 7}}, "settings has port.*use the option port"),
    ({"settings": {"listen_addresses": "*"}}, "use the option bind_address"),
    ({"settings": {"ssl": False}}, "use the option sslmode"),
    ({"settings": {"data_directory": "/tmp"}}, "settings has data_directory.*leave it out"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[str(given) for given, _message in REFUSED])
def test_refused_with_the_option_and_what_it_accepts(given, message):
    with pytest.raises(DatabaseError, match=message):
        parse(**given)


def test_the_password_is_in_no_representation():
    assert builders.PASSWORD not in repr(builders.declared())
    assert builders.PASSWORD not in str(builders.declared().declared())
    with pytest.raises(DatabaseError) as error:
        parse(password="seekrit bad")
    assert "seekrit" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ({}, "127.0.0.1"),
        ({"bind_address": "10.1.2.3"}, "10.1.2.3"),
        ({"bind_address": "0.0.0.0"}, os.uname().nodename),
        ({"bind_address": "::"}, os.uname().nodename),
        ({"bind_address": "0.0.0.0", "address": "db1.example.com"}, "db1.example.com"),
        ({"base_domain": "example.com", "address": "db1"}, "app-development-postgres.db.example.com"),
    ],
)
def test_what_clients_connect_to(given, host):
    assert parse(**given).host == host


def test_certificate_names_are_all_ways_to_reach_the_server():
    names = parse(bind_address="10.1.2.3", base_domain="example.com").certificate_names
    assert names == tuple(sorted(names))
    assert set(names) == {
        "app-development-postgres.db.example.com",
        "app-development-postgres",
        "localhost",
        "127.0.0.1",
        "10.1.2.3",
    }
    assert "0.0.0.0" not in parse(bind_address="0.0.0.0").certificate_names
    assert "::" not in parse(bind_address="::").certificate_names


def test_addresses_and_paths_are_written_in_one_way():
    normal = parse(bind_address="2001:DB8:0::1", data_root="/srv//databases/", trusted_sources=["10.0.0.1", "::1"])
    assert normal.bind_address == "2001:db8::1"
    assert normal.data_root == "/srv/databases"
    assert normal.trusted_sources == ("10.0.0.1/32", "::1/128")
    assert parse(trusted_sources=["10.0.0.1", "10.0.0.1/32"]).trusted_sources == ("10.0.0.1/32",)
    assert parse(trusted_sources=[]).trusted_sources == ()


def test_settings_are_text_as_the_server_writes_it():
    settings = {"work_mem": "8MB", "fsync": False, "jit": True, "max_connections": 50, "random_page_cost": 1.1}
    assert parse(settings=settings).settings == {
        "fsync": "off",
        "jit": "on",
        "max_connections": "50",
        "random_page_cost": "1.1",
        "work_mem": "8MB",
    }
    assert parse(settings={"pg_stat_statements.max": 100}).settings == {"pg_stat_statements.max": "100"}


def test_a_single_port_is_a_range():
    assert parse(port_range="5500").port_range == (5500, 5500)
    assert parse(port_range=" 5500-5501 ").port_range == (5500, 5501)


DECLARATIONS = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["15-alpine", "17", "18.1-trixie"]),
        "pull": st.sampled_from(spec.PULL),
        "bind_address": st.ip_addresses().map(str),
        "base_domain": st.sampled_from(["example.com", "db.internal"]),
        "address": st.sampled_from(["db1.example.com", "192.0.2.7"]),
        "trusted_sources": st.lists(st.ip_addresses().map(str), max_size=3),
        "sslmode": st.sampled_from(spec.SSLMODES),
        "memory": st.integers(64 << 20, 1 << 45).map(str),
        "cpus": st.integers(1, 64).map(lambda eighths: str(eighths / 8)),
        "shm_size": st.integers(1, 1 << 45).map(str),
        "tune": st.just(False),
        "settings": st.dictionaries(
            st.sampled_from(["work_mem", "search_path", "pg_x.y"]),
            st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=9),
        ),
        "deletion_protection": st.booleans(),
    },
)


@given(DECLARATIONS)
def test_a_declaration_is_recorded_and_read_back_as_it_was(given):
    first = parse(**given)
    again = spec.from_parameters(spec.complete({"name": "app", "environment": "development"}, first.declared()))
    assert again == first


@given(DECLARATIONS, DECLARATIONS)
def test_a_partial_declaration_changes_what_it_gives_and_nothing_else(old, new):
    before = parse(**old).declared()
    parameters = {"name": "app", "environment": "development", "partial": True, **new}
    after = spec.from_parameters(spec.complete(parameters, before)).declared()
    changed = {"image" if option == "version" else option for option in new}
    assert {option: after[option] for option in after if option not in changed} == {
        option: before[option] for option in before if option not in changed
    }
    declared = parse(**new).declared()
    assert {option: after[option] for option in changed} == {option: declared[option] for option in changed}


def test_a_partial_version_replaces_a_declared_image():
    before = parse(image="vellaric/postgres:15-bookworm").declared()
    parameters = {"name": "app", "environment": "development", "version": "15"}
    assert spec.from_parameters(spec.complete(parameters, before)).image == "postgres:15"


def test_tuned_parameters_are_overridden_by_declared_ones_which_alone_are_recorded():
    tuned = parse(memory="4g", tune=True, settings={"shared_buffers": "512MB", "app.x": "y"})
    assert tuned.settings == {"app.x": "y", "shared_buffers": "512MB"}
    assert tuned.declared()["settings"] == tuned.settings and tuned.declared()["tune"] is True
    assert tuned.declared()["shm_size"] is None
    assert "max_connections" in tuned.derived and not set(tuned.derived) & set(tuned.settings)
    assert tuned.parameters == {**tuned.derived, **tuned.settings}
    assert list(tuned.parameters) == sorted(tuned.parameters)
    assert (tuned.shm_size, parse(memory="4g", tune=True, shm_size="64m").shm_size) == (1 << 30, 64 << 20)
    plain = parse(memory="4g", settings={"app.x": "y"})
    assert (plain.derived, plain.parameters, plain.shm_size) == ({}, {"app.x": "y"}, 256 << 20)


def test_a_partial_declaration_is_tuned_by_the_limits_of_the_record():
    given = {"name": "app", "environment": "development", "partial": True, "tune": True}
    # Before the record is read, nothing is known of its limits.
    assert spec.from_parameters(given).derived == {}
    whole = spec.from_parameters(spec.complete(given, parse(memory="4g", cpus="8").declared()))
    assert whole.derived == parse(memory="4g", cpus="8", tune=True).derived != {}
    with pytest.raises(DatabaseError, match="tune is true, but .*declare memory"):
        spec.complete(given, parse().declared())


def test_the_record_keeps_every_option_that_partial_takes_from_it():
    recorded = {name for name, option in spec.OPTIONS.items() if option.recorded}
    assert set(parse(networks=["shop"], network_aliases=["db"], pooler=True).declared()) == recorded
    assert not {"password", "username", "tls_key"} & recorded


def test_every_option_has_its_field_and_every_field_its_option():
    fields = [name if option.field is None else option.field for name, option in spec.OPTIONS.items()]
    assert sorted(filter(None, fields)) == sorted(field.name for field in dataclasses.fields(spec.DatabaseSpec))


def test_several_mistakes_are_told_at_once_one_to_a_line():
    with pytest.raises(DatabaseError) as refused:
        parse(memory="much", port=0, username="postgres")
    assert [line.split()[0] for line in refused.value.message.splitlines()] == ["port", "username:", "memory"]


def test_every_managed_setting_that_names_an_option_names_one_that_exists():
    assert {option for option in settings.MANAGED_SETTINGS.values() if option} <= set(spec.ARGUMENTS)
