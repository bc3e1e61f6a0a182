# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation asks of the store, and what it gives to the servers. Pure.

running: what postgres_db_info returned of the databases whose passwords are to be replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..module_utils._domain.names import NOT_STORED

if TYPE_CHECKING:
    # A database as postgres_db_info describes it.
    Running = Mapping[str, Any]


def takes_turns(database: Running, grace: int | None) -> bool:
    """Say whether two logins take turns, because it is asked for or because they do already."""
    return grace is not None or database["username"] != database["owner"]


def requests(
    running: Iterable[Running], user: str | None, password: str | None, grace: int | None
) -> list[dict[str, str]]:
    """Return what is asked of the store: a new password for each database's own role and its users.

    user: just this one of them, or None. password: of the database's own role, or None to generate one.
    """
    found = []
    for database in running:
        place = _place(database)
        if user is None:
            own = {"username": database["username"]}
            if password is not None:
                own["password"] = password
            if takes_turns(database, grace):
                own["owner"] = database["owner"]
            found.append({**place, **own})
        found += [{**place, "user": one["name"]} for one in database["users"] if user in (None, one["name"])]
    return found


def wanted(
    running: Iterable[Running],
    stored: Iterable[Mapping[str, Any]],
    known: Mapping[str, Mapping[str, str]],
    check_mode: bool,
    end_sessions: bool = False,
) -> list[dict[str, Any]]:
    """Return what the module is given: the databases with their new passwords.

    stored: what the store answered. known: the entries of its file, which in check mode has no new ones.
    end_sessions: whether who has logged in with the old ones is sent away.
    """
    logins = {one["entry"]: one["next_username"] for one in stored}
    containers = {entry.split("/")[0] for entry in logins}
    found = []
    for database in running:
        entry = database["container_name"]
        if entry not in containers:
            continue
        own = {}
        if entry in logins:
            own = {"username": logins[entry], "password": _new_password(known, entry, check_mode)}
        users = [
            _with_password(user, f"{entry}/{user['name']}", logins, known, check_mode) for user in database["users"]
        ]
        ends = {"end_sessions": True} if end_sessions else {}
        found.append({**_place(database), "users": users, **own, **ends})
    return found


def _with_password(
    user: Mapping[str, Any],
    entry: str,
    logins: Mapping[str, str],
    known: Mapping[str, Mapping[str, str]],
    check_mode: bool,
) -> Mapping[str, Any]:
    return {**user, "password": _new_password(known, entry, check_mode)} if entry in logins else user


def _new_password(known: Mapping[str, Mapping[str, str]], entry: str, check_mode: bool) -> str:
    if check_mode:
        return NOT_STORED
    stored = known[entry]
    # A first password of lost credentials is stored as the present one.
    return stored.get("next_password") or stored["password"]


def ending(running: Iterable[Running], user: str | None, grace: int | None, seconds: int) -> list[dict[str, Any]]:
    """Return what ends the logins whose turn is over, after the seconds given."""
    return [
        {**_place(database), "login_grace": seconds}
        for database in running
        if user is None and takes_turns(database, grace)
    ]


def done(stored: Iterable[Mapping[str, Any]], databases: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what has reached its server, as it was asked for. databases: what the module returned."""
    reached = {outcome["container_name"] for outcome in databases if not outcome.get("error")}
    return [{**_place(one), "user": one["user"]} for one in stored if one["container_name"] in reached]


def _place(database: Mapping[str, Any]) -> dict[str, str]:
    return {"name": database["name"], "environment": database["environment"]}
