# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import configuration
from ansible_collections.vellaric.postgres.tests.unit import builders
from hypothesis import given
from hypothesis import strategies as st

# What spec lets through: anything but control characters.
VALUES = st.text(st.characters(min_codepoint=32, blacklist_categories=("Cs",)), max_size=30)
SETTINGS = st.dictionaries(
    st.from_regex(r"[a-z_][a-z0-9_]{0,9}(\.[a-z_][a-z0-9_]{0,9})?", fullmatch=True), VALUES, max_size=4
)


def conf(major=15, **settings):
    return configuration.postgresql_conf(builders.declared(settings=settings), major)


def access(**given):
    spec = builders.declared(**given)
    text = configuration.pg_hba_conf(spec, builders.record_of(spec))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@given(VALUES)
def test_a_quoted_value_is_one_line_that_reads_back(value):
    line = f"search_path = {configuration.quote(value)}"
    assert "\n" not in line
    assert configuration.parameters(f"# a comment\n{line}\n") == {"search_path": value}


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("8MB", "'8MB'"),
        ("it's", "'it''s'"),
        ("a\\b", "'a\\\\b'"),
        ("", "''"),
        ('"$user", public', "'\"$user\", public'"),
    ],
)
def test_quoting_is_that_of_a_configuration_file(value, quoted):
    # https://www.postgresql.org/docs/current/config-setting.html: quotes are doubled, a backslash escapes
    assert configuration.quote(value) == quoted


@given(SETTINGS)
def test_declared_settings_are_in_the_file_and_win(settings):
    found = configuration.parameters(configuration.postgresql_conf(_Declared(settings), 15))
    assert {name: found[name] for name in settings} == settings


class _Declared:
    """Just what the file takes from a DatabaseSpec: names that spec would not let through too."""

    container = builders.NAME
    derived = {}
    preloaded = {}

    def __init__(self, settings):
        self.settings = settings


def test_what_is_derived_comes_before_a_persons_own_file_and_what_is_declared_after_it():
    spec = builders.declared(memory="1g", tune=True, settings={"max_connections": 7})
    text = configuration.postgresql_conf(spec, 15)
    lines = text.splitlines()
    order = [
        "include '/var/lib/postgresql/15/docker/postgresql.conf'",
        "# Derived from the container's limits (tune); what follows overrides it",
        "shared_buffers = '256MB'",
        f"include_if_exists '/etc/vellaric/{configuration.PERSONAL_CONF}'",
        "listen_addresses = '*'",
        "# Declared settings",
        "max_connections = '7'",
    ]
    assert [lines.index(line) for line in order] == sorted(lines.index(line) for line in order)
    found = configuration.parameters(text)
    assert {name: found[name] for name in spec.parameters} == spec.parameters
    assert text.count("max_connections") == 1


@pytest.mark.parametrize("major", [13, 15, 18])
def test_the_file_of_initdb_comes_first_so_that_ours_win(major):
    lines = conf(major, work_mem="8MB").splitlines()
    include = lines.index(f"include '/var/lib/postgresql/{major}/docker/postgresql.conf'")
    assignments = [number for number, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert include < min(assignments)
    assert "ident_file = '/etc/vellaric/conf/pg_ident.conf'" in lines


def test_the_contract_is_in_every_file():
    found = configuration.parameters(conf())
    assert found["ssl"] == "on"
    assert found["password_encryption"] == "scram-sha-256"
    assert found["listen_addresses"] == "*"
    assert found["port"] == "5432"
    assert found["hba_file"] == "/etc/vellaric/conf/pg_hba.conf"
    assert found["ssl_key_file"] == "/etc/vellaric/tls/server.key"
    assert found["ssl_min_protocol_version"] == "TLSv1.2"


def test_a_parameter_is_set_once():
    text = conf(ssl_min_protocol_version="TLSv1.3")
    assert text.count("ssl_min_protocol_version") == 1
    assert configuration.parameters(text)["ssl_min_protocol_version"] == "TLSv1.3"


def test_what_is_declared_is_written_the_same_whatever_its_order():
    assert conf(work_mem="8MB", jit=False) == conf(jit=False, work_mem="8MB")


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({}, {}, []),
        ({"work_mem": "4MB"}, {"work_mem": "4MB"}, []),
        ({"work_mem": "4MB"}, {"work_mem": "8MB"}, ["work_mem"]),
        ({"work_mem": "4MB"}, {}, ["work_mem"]),
        ({}, {"work_mem": "4MB", "jit": False}, ["jit", "work_mem"]),
    ],
)
def test_changed_parameters_are_those_set_differently(before, after, changed):
    assert configuration.changed_parameters(conf(**before), conf(**after)) == changed


def test_all_parameters_change_where_there_was_no_file():
    assert "listen_addresses" in configuration.changed_parameters("", conf())


def test_a_restart_is_needed_for_parameters_of_the_postmaster():
    contexts = builders.image().parameters
    names = ["work_mem", "max_connections", "max_wal_size", "shared_buffers", "unknown.one"]
    assert configuration.needs_restart(names, contexts) == ["max_connections", "shared_buffers"]


def test_comments_and_what_others_wrote_are_no_parameters():
    assert configuration.parameters("# work_mem = '1MB'\nwork_mem=1MB\ninclude 'x'\n\n jit = 'on'\n") == {}


@pytest.mark.parametrize(
    ("sslmode", "kind"), [("disable", "host"), ("prefer", "host"), ("require", "hostssl"), ("verify-full", "hostssl")]
)
def test_tls_is_insisted_on_where_clients_are_told_to_require_it(sslmode, kind):
    lines = access(sslmode=sslmode, trusted_sources=["10.0.0.0/8"])
    assert lines[-1] == f'{kind} "app" "{builders.USERNAME}" 10.0.0.0/8 scram-sha-256'


def test_the_superuser_comes_in_by_the_socket_only():
    lines = access()
    assert lines[0] == "local all postgres peer map=superuser"
    assert not [line for line in lines[1:] if " all " in line or "postgres" in line]


def test_without_a_password_there_are_operators_in_the_container_alone():
    spec = builders.declared(users=[{"name": "reader", "role": "readonly"}])
    record = builders.record_of(spec)
    lines = [line for line in configuration.pg_hba_conf(spec, record).splitlines() if line.startswith("local")]
    assert lines[1:] == [f'local "app" "{record.username}","reader" peer map=operator']
    ident = configuration.pg_ident_conf(spec, record).splitlines()
    assert [line for line in ident if line.startswith("operator")] == [
        f'operator postgres "{record.username}"',
        'operator postgres "reader"',
    ]


def test_the_lines_of_the_operator_come_with_the_next_change_of_who_may_connect():
    spec = builders.declared(users=[{"name": "reader", "role": "readonly"}])
    wanted = configuration.render(spec, builders.record_of(spec), 15)
    hba, ident = configuration.PG_HBA_CONF, configuration.PG_IDENT_CONF
    rows = {path: wanted[path].splitlines(keepends=True) for path in (hba, ident)}
    before = {path: "".join(row for row in rows[path] if "perator" not in row) for path in rows}
    assert len(rows[hba]) == before[hba].count("\n") + 2 and len(rows[ident]) == before[ident].count("\n") + 2
    assert configuration.keep_access(wanted, before) == {**wanted, **before}
    # Killed between the two files, or changed by hand.
    for odd in ({hba: wanted[hba]}, {ident: wanted[ident]}, {hba: before[hba] + "# mine\n"}, {hba: ""}, {ident: ""}):
        assert configuration.keep_access(wanted, {**before, **odd}) == wanted
    other = builders.declared(trusted_sources=["10.0.0.0/8"], users=[{"name": "reader", "role": "readonly"}])
    changed = configuration.render(other, builders.record_of(other), 15)
    assert configuration.keep_access(changed, before) == changed


def test_everybody_else_proves_a_password():
    for declared in ({}, {"trusted_sources": ["10.0.0.0/8"]}, {"sslmode": "require"}):
        lines = access(**declared)[2:]
        assert all(line.endswith(" scram-sha-256") and f'"app" "{builders.USERNAME}"' in line for line in lines)


def test_trusted_sources_become_lines_in_their_order():
    sources = ["192.0.2.0/24", "10.0.0.1", "2001:db8::/32"]
    assert [line.split()[3] for line in access(trusted_sources=sources)[3:]] == [
        "192.0.2.0/24",
        "10.0.0.1/32",
        "2001:db8::/32",
    ]
    assert [line.split()[3] for line in access()[3:]] == ["0.0.0.0/0", "::/0"]
    # Declared as none: nobody from outside, where undeclared means everybody.
    assert [line.split()[3] for line in access(trusted_sources=[])[2:]] == ["samehost"]


def test_words_of_pg_hba_conf_are_quoted():
    # A database may be called so; unquoted, these words stand for others than it.
    spec = builders.declared(name="all", username="sameuser")
    assert '"all" "sameuser" ' in configuration.pg_hba_conf(spec, builders.record_of(spec))


def test_the_managed_files_are_those_that_are_rendered():
    spec = builders.declared()
    assert set(configuration.render(spec, builders.record_of(spec), 15)) == set(configuration.MANAGED)
