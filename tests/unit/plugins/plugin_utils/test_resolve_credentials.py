# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultSecret
from ansible_collections.vellaric.postgres.plugins.module_utils.names import InvalidName
from ansible_collections.vellaric.postgres.plugins.plugin_utils import credentials
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_file import VarsFile, VarsFileError
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vault import RunVault

VAULT = RunVault([("prod", VaultSecret(b"1"))])
STORED = "stored-password"


def request(**given):
    return credentials.requests_from([dict(given, name="a", environment="production")])[0]


def file(username="app", password=None):
    ciphertext = VAULT.encrypt(STORED, "prod")
    changes = {"a-production-postgres": {"username": username, "password": ciphertext}}
    text = VarsFile("").with_entries(changes)
    if password:
        text = "postgres_credentials: {a-production-postgres: {username: %s, password: %s}}" % (username, password)
    return VarsFile(text)


def resolve(a_file, **given):
    return credentials.resolve(a_file, request(**given), VAULT, "prod")


def test_generated():
    item = resolve(VarsFile(""))
    assert (item.source, item.is_new, item.username_generated) == ("generated", True, True)
    assert item.written["username"] == item.username
    assert len(VAULT.decrypt(item.written["password"])) == 24


def test_stored():
    item = resolve(file())
    assert (item.source, item.username, item.written) == ("stored", "app", {})


def test_given():
    item = resolve(file(), username="bpp", password="given-password")
    assert (item.source, item.username) == ("given", "bpp")
    assert item.written["username"] == "bpp"
    assert VAULT.decrypt(item.written["password"]) == "given-password"


def test_given_as_stored():
    assert resolve(file(), username="app", password=STORED).written == {}


def test_only_the_username_given():
    item = resolve(file(), username="bpp")
    assert (item.source, item.written) == ("stored", {"username": "bpp"})


def test_plain_text_is_encrypted():
    item = resolve(file(password="stored-in-clear"))
    assert (item.source, item.was_plain, list(item.written)) == ("stored", True, ["password"])
    assert VAULT.decrypt(item.written["password"]) == "stored-in-clear"


@pytest.mark.parametrize(
    ("a_file", "message"),
    [
        (file(password="short"), r"postgres_credentials.a-production-postgres.password: password: .* at least 12"),
        (file(username="Admin", password="long-enough-to-be-one"), r"a-production-postgres.username: .*'Admin'"),
        (file(password="!vault text"), r"a-production-postgres.password cannot be read: .* not vault-encrypted"),
    ],
)
def test_stored_values_refused(a_file, message):
    for given in ({}, {"password": "given-password", "username": "app"}):
        with pytest.raises(VarsFileError, match=message) as caught:
            resolve(a_file, **given)
        assert "short" not in str(caught.value)


def test_what_cannot_be_decrypted_is_not_overwritten():
    other = RunVault([("dev", VaultSecret(b"2"))])
    with pytest.raises(VarsFileError, match="vault id 'prod', and none of the vault secrets loaded"):
        credentials.resolve(file(), request(password="given-password"), other, "dev")


def test_twice_the_same_database():
    one = {"name": "a", "environment": "production"}
    with pytest.raises(InvalidName, match="there twice"):
        credentials.requests_from([one, dict(one, environment="staging"), dict(one)])


def test_the_database_with_a_wrong_option_is_named():
    databases = [
        {"name": "a", "environment": "production"},
        {"name": "b", "environment": "production", "password": "x"},
    ]
    with pytest.raises(InvalidName, match="databases: the one called 'b': password"):
        credentials.requests_from(databases)


def test_diff_shows_no_secret():
    items = [resolve(VarsFile("")), resolve(file(), password="given-password"), resolve(file(password="in-clear-text"))]
    shown = "\n".join(sum(credentials.diff_lines(items), []))
    assert "db_user_" not in shown and "password: (plain text)" in shown
    for secret in ("given-password", "in-clear-text", STORED, "ANSIBLE_VAULT"):
        assert secret not in shown
