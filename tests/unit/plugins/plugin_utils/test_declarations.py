# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import names
from ansible_collections.vellaric.postgres.plugins.plugin_utils import declarations

ENTRY = "shop-production-postgres"


def shop(**given):
    [item] = declarations.with_defaults([{"name": "shop", "environment": "production", **given}], {})
    return item


def resolved(source="stored", user=None, **given):
    entry = f"{ENTRY}/{user}" if user else ENTRY
    return {
        "entry": entry,
        "container_name": ENTRY,
        "source": source,
        "user": user,
        "username": user or "app",
        "rotating": False,
        **given,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, []),
        ({"memory": "2g", "cpus": 1.5, "port": "5432", "settings": {"work_mem": "8MB"}, "state": None}, []),
        ({"users": [{"name": "report", "role": "readonly"}]}, []),
        ({"state": "absent", "partial": True}, []),
        ({"memroy": "2g"}, ["there is no option memroy, did you mean memory?"]),
        ({"xyzzy": 1}, ["there is no option xyzzy"]),
        (
            {"users": [{"name": "report", "role": "readonly", "passwrd": "x"}]},
            ["no option users.passwrd, did you mean"],
        ),
        ({"users": [{"name": "report"}]}, ["role found in users"]),
        ({"port": "high"}, ["port is 'high': a whole number"]),
        ({"version": 15.1}, ["version is 15.1: a number to YAML"]),
        ({"state": "up"}, ["state must be one of"]),
        ({"memory": "lots", "max_impact": "none"}, ["memory is 'lots'"]),
        ({"tune": True}, ["declare memory"]),
        ({"image": "a", "version": "15"}, ["exclude each other"]),
        ({"password": "Not-To-Be-Told\n"}, ["password"]),
    ],
)
def test_mistakes(given, said):
    found = declarations.mistakes([shop(), shop(**given)])
    assert len(found) == len(said)
    for text, wanted in zip(found, said):
        assert text.startswith(f"{ENTRY}: ") and wanted in text
        assert "Not-To-Be-Told" not in text


def completed(item, *answers, check_mode=False):
    stored = {answer["entry"]: {"password": f"secret of {answer['entry']}"} for answer in answers}
    [found] = declarations.completed([item], answers, stored, check_mode)
    return found


@pytest.mark.parametrize(
    ("own", "default", "wanted"),
    [
        ({}, {}, {"version": None, "image": None}),
        ({}, {"version": "17"}, {"version": "17", "image": None}),
        ({"image": "postgres:16"}, {"version": "17"}, {"version": None, "image": "postgres:16"}),
        ({"version": "17"}, {"image": "postgres:16"}, {"version": "17", "image": None}),
        ({"version": "17"}, {"memory": "1g"}, {"version": "17", "image": None, "memory": "1g"}),
    ],
)
def test_what_a_database_has_of_its_own_goes_before_what_is_meant_for_all(own, default, wanted):
    [found] = declarations.with_defaults([{"name": "a", **own}], {"environment": "staging", **default})
    assert {**found, **wanted} == found and found["environment"] == "staging" and found["state"] == "started"


def test_a_database_asks_for_its_role_and_then_its_users():
    item = shop(username="app", users=[{"name": "reader"}, {"name": "writer", "password": "given"}])
    place = {"name": "shop", "environment": "production"}
    assert declarations.credential_requests([item]) == [
        {**place, "username": "app"},
        {**place, "user": "reader"},
        {**place, "user": "writer", "password": "given"},
    ]


def test_a_password_that_is_not_to_be_forced_says_so():
    users = [{"name": "reader"}, {"name": "writer", "password": "given"}]
    own, reader, writer = declarations.credential_requests(
        [shop(password="given", update_password="on_create", users=users)]
    )
    assert own["update_password"] == writer["update_password"] == "on_create" and "update_password" not in reader


@pytest.mark.parametrize("given", [{"partial": True}, {"state": "stopped"}, {"state": "absent"}])
def test_no_credentials_and_no_image_are_needed_for_less_than_a_whole_declaration(given):
    assert declarations.credential_requests([shop(**given)]) == []
    assert declarations.official_images([shop(**given)]) == []


def test_each_official_image_is_named_once():
    declared = [shop(), shop(version=17, pull="never"), shop(version="17", pull="always"), shop(image="other:1")]
    declared.append(shop(version="18", pull="never"))
    assert declarations.official_images(declared) == [
        {"reference": "postgres:15-alpine", "pull": "missing"},
        {"reference": "postgres:17", "pull": "missing"},
        {"reference": "postgres:18", "pull": "never"},
    ]


def test_stored_credentials_are_not_forced_upon_the_server():
    found = completed(shop(), resolved())
    assert (found["username"], found["password"]) == ("app", f"secret of {ENTRY}")
    assert found["update_password"] == "on_create"


def test_a_password_that_was_given_is_meant():
    found = completed(shop(password="given"), resolved("given"))
    assert (found["password"], found["update_password"]) == ("given", "always")


def test_a_rotation_that_was_interrupted_is_gone_on_with():
    assert completed(shop(), resolved(rotating=True))["update_password"] == "always"


def test_what_is_declared_of_the_update_goes_before_that():
    item = shop(password="given", update_password="on_create", users=[{"name": "reader"}, {"name": "new"}])
    found = completed(item, resolved("given"), resolved(user="reader"))
    assert found["update_password"] == found["users"][0]["update_password"] == "on_create"
    assert found["users"][1] == {"name": "new"}


def test_a_check_makes_no_credentials():
    item = shop(users=[{"name": "reader", "privileges": "readonly"}])
    answers = [resolved("generated", username=None), resolved("generated", "reader")]
    [found] = declarations.completed([item], answers, {}, check_mode=True)
    assert found["username"].startswith("db_user_") and found["password"] == found["users"][0]["password"]
    assert found["users"][0]["privileges"] == "readonly" and "username" not in found["users"][0]


def test_what_is_new_of_a_refused_database_goes_to_no_server():
    new = {"changed": True, "added": True}
    found = [resolved("generated", username=None, **new), resolved("given", user="writer", changed=True, added=False)]
    item = shop(users=[{"name": "writer", "password": "given"}])
    latest = declarations.latest(found, [], check_mode=False)
    [wanted] = declarations.completed([item], latest, {}, check_mode=False)
    assert wanted["password"] == wanted["users"][0]["password"] == names.NOT_STORED
    # Where it is stored, that answer counts.
    stored = [{**one, "username": "app"} for one in found]
    assert declarations.latest(found, stored, check_mode=False) == stored
    assert not any(one["withheld"] for one in declarations.latest(found, [], check_mode=True))


def test_nothing_is_stored_for_what_is_refused():
    requests = declarations.credential_requests([shop(users=[{"name": "reader"}]), shop(name="other")])
    assert declarations.accepted(requests, []) == requests
    assert declarations.accepted(requests, [outcome(error="no")]) == requests[2:]


def test_only_what_was_stored_by_the_run_is_forgotten_when_nothing_was_made():
    place = {"name": "shop", "environment": "production"}
    added = [resolved("generated", added=True, **place), resolved("generated", user="reader", added=True, **place)]
    assert declarations.in_vain(added, [ENTRY]) == [place]
    assert declarations.in_vain(added, ["another"]) == declarations.in_vain([], [ENTRY]) == []
    assert declarations.in_vain([added[0], {**added[1], "added": False}], [ENTRY]) == []


def outcome(**given):
    database = {key: key for key in ("host", "username", "database", "ca_file", "ca_certificate")}
    known = {**database, "port": 5432, "sslmode": "prefer", "container_name": ENTRY}
    return {"container_name": ENTRY, "actions": [], "pending": [], "database": known, **given}


def test_given_passwords_that_have_reached_their_servers():
    users = [{"name": "reader"}, {"name": "writer", "password": "given"}]
    requests = declarations.credential_requests([shop(password="given", users=users)])
    answers = [
        resolved("given", rotating=True),
        resolved("stored", user="reader", rotating=True),
        resolved("given", user="writer", rotating=True),
    ]
    running = dict(outcome()["database"], id="1", container_status="running")

    def settled(*resolved, **given):
        return declarations.settled(requests, resolved, [outcome(**{"database": running, **given})])

    assert settled(*answers) == [requests[0], requests[2]]
    assert settled(resolved("given")) == []
    for database in (None, {**running, "id": None}, {**running, "container_status": "exited"}):
        assert settled(*answers, database=database) == []
    assert settled(*answers, error="no room") == []


def test_connections_are_those_of_what_is_there():
    databases = [outcome(error="no room"), outcome(database=None)]
    assert declarations.connections(databases, "file") == {}
    found = declarations.connections([outcome()], "file")[ENTRY]
    assert found["url"] == "postgresql://username@host:5432/database?sslmode=prefer"
    assert found["credentials_file"] == "file" and "password" not in found
    assert found["pooler"] is None


def test_a_connection_names_the_pooler_too():
    known = {"host": "pool", "port": 6432, "database": "app", "session_database": "app_session", "mode": "transaction"}
    given = outcome()
    given["database"] = {**given["database"], "pooler": {**known, "prepared_statements": True, "health": "healthy"}}
    found = declarations.connections([given], "file")[ENTRY]["pooler"]
    assert found == {
        **known,
        "prepared_statements": True,
        "url": "postgresql://username@pool:6432/app?sslmode=prefer",
        "session_url": "postgresql://username@pool:6432/app_session?sslmode=prefer",
    }


def test_all_mistakes_of_a_declaration_are_told_at_once():
    found = declarations.mistakes([shop(port="high", sslmode="sometimes", memory="lots", memroy="1g", cpus=2)])
    assert len(found) == 4 and all("\n" not in text for text in found)
    for wanted in ("port is 'high'", "sslmode must be one of", "memory is 'lots'", "no option memroy"):
        assert any(wanted in text for text in found), found


def test_a_certificate_goes_with_its_own_key_and_authority():
    defaults = {"tls_certificate": "all", "tls_key": "all's", "tls_ca": "all's authority", "memory": "1g"}
    own, other = declarations.with_defaults([{"tls_certificate": "own", "tls_key": "own's"}, {}], defaults)
    assert (own["tls_certificate"], own["tls_key"], own["tls_ca"], own["memory"]) == ("own", "own's", None, "1g")
    assert (other["tls_certificate"], other["tls_ca"]) == ("all", "all's authority")


def test_credentials_of_what_could_not_be_deleted_are_kept():
    declared = [shop(state="absent"), shop(name="kept", state="absent"), shop(name="there")]
    outcomes = [
        {"container_name": ENTRY},
        {"container_name": "kept-production-postgres", "error": "it is protected from deletion"},
        {"container_name": "there-production-postgres"},
    ]
    assert declarations.deleted(declared, outcomes) == [{"name": "shop", "environment": "production"}]
    # A run that came to nothing.
    assert declarations.deleted(declared, []) == []
