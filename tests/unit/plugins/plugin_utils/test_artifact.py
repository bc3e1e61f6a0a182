# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.parsing.vault import VaultSecret
from ansible_collections.vellaric.postgres.plugins.plugin_utils import artifact, credentials
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_file import VarsFile
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vault import RunVault

VAULT = RunVault([("prod", VaultSecret(b"1"))])
REQUESTS = credentials.requests_from(
    [{"name": "a", "environment": "staging"}, {"name": "a", "environment": "staging", "user": "report"}]
)


def stored(password="stored-password", **more):
    values = {"username": "app", "password": VAULT.encrypt(password, "prod")}
    document = VarsFile(VarsFile("").with_entries({"a-staging-postgres": values}))
    return VarsFile(document.with_entries({"a-staging-postgres": more})) if more else document


def test_handed_on_and_taken_up():
    document = stored(next_password=VAULT.encrypt("new-password-too", "prod"))
    handed_on = json.loads(json.dumps(artifact.of(document, REQUESTS)))
    assert list(handed_on) == ["a-staging-postgres"]
    assert "stored-password" not in str(handed_on) and "new-password" not in str(handed_on)
    found = artifact.restored(VarsFile("other: 1\n"), handed_on, REQUESTS, VAULT)
    assert found.text.startswith("other: 1\n")
    assert artifact.of(found, REQUESTS) == artifact.of(document, REQUESTS)
    # What is there already stays as it is, also where it was encrypted at another time.
    assert artifact.restored(found, handed_on, REQUESTS, VAULT) is found
    assert artifact.restored(document, None, REQUESTS, VAULT) is document


def test_nothing_waits_after_a_rotation():
    """Ansible merges the artifacts of one job key by key: what is gone has to be said."""
    handed_on = artifact.of(stored(), REQUESTS, rotated=True)
    assert handed_on["a-staging-postgres"]["next_password"] is None
    entry = artifact.restored(VarsFile(""), handed_on, REQUESTS, VAULT).entry("a-staging-postgres")
    assert entry.next_password is None and entry.next_username is None
    present = stored()
    assert artifact.restored(present, handed_on, REQUESTS, VAULT) is present


def test_what_is_not_asked_for_is_left_out():
    handed_on = artifact.of(stored(), REQUESTS)
    other = credentials.requests_from([{"name": "b", "environment": "staging"}])
    assert artifact.restored(VarsFile(""), handed_on, other, VAULT).text == ""
    assert artifact.of(stored(), other) == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("text", "not an entry"),
        ({"username": "app"}, "not an entry"),
        ({"username": "app", "password": "in-clear-text"}, "not vault-encrypted"),
        ({"username": "app", "password": "$ANSIBLE_VAULT;1.1;AES256\n6162"}, "cannot be read"),
        (artifact.of(stored("another-password"), REQUESTS)["a-staging-postgres"], "out of date"),
    ],
)
def test_what_replaces_nothing(values, words):
    with pytest.raises(credentials.InvalidRequest, match=words) as caught:
        artifact.restored(stored(), {"a-staging-postgres": values}, REQUESTS, VAULT)
    assert "in-clear-text" not in str(caught.value)


def test_plain_text_is_not_handed_on():
    text = "postgres_credentials: {a-staging-postgres: {username: app, password: in-clear-text}}"
    with pytest.raises(credentials.InvalidRequest, match="not encrypted"):
        artifact.of(VarsFile(text), REQUESTS)
