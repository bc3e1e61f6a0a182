# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Further roles of a database: what is declared, and how it differs from what the server has. Pure.

A user is a role that logs in. What it may do comes from what it is a member of: the application's role, as which it
then works (owner), or one of two roles that nobody logs in with and that hold the privileges. The predefined
pg_read_all_data is not among these: it reads the passwords' verifiers too, and there is none before PostgreSQL 14.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict

from . import names, scram, texts

if TYPE_CHECKING:

    class UserOption(TypedDict, total=False):
        """A user as the option `users` and the record spell it. recorded: see User."""

        name: str
        role: str | None
        connection_limit: int | None
        password: str | None
        update_password: str | None
        recorded: bool

    class Role(TypedDict):
        """A role of the server. ends_in: the seconds until its login ends, negative once it has; None for no end."""

        verifier: str | None
        login: bool
        privileged: bool
        connection_limit: int
        ends_in: float | None
        marked: bool
        member_of: list[str]
        works_as: str | None

    class ObservedRoles(TypedDict):
        """What server.roles.OBSERVE answers.

        database: (grantee, privilege); defaults: (grantee, creator, kind of object, privilege); ungranted: the groups
        that lack something of what is there.
        """

        roles: dict[str, Role]
        database: list[list[str]]
        defaults: list[list[str]]
        ungranted: list[str]


OWNER, READWRITE, READONLY = ROLES = ("owner", "readwrite", "readonly")
# What holds the privileges. The same in every database, so that a dump of one can be restored into another.
GROUPS = {READONLY: "vellaric_readonly", READWRITE: "vellaric_readwrite"}
# Tells the roles that were declared from those that somebody made by hand, which are never removed.
MARK = "Declared in vellaric.postgres"
UNLIMITED = -1

# By group and kind of object (pg_default_acl.defaclobjtype): tables, sequences, schemas.
PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    READONLY: {"r": ("SELECT",), "S": ("SELECT",), "n": ("USAGE",)},
    READWRITE: {"r": ("DELETE", "INSERT", "SELECT", "UPDATE"), "S": ("SELECT", "USAGE"), "n": ("USAGE",)},
}
DATABASE_PRIVILEGES = {READONLY: ("CONNECT",), READWRITE: ("CONNECT", "TEMPORARY")}


# What is observed (server.roles.OBSERVE) of a server that was not asked.
NOTHING: ObservedRoles = {"roles": {}, "database": [], "defaults": [], "ungranted": []}


@dataclasses.dataclass(frozen=True)
class User:
    """A declared user. connection_limit: None for none; update_password: None for that of the database.

    recorded: taken from the record by a run that does not declare it: where it is missing, it is left so.
    turns: one of the two logins of the application's role that take turns; waits: the one whose turn it is not, whose
    end is not changed.
    """

    name: str
    role: str
    connection_limit: int | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    update_password: str | None = None
    recorded: bool = False
    turns: bool = False
    waits: bool = False


@dataclasses.dataclass(frozen=True)
class Change:
    """What differs for one role: words for a person. sets_password: whether it gets the one that is given."""

    name: str
    words: str
    sets_password: bool = False


def from_option(items: Sequence[UserOption] | None, username: str | None) -> tuple[User, ...]:
    """Return the declared Users, sorted by name. Raises ValueError. username: the application's role, if given."""
    found: dict[str, User] = {}
    for item in items or []:
        name = _check_name(item.get("name"))
        role = item.get("role")
        if role not in ROLES:
            raise ValueError(f"users: {name} needs a role, one of {', '.join(ROLES)}")
        if name in found or name == username:
            whose = "declared twice" if name in found else "the application's own role, which owns the database"
            raise ValueError(f"users: {name} is {whose}")
        limit = item.get("connection_limit")
        if limit is not None and (limit < 1 or limit > texts.MOST_INTEGER):
            most = f"{'at least 1' if limit < 1 else f'at most {texts.MOST_INTEGER}'}, or leave it out for no limit"
            raise ValueError(f"users: connection_limit of {name} is {limit}: {most}")
        password = item.get("password")
        if password is not None:
            _named(f"{name}: ", names.check_password, password)
        secret = (password, item.get("update_password"))
        found[name] = User(name, role, limit, *secret, recorded=bool(item.get("recorded")))
    return tuple(found[name] for name in sorted(found))


def recorded(items: Sequence[UserOption] | None) -> list[UserOption]:
    """Return what a record keeps of users as the option of a run that does not declare them."""
    return [{**item, "recorded": True} for item in items or []]


def to_option(users: Iterable[User]) -> list[UserOption]:
    """Return what a record keeps of users: never a secret."""
    return [
        {"name": user.name, "role": user.role, "connection_limit": user.connection_limit}
        for user in users
        if not user.turns
    ]


def _check_name(name: str | None) -> str:
    if name is None:
        raise ValueError("users: each user needs a name and a role")
    # Which is in the message as it is shown there.
    _named("", names.check_username, name)
    if name in GROUPS.values():
        raise ValueError(f"users: {name} is a role that this collection makes itself: choose another name")
    return name


def _named(whose: str, check: Callable[[str], str], value: str) -> None:
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"users: {whose}{error}") from None


def taking_turns(owner: str, login: str | None, password: str | None, update_password: str | None) -> tuple[User, ...]:
    """Return the two logins of an application as Users, the one whose turn it is with its password."""
    names_of_both = names.alternates(owner)
    if login not in names_of_both:
        return ()
    return tuple(
        User(name, OWNER, None, password, update_password, turns=True)
        if name == login
        else User(name, OWNER, turns=True, waits=True)
        for name in names_of_both
    )


def still_used(owner: str, login: str | None, password: str | None, observed: ObservedRoles) -> float | None:
    """Say for how many seconds (None: without an end) the login whose turn comes may be used with its old password.

    0 where nobody can, or where the password stays.
    """
    role = observed["roles"].get(login) if login else None
    if role is None or not role["verifier"] or (password and scram.matches(password, role["verifier"])):
        return 0
    return role["ends_in"] if role["ends_in"] is None else max(0, role["ends_in"])


def unended(owner: str, login: str | None, observed: ObservedRoles) -> list[str]:
    """Return the roles that have logged in for the application, whose turn is over, and whose login does not end."""
    return [
        name
        for name in (owner, *names.alternates(owner))
        if name != login and _verifier(name, observed)
        if observed["roles"][name]["ends_in"] is None and observed["roles"][name]["login"]
    ]


def _verifier(name: str, observed: ObservedRoles) -> str | None:
    role = observed["roles"].get(name)
    return None if role is None else role["verifier"]


def groups(users: Sequence[User]) -> tuple[str, ...]:
    """Return the kinds of users for which there has to be a role that holds their privileges."""
    return tuple(kind for kind in GROUPS if any(user.role == kind for user in users))


def creators(users: Sequence[User], owner: str) -> tuple[str, ...]:
    """Return the roles whose later tables the others are to read: all that may come to make some."""
    return (owner, *(user.name for user in users if user.role in (OWNER, READWRITE)))


def membership(user: User, owner: str) -> str:
    """Return the role that a user is a member of: its kind's, or for an owner the application's."""
    return GROUPS.get(user.role, owner)


def missing(users: Sequence[User], observed: ObservedRoles) -> list[str]:
    """Return the names of users that are not there, and have no password to be made with."""
    return [user.name for user in users if user.password is None and user.name not in observed["roles"]]


def feasible(users: Sequence[User], observed: ObservedRoles) -> tuple[User, ...]:
    """Return the users but for those that are not there and have no password: they are left to a run that has it."""
    return tuple(user for user in users if user.name not in missing(users, observed))


def shown(users: Sequence[User], observed: ObservedRoles, owner: str | None) -> list[UserOption]:
    """Return what is there of users, as to_option has what is declared."""
    kinds: dict[str | None, str] = {**{group: kind for kind, group in GROUPS.items()}, owner: OWNER}
    declared = [user.name for user in users]
    others = (*GROUPS.values(), owner, *names.alternates(owner or ""))
    return [
        {
            "name": name,
            "role": next((kinds[base] for base in role["member_of"] if base in kinds), None),
            "connection_limit": None if role["connection_limit"] == UNLIMITED else role["connection_limit"],
        }
        for name, role in sorted(observed["roles"].items())
        if name not in others and (role["marked"] or name in declared)
    ]


def disagreeing(users: Sequence[User], observed: ObservedRoles, update_password: str) -> list[str]:
    """Return the names of users that have another password than the stored one, which is not to be forced upon them."""
    return [
        user.name
        for user in users
        if user.password is not None
        and (user.update_password or update_password) == "on_create"
        and _verifier(user.name, observed)
        and not scram.matches(user.password, _verifier(user.name, observed))
    ]


def changes(users: Sequence[User], owner: str, observed: ObservedRoles) -> list[Change]:
    """Return the Changes from what the server has (server.roles.OBSERVE) to what is declared."""
    roles = observed["roles"]
    made = [_created_or_changed(user, owner, roles.get(user.name)) for user in users]
    found = [change for change in made if change is not None]
    wanted = [user.name for user in users] + [GROUPS[kind] for kind in groups(users)]
    found += [
        Change(
            name, f"remove {name}" if name not in GROUPS.values() else f"remove role {name}, which is no longer needed"
        )
        for name, role in sorted(roles.items())
        if role["marked"] and name not in wanted
    ]
    found += [
        Change(GROUPS[kind], f"grant missing privileges to {kind} users")
        for kind in groups(users)
        if not _granted(kind, users, owner, observed)
    ]
    return found


def _created_or_changed(user: User, owner: str, role: Role | None) -> Change | None:
    if role is None:
        return Change(user.name, f"create {user.name} ({user.role})", True)
    words, limit = [], UNLIMITED if user.connection_limit is None else user.connection_limit
    sets_password = user.password is not None and not scram.matches(user.password, role["verifier"])
    if not role["marked"]:
        words.append(f"take {user.name} over")
    if role["privileged"] or not role["login"] or role["member_of"] != [membership(user, owner)]:
        words.append(f"make {user.name} an ordinary {user.role} user")
    elif role["works_as"] != (owner if user.role == OWNER else None):
        words.append(f"let {user.name} work as {owner if user.role == OWNER else 'itself'}")
    if role["ends_in"] is not None and not user.waits:
        words.append(f"remove the expiry of {user.name}")
    if role["connection_limit"] != limit:
        words.append(f"limit {user.name} to {'any number of' if limit == UNLIMITED else limit} connections")
    if sets_password:
        words.append(f"set the password of {user.name}")
    return Change(user.name, ", ".join(words), sets_password) if words else None


def _granted(kind: str, users: Sequence[User], owner: str, observed: ObservedRoles) -> bool:
    """Say whether the role that holds the privileges of a kind of users has just those, also on what comes later."""
    group = GROUPS[kind]
    role = observed["roles"].get(group)
    if role is None or role["login"] or role["privileged"] or role["member_of"] or group in observed["ungranted"]:
        return False
    defaults = {
        (creator, objects, privilege)
        for creator in creators(users, owner)
        for objects, privileges in PRIVILEGES[kind].items()
        for privilege in privileges
    }
    return (
        role["marked"]
        and defaults <= {tuple(entry[1:]) for entry in observed["defaults"] if entry[0] == group}
        and set(DATABASE_PRIVILEGES[kind]) <= {entry[1] for entry in observed["database"] if entry[0] == group}
    )
