# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.plugin_utils import rotation

PLACE = {"name": "shop", "environment": "production"}
ENTRY = "shop-production-postgres"
RUNNING = [
    {
        **PLACE,
        "container_name": ENTRY,
        "username": "app",
        "owner": "app",
        "users": [{"name": "reader", "privileges": "readonly"}, {"name": "writer", "privileges": "readwrite"}],
    }
]
TAKING_TURNS = [{**RUNNING[0], "username": "app_a", "users": []}]


def stored(entry=ENTRY, user=None, **given):
    return {**PLACE, "container_name": ENTRY, "entry": entry, "user": user, "next_username": "app", **given}


def test_the_role_of_a_database_and_all_its_users_are_asked_for():
    assert rotation.requests(RUNNING, user=None, password="new", grace=None) == [
        {**PLACE, "username": "app", "password": "new"},
        {**PLACE, "user": "reader"},
        {**PLACE, "user": "writer"},
    ]


def test_or_just_one_of_them():
    assert rotation.requests(RUNNING, user="reader", password=None, grace=None) == [{**PLACE, "user": "reader"}]
    assert rotation.requests(RUNNING, user="nobody", password=None, grace=None) == []
    assert rotation.ending(RUNNING, user="reader", grace=60, seconds=60) == []


def test_two_logins_take_turns_when_that_is_asked_for_or_was_so_before():
    for running, grace in ((RUNNING, 60), (TAKING_TURNS, None)):
        assert rotation.requests(running, None, None, grace)[0]["owner"] == "app"
        assert rotation.ending(running, None, grace, 60) == [{**PLACE, "login_grace": 60}]
    assert "owner" not in rotation.requests(RUNNING, None, None, None)[0]
    assert rotation.ending(RUNNING, None, None, 60) == []


def test_the_servers_get_the_new_passwords_and_keep_the_others():
    known = {ENTRY: {"password": "old", "next_password": "new"}, f"{ENTRY}/reader": {"password": "first"}}
    answers = [stored(next_username="app_b"), stored(f"{ENTRY}/reader", "reader")]
    [found] = rotation.wanted(RUNNING, answers, known, check_mode=False)
    assert (found["username"], found["password"]) == ("app_b", "new")
    assert found["users"] == [
        {"name": "reader", "privileges": "readonly", "password": "first"},
        {"name": "writer", "privileges": "readwrite"},
    ]


def test_a_user_alone_leaves_the_role_of_the_database_alone():
    known = {f"{ENTRY}/reader": {"password": "old", "next_password": "new"}}
    [found] = rotation.wanted(RUNNING, [stored(f"{ENTRY}/reader", "reader")], known, check_mode=False)
    assert "password" not in found and found["users"][0]["password"] == "new"
    assert rotation.wanted(RUNNING, [], {}, check_mode=False) == []


def test_a_check_has_no_new_passwords():
    [found] = rotation.wanted(RUNNING, [stored()], {}, check_mode=True)
    assert found["password"] == "to-be-generated-in-the-run"


def test_what_has_reached_its_server_is_done():
    answers = [stored(), stored(f"{ENTRY}/reader", "reader")]
    done = [{**PLACE, "user": None}, {**PLACE, "user": "reader"}]
    assert rotation.done(answers, [{"container_name": ENTRY}]) == done
    assert rotation.done(answers, [{"container_name": ENTRY, "error": "no login"}]) == []
