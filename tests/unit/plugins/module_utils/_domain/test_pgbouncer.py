# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import pgbouncer, pooler
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError

SPEC = pooler.PoolerSpec()
SIZES = pooler.Sizes(20, 25, 5)
SERVER = pgbouncer.Server("shop-development-postgres", 5432, "verify-full")
NEW, OLD = pgbouncer.Version(1, 24, 1), pgbouncer.Version(1, 18, 0)


def text(spec=SPEC, sizes=SIZES, server=SERVER, sslmode="prefer", found=NEW, name="shop"):
    return pgbouncer.ini("shop-development-postgres-pool", name, spec, sizes, server, sslmode, found)


@pytest.mark.parametrize(
    ("said", "found"), [("1.24.1-1", (1, 24, 1)), ("1.18.0-1+deb12u1", (1, 18, 0)), ("PgBouncer 1.26", (1, 26, 0))]
)
def test_versions(said, found):
    assert pgbouncer.version(said, "image") == found


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("1.25.1", "choose another version"),
        ("1.25.2-1", "choose another version"),
        ("1.17.0", "oldest"),
        ("", "does not say"),
    ],
)
def test_versions_that_are_refused(said, reason):
    with pytest.raises(DatabaseError, match=reason):
        pgbouncer.version(said, "image")


def test_what_a_version_has():
    assert NEW.prepares_statements and not OLD.prepares_statements
    assert "max_prepared_statements = 200\n" in text()
    # A parameter that it does not know keeps it from starting.
    assert "max_prepared_statements" not in text(found=OLD)


def test_both_names_lead_to_the_database():
    lines = text(name="my-shop").splitlines()
    assert "my-shop = " in lines[3] and "dbname='my-shop' pool_mode='transaction' pool_size='20'" in lines[3]
    assert "my-shop_session = " in lines[4] and "dbname='my-shop' pool_mode='session' pool_size='5'" in lines[4]


def test_the_server_is_verified_as_far_as_it_can_be():
    assert pgbouncer.parameters(text())["server_tls_sslmode"] == "verify-full"
    assert pgbouncer.parameters(text(server=SERVER._replace(sslmode="verify-ca")))["server_tls_sslmode"] == "verify-ca"


def test_clients_come_from_where_those_of_the_server_may():
    access = [("172.18.0.1/32", "reject"), ("172.18.0.0/16", "scram-sha-256")]
    lines = pgbouncer.hba_conf("shop-pool", "require", ["10.0.0.0/8"], access).splitlines()[2:]
    assert lines == [
        "hostssl all all 10.0.0.0/8 scram-sha-256",
        "host all all 172.18.0.1/32 reject",
        "hostssl all all 172.18.0.0/16 scram-sha-256",
    ]
    assert "host all all ::/0 scram" in pgbouncer.hba_conf("shop-pool", "prefer", ["::/0"], [])
    assert pgbouncer.parameters(text())["auth_type"] == "hba"


def test_who_may_log_in_is_read_back():
    logins = [pgbouncer.Login('odd"one', "SCRAM-1", False), pgbouncer.Login("gone", "SCRAM-2", True)]
    assert pgbouncer.who(pgbouncer.auth_file(logins)) == ['odd"one']
    assert pgbouncer.databases(text())[0].startswith("shop = host=")


@pytest.mark.parametrize(
    ("sslmode", "asked"),
    [("disable", "allow"), ("prefer", "allow"), ("require", "require"), ("verify-full", "require")],
)
def test_clients_must_do_here_what_they_must_do_to_the_server(sslmode, asked):
    assert pgbouncer.parameters(text(sslmode=sslmode))["client_tls_sslmode"] == asked


def test_declared_settings_go_before_our_defaults():
    spec = dataclasses.replace(SPEC, settings={"query_wait_timeout": "7", "tcp_keepidle": "60"})
    found = pgbouncer.parameters(text(spec))
    assert found["query_wait_timeout"] == "7" and found["tcp_keepidle"] == "60"
    assert text(spec).count("query_wait_timeout") == 1


def test_what_two_files_set_differently():
    other = text(dataclasses.replace(SPEC, settings={"query_wait_timeout": "7"}), dataclasses.replace(SIZES, server=30))
    assert pgbouncer.changed_parameters(text(), other) == ["query_wait_timeout", "shop"]
    assert not pgbouncer.changed_parameters(other, other)


def test_who_may_log_in():
    logins = [
        pgbouncer.Login("reader", "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5", False),
        pgbouncer.Login('o"dd', "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V6", False),
        pgbouncer.Login("expired", "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5", True),
        pgbouncer.Login("nologin", None, False),
    ]
    text = pgbouncer.auth_file(logins)
    assert text == (
        '"expired" ""\n"nologin" ""\n'
        '"o""dd" "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V6"\n"reader" "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5"\n'
    )
    assert pgbouncer.auth_file(logins, text) == text
    # Who is gone stays, without a password.
    assert pgbouncer.auth_file(logins[:1], text) == (
        '"expired" ""\n"nologin" ""\n"o""dd" ""\n"reader" "SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5"\n'
    )
