# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import names
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("name", ["a", "7", "my-database", "a--b", "0-1", "x" * 63])
def test_database_names_accepted(name):
    assert names.check_database_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "A", "a_b", "a.b", "a b", "a\n", "ä", "a/../b", "x" * 64, None, 7, ["a"], "postgres", "template1"],
)
def test_database_names_refused(name):
    with pytest.raises(names.InvalidName, match=r"^name: "):
        names.check_database_name(name)


@pytest.mark.parametrize("environment", ["prod", "Production", "", None, "production ", ["production"]])
def test_environments_refused(environment):
    with pytest.raises(names.InvalidName, match=r"^environment: .*production, staging, development"):
        names.check_environment(environment)


@pytest.mark.parametrize("username", ["app", "_x", "db_user_0123456789ab", "a-b", "a" * 63, "pgbouncer"])
def test_usernames_accepted(username):
    assert names.check_username(username) == username


@pytest.mark.parametrize(
    "username", ["", "7a", "-a", "A", "a b", "a\n", 'a"b', "a" * 64, None, "postgres", "public", "pg_", "pg_monitor"]
)
def test_usernames_refused(username):
    with pytest.raises(names.InvalidName, match=r"^username: "):
        names.check_username(username)


@pytest.mark.parametrize("password", ["x" * 12, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"])
def test_passwords_accepted(password):
    assert names.check_password(password) == password


@pytest.mark.parametrize(
    "password",
    [
        "short-secre",
        "with a blank in it",
        "line\nbreak-here",
        "tab\there-it-is",
        "pässwörd-long-",
        "{{ a_variable }}",
        "0123456789{%",
        None,
        12,
    ],
)
def test_passwords_refused_without_being_shown(password):
    with pytest.raises(names.InvalidName, match=r"^password: ") as caught:
        names.check_password(password)
    assert str(password) not in str(caught.value) or password == 12


def test_container_name():
    assert names.container_name("my-database", "production") == "my-database-production-postgres"
    longest = "x" * (63 - len("-development-postgres"))
    assert len(names.container_name(longest, "development")) == 63
    with pytest.raises(names.InvalidName, match="at most 42 characters for the name"):
        names.container_name(longest + "x", "development")


def test_host_name():
    assert names.host_name("a-staging-postgres", "example.com") == "a-staging-postgres.db.example.com"


@pytest.mark.parametrize(
    "domain", ["", ".", "example.com.", ".example.com", "a..b", "a_b.com", "a b", "-a.com", "x" * 64, None, "a.b" * 90]
)
def test_base_domains_refused(domain):
    with pytest.raises(names.InvalidName, match=r"^base_domain: "):
        names.host_name("a-staging-postgres", domain)


def test_generated_values_follow_the_rules():
    for turn in range(200):
        assert re.fullmatch(r"db-[0-9a-f]{24}", names.new_id())
        assert re.fullmatch(r"db_user_[0-9a-f]{12}", names.check_username(names.new_username()))
        assert re.fullmatch(r"[A-Za-z0-9]{24}", names.check_password(names.new_password()))
    assert len({names.new_password() for turn in range(1000)}) == 1000


def test_connection_url():
    url = names.connection_url("db_user_1", "p@ss/w:rd%", "db.example.com", 5432, "my-database", "prefer")
    assert url == "postgresql://db_user_1:p%40ss%2Fw%3Ard%25@db.example.com:5432/my-database?sslmode=prefer"
    assert (
        names.connection_url("u", None, "::1", "5433", "d", "require") == "postgresql://u@[::1]:5433/d?sslmode=require"
    )
    assert names.connection_url("u", None, "fe80::1%eth0", 1, "d", "disable").startswith(
        "postgresql://u@[fe80::1%25eth0]:1/"
    )


@given(password=st.text(alphabet=[chr(c) for c in range(33, 127)], min_size=12))
def test_connection_url_gives_the_password_back(password):
    split = urlsplit(names.connection_url("app", password, "h", 5432, "d", "prefer"))
    assert unquote(split.password) == password
    assert (split.username, split.hostname, split.port, split.path) == ("app", "h", 5432, "/d")
