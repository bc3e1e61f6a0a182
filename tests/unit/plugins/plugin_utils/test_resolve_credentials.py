# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.parsing.vault import VaultSecret
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.names import InvalidName
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
        text = f"postgres_credentials: {{a-production-postgres: {{username: {username}, password: {password}}}}}"
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
    item = resolve(VarsFile(""), username="bpp", password="given-password")
    assert (item.source, item.username, item.rotating) == ("given", "bpp", False)
    assert item.written["username"] == "bpp"
    assert VAULT.decrypt(item.written["password"]) == "given-password"


def test_given_as_stored():
    assert resolve(file(), username="app", password=STORED).written == {}


@pytest.mark.parametrize("more", [{}, {"password": STORED}, {"password": "given-password"}])
def test_another_username_than_is_stored(more):
    with pytest.raises(credentials.InvalidRequest, match="username: bpp is not the one stored for a-production"):
        resolve(file(), username="bpp", **more)


@pytest.mark.parametrize("user", [None, "report"])
def test_a_given_password_waits_beside_the_stored_one_until_the_server_has_it(user):
    given = {"password": "given-password", "user": user}
    a_file = VarsFile(
        file().text.replace("postgres:", "postgres/report:").replace("app", "report") if user else file().text
    )
    item = resolve(a_file, **given)
    assert (item.source, item.rotating, list(item.written)) == ("given", True, ["next_password"])
    pending = changed(a_file, item)
    # Interrupted there, or refused: given again it is the same, and otherwise the old one applies.
    assert resolve(pending, **given).written == resolve(pending, user=user).written == {}
    assert resolve(pending, user=user).rotating
    # The server may have that which waits.
    with pytest.raises(credentials.InvalidRequest, match="another new one waits"):
        resolve(pending, **{**given, "password": "another-password"})
    done = changed(pending, credentials.rotated(pending, request(**given), VAULT, "prod"))
    entry = done.entry(item.request.entry)
    assert (VAULT.decrypt(entry.password.text), entry.next_password) == ("given-password", None)
    assert credentials.rotated(done, request(**given), VAULT, "prod").written == {}


def test_a_given_password_that_is_not_forced_upon_the_server_is_stored_after_it():
    given = {"password": "given-password", "update_password": "on_create"}
    item = resolve(file(), **given)
    assert (item.source, item.rotating, item.written) == ("given", True, {})
    entry = changed(file(), credentials.rotated(file(), request(**given), VAULT, "prod")).entry("a-production-postgres")
    assert VAULT.decrypt(entry.password.text) == "given-password"


def test_the_stored_password_given_puts_an_end_to_what_waits():
    pending = changed(file(), turn(file(), "app"))
    item = resolve(pending, password=STORED)
    assert (item.rotating, item.written) == (True, {})
    done = credentials.rotated(pending, request(password=STORED), VAULT, "prod")
    assert (done.username, done.written) == ("app", {"next_username": None, "next_password": None})


def test_a_login_whose_turn_it_is_stays():
    item = resolve(file(username="app_b"), username="app")
    assert (item.username, item.written) == ("app_b", {})


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
    with pytest.raises(VarsFileError, match="vault id 'prod', and none of the vault secrets loaded") as caught:
        credentials.resolve(file(), request(password="given-password"), other, "dev")
    assert "remove the entry (module vellaric.postgres.postgres_db_credentials, state: absent)" in str(caught.value)


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


# --- rotation


def changed(a_file, item):
    """The file after what was resolved has been written."""
    return VarsFile(a_file.with_entries({item.request.entry: item.written}))


def test_a_new_password_is_stored_beside_the_old_one_then_takes_its_place():
    item = credentials.rotating(file(), request(username="app"), VAULT, "prod")
    assert (item.source, item.rotating, list(item.written)) == ("generated", True, ["next_password"])
    pending = changed(file(), item)
    new = VAULT.decrypt(pending.entry("a-production-postgres").next_password.text)
    # Nobody gets it before the server has it.
    kept = resolve(pending)
    assert (kept.source, kept.written, kept.rotating) == ("stored", {}, True)
    # What was interrupted is taken up.
    again = credentials.rotating(pending, request(username="app"), VAULT, "prod")
    assert (again.source, again.written) == ("stored", {})
    done = changed(pending, credentials.rotated(pending, request(), VAULT, "prod"))
    entry = done.entry("a-production-postgres")
    assert VAULT.decrypt(entry.password.text) == new != STORED
    assert entry.next_password is None
    assert credentials.rotated(done, request(), VAULT, "prod").written == {}


def test_a_given_password_replaces_one_that_waits():
    pending = changed(file(), credentials.rotating(file(), request(), VAULT, "prod"))
    item = credentials.rotating(pending, request(password="given-password"), VAULT, "prod")
    assert VAULT.decrypt(item.written["next_password"]) == "given-password"
    with pytest.raises(credentials.InvalidRequest, match="is the one that it has"):
        credentials.rotating(file(), request(password=STORED), VAULT, "prod")


@pytest.mark.parametrize("a_file", [VarsFile(""), file(username="another")])
def test_lost_credentials_are_made_anew(a_file):
    item = credentials.rotating(a_file, request(username="app"), VAULT, "prod")
    assert list(item.written) == ["username", "password"]
    entry = changed(a_file, item).entry("a-production-postgres")
    assert (entry.username.text, entry.next_password) == ("app", None)
    assert VAULT.decrypt(entry.password.text) != STORED


def test_rotation_needs_to_know_the_role():
    for step in (credentials.rotating, credentials.rotated):
        with pytest.raises(credentials.InvalidRequest, match="has no stored credentials"):
            step(VarsFile(""), request(), VAULT, "prod")


def test_what_waits_and_cannot_be_read_is_not_overwritten():
    pending = changed(file(), credentials.rotating(file(), request(), RunVault(VAULT._secrets), "prod"))
    text = pending.text.replace(pending.entry("a-production-postgres").next_password.text.split()[1], "6162")
    for step in (credentials.rotating, credentials.rotated, credentials.resolve):
        with pytest.raises(VarsFileError, match="next_password cannot be read"):
            step(VarsFile(text), request(), VAULT, "prod")


def test_diff_of_a_rotation_shows_no_secret():
    item = credentials.rotating(file(), request(username="app"), VAULT, "prod")
    pending = changed(file(), item)
    done = credentials.rotated(pending, request(), VAULT, "prod")
    shown = "\n".join(sum(credentials.diff_lines([item, done]), []))
    assert "next_password: (encrypted)" in shown and "password: (encrypted, changed)" in shown
    assert "ANSIBLE_VAULT" not in shown


# --- two logins that take turns


def turn(a_file, username):
    """What is resolved where the server says that a login has its turn."""
    return credentials.rotating(a_file, request(username=username, owner="app"), VAULT, "prod")


def test_the_other_login_takes_its_turn():
    item = turn(file(), "app")
    assert (item.username, item.next_username) == ("app", "app_a")
    assert list(item.written) == ["next_username", "next_password"]
    pending = changed(file(), item)
    # Interrupted, whether the server has come that far or not: the same one's turn.
    for server in ("app", "app_a"):
        again = turn(pending, server)
        assert (again.next_username, again.written) == ("app_a", {})
    item = credentials.rotated(pending, request(), VAULT, "prod")
    assert (item.username, item.written["username"]) == ("app_a", "app_a")
    done = changed(pending, item)
    entry = done.entry("a-production-postgres")
    assert (entry.username.text, entry.next_username, entry.next_password) == ("app_a", None, None)
    # Declared is the role that both work as.
    assert resolve(done, username="app").written == {}
    assert turn(done, "app_a").next_username == "app_b"


def test_lost_credentials_of_logins_that_take_turns():
    for lost in (VarsFile(""), file(username="another")):
        item = turn(lost, "app_a")
        assert (item.username, item.next_username) == ("app_b", "app_b")
        assert list(item.written) == ["username", "password"]
