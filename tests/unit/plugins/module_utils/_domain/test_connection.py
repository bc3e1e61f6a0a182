# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats in which applications are told to connect, read back by those who read them."""

from __future__ import annotations

import dataclasses
import shlex
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import connection as connections
from hypothesis import given
from hypothesis import strategies as st

CONNECTION = connections.Connection(
    "db1.example.com", 5432, "my-database", "app", "Pass-word_123", "require", service="shop"
)
PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=30)


def of(**given):
    return dataclasses.replace(CONNECTION, **given)


@given(PASSWORDS)
def test_a_url_gives_the_password_back(password):
    parts = urlsplit(connections.url(of(password=password)))
    assert (unquote(parts.password), parts.hostname, parts.port) == (password, "db1.example.com", 5432)
    parts = urlsplit(connections.jdbc(of(password=password)).removeprefix("jdbc:"))
    assert parse_qs(parts.query) == {"user": ["app"], "password": [password], "sslmode": ["require"]}


def test_addresses_and_authorities_in_urls():
    odd = of(host="::1", ca_file="/etc/my ca.crt")
    assert connections.url(odd).startswith("postgresql://app:Pass-word_123@[::1]:5432/my-database?sslmode=require&")
    assert connections.url(odd).endswith("&sslrootcert=%2Fetc%2Fmy%20ca.crt")
    assert connections.jdbc(odd).startswith("jdbc:postgresql://[::1]:5432/my-database?user=app&")


@given(PASSWORDS)
def test_a_shell_reads_the_variables(password):
    wanted = connections.variables(of(password=password))
    try:
        text = connections.edited("env", "", of(password=password))
    except ValueError as error:
        assert any(odd in password for odd in "'$\\") and "rotate it" in str(error)
        assert password not in str(error)
        return
    # Whatever the quotes, some readers take these for something else.
    assert not any(odd in text for odd in "$\\")
    found = dict(shlex.split(line)[0].split("=", 1) for line in text.splitlines())
    assert found == wanted


@given(PASSWORDS)
def test_docker_takes_what_follows_the_equals_sign(password):
    text = connections.edited("docker_env", "export PGUSER=x\nexport MINE=1\n", of(password=password))
    found = dict(line.split("=", 1) for line in text.splitlines())
    assert found.pop("export MINE") == "1"
    assert found == connections.variables(of(password=password))


@pytest.mark.parametrize(
    ("client", "sslmode", "wanted"),
    [
        ("libpq", "prefer", "postgresql://app:Pass-word_123@db1.example.com:5432/my-database?sslmode=prefer"),
        ("node", "prefer", "sslmode=no-verify"),
        ("node", "require", "sslmode=no-verify"),
        ("node", "verify-full", "sslmode=verify-full&sslrootcert=%2Fca"),
        ("go", "prefer", "sslmode=require"),
        ("go", "verify-full", "sslmode=verify-full&sslrootcert=%2Fca"),
        (
            "sqlalchemy",
            "prefer",
            "postgresql+psycopg://app:Pass-word_123@db1.example.com:5432/my-database?sslmode=prefer",
        ),
        (
            "sqlalchemy_asyncpg",
            "prefer",
            "postgresql+asyncpg://app:Pass-word_123@db1.example.com:5432/my-database?ssl=prefer",
        ),
        ("sqlalchemy_asyncpg", "verify-full", "?ssl=verify-full"),
    ],
)
def test_the_form_that_a_client_reads(client, sslmode, wanted):
    url = connections.url(of(client=client, sslmode=sslmode, ca_file="/ca" if sslmode == "verify-full" else None))
    assert url == wanted or url.endswith(wanted)
    assert connections.edited("url", url + "\n", of(client="libpq")).startswith("postgresql://")


def test_variables_beside_others():
    before = "# mine\nexport PGPASSWORD=old\nOTHER='a b'\nPGPASSWORD=older\nPGHOST=x\nPGSSLROOTCERT=/old\nMY_PGHOST=1\n"
    after = connections.edited("env", before, CONNECTION)
    assert "# mine\nOTHER='a b'\nPGPASSWORD=Pass-word_123\nPGHOST=db1.example.com\nMY_PGHOST=1\n" in after
    assert "PGSSLROOTCERT" not in after and after.count("PGPASSWORD=") == 1
    assert connections.edited("env", after, CONNECTION) == after
    assert "export PGUSER=app\n" in connections.edited("env", "export PGUSER=x\n", CONNECTION)


def test_an_entry_of_the_password_file():
    odd = of(host="::1", password="a:b\\c-long-enough")
    assert connections.edited("pgpass", "", odd) == "\\:\\:1:5432:my-database:app:a\\:b\\\\c-long-enough\n"
    before = "*:*:*:other:x\ndb1.example.com:5432:my-database:app:old\ndb1.example.com:5432:my-database:app2:x\n"
    after = connections.edited("pgpass", before, CONNECTION)
    assert after == before.replace(":old", ":Pass-word_123")
    assert connections.edited("pgpass", "*:*:*:*:x\n", CONNECTION).splitlines()[1] == "*:*:*:*:x"


def test_a_section_of_the_service_file():
    settings = "host=db1.example.com port=5432 dbname=my-database user=app password=Pass-word_123 sslmode=require"
    section = "\n".join(["[shop]", *settings.split()]) + "\n"
    assert connections.edited("pg_service", "", CONNECTION) == section
    before = "# mine\n[a]\nhost=a\n\n[shop]\npassword=old\noptions=-c jit=off\n\n# of b\n[b]\nhost=b\n"
    after = connections.edited("pg_service", before, CONNECTION)
    assert after == f"# mine\n[a]\nhost=a\n\n{section}options=-c jit=off\n\n# of b\n[b]\nhost=b\n"
    assert connections.edited("pg_service", after, CONNECTION) == after
    with pytest.raises(ValueError, match="twice"):
        connections.edited("pg_service", "[shop]\n[shop]\n", CONNECTION)


def test_jdbc_is_told_where_nothing_may_be_prepared():
    assert "prepareThreshold" not in connections.jdbc(of())
    assert connections.jdbc(of(prepares=False)).endswith("&prepareThreshold=0")


@pytest.mark.parametrize("kind", ["url", "jdbc"])
def test_a_file_of_something_else_is_left(kind):
    first = connections.edited(kind, "", CONNECTION)
    assert connections.edited(kind, first, of(password="another-password")) != first
    for text in ("KEY=value\n", first + "more\n"):
        with pytest.raises(ValueError, match="something else"):
            connections.edited(kind, text, CONNECTION)


@pytest.mark.parametrize("kind", connections.FORMATS)
def test_what_is_shown_has_no_password(kind):
    assert "Pass-word_123" not in connections.shown(kind, CONNECTION)
    assert connections.HIDDEN in connections.shown(kind, CONNECTION)
    assert "Pass-word_123" not in repr(CONNECTION)
