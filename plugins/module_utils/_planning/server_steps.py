# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a plan that is SQL: the application's role, its database, extensions and users. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .._domain import configuration, extensions, names, privileges, scram, users
from .._domain.errors import Refused, sure
from .sql_steps import (
    Database,
    EndLogins,
    EndSessions,
    Extensions,
    LockSuperuser,
    Overrides,
    Privileges,
    ProveLogin,
    Restrict,
    Role,
    Users,
)

if TYPE_CHECKING:
    from .._domain.extensions import Installed
    from .._domain.facts import ApplicationDatabase, ApplicationRole, Observed, ServerFacts
    from .._domain.privileges import Override
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .._domain.users import ObservedRoles
    from .steps import Step

# What belongs to it, nobody's role was renamed for.
SUPERUSER = "postgres"


def with_logins(spec: DatabaseSpec, seen: Observed, record: Record) -> DatabaseSpec:
    """Return the declaration with the logins that take turns among its users; then the application's role has none.

    Raises Refused where the one whose turn comes may still be used with its old password.
    """
    logins = users.taking_turns(record.username, record.login, spec.password, spec.update_password)
    if not logins:
        return spec
    declared = [user.name for user in spec.users if user.name in names.alternates(record.username)]
    if declared:
        raise Refused(f"users: {declared[0]} is a login of the application's own role: choose another name")
    if seen.server is not None and spec.password and seen.record is not None and seen.record.login != record.login:
        seconds = users.still_used(record.username, record.login, spec.password, seen.server.users)
        if seconds != 0:
            until = f"for another {seconds:.0f} s" if seconds else "until its login is ended (login_grace)"
            raise Refused(
                f"{record.login} of {spec.container} may still be used with its old password, {until}: rotate again"
                " after that"
            )
    return dataclasses.replace(spec, username=record.username, password=None, users=(*spec.users, *logins))


def _end_step(spec: DatabaseSpec, seen: Observed, record: Record) -> list[Step]:
    if record.login is None or spec.login_grace is None or seen.server is None:
        return []
    going = users.unended(record.username, record.login, seen.server.users)
    return [EndLogins(tuple(going), spec.login_grace)] if going else []


def with_passwords(spec: DatabaseSpec, record: Record) -> list[str]:
    """Return the names of the roles that the declaration gives passwords for, with all that take turns with them."""
    own = [record.username] if spec.password is not None else []
    given = [user.name for user in spec.users if user.password is not None]
    turns = names.alternates(record.username)
    return sorted({*own, *given, *(turns if set(turns) & set(given) else ())})


def _end_sessions_step(spec: DatabaseSpec, record: Record) -> list[Step]:
    going = with_passwords(spec, record) if spec.end_sessions else []
    return [EndSessions(tuple(going))] if going else []


def refuse(spec: DatabaseSpec, seen: Observed, record: Record) -> None:
    """Raise Refused where the declared extensions or users cannot be had."""
    _refuse_unknown_extensions(spec, seen)
    observed = seen.server.users if seen.server else users.NOTHING
    if record.username in [user.name for user in spec.users]:
        raise Refused(f"users: {record.username} is the application's own role, which owns the database")
    waiting = [user.name for user in spec.users if user.waits or user.recorded]
    missing = users.missing(spec.users, observed) if seen.server or not record.initialised else ()
    missing = [name for name in missing if name not in waiting]
    if missing:
        raise Refused(
            f"users: {', '.join(missing)} of {spec.container} is new and needs a password: role"
            " vellaric.postgres.database takes care of it in a run that is not partial, postgres_db_credentials"
            " generates and stores it"
        )
    differing = users.disagreeing(spec.users, observed, spec.update_password)
    if differing:
        raise _disagreement(", ".join(differing), spec.container)


def _user_step(spec: DatabaseSpec, record: Record, observed: ObservedRoles, verifiable: bool) -> list[Step]:
    declared = users.feasible(spec.users, observed)
    changes = users.changes(declared, record.username, observed)
    if not any(change.words for change in changes):
        return []
    given = {change.name for change in changes if change.sets_password}
    proved = tuple(user for user in declared if user.name in given)
    words = tuple(change.words for change in changes)
    return [Users(spec.name, record.username, declared, observed, words, proved, verifiable)]


def _extension_step(spec: DatabaseSpec, installed: Mapping[str, Installed]) -> list[Step]:
    words = [words for words, _statement in extensions.changes(spec.extensions, installed) if words]
    return [Extensions(spec.name, spec.extensions, installed, tuple(words))] if words else []


def _refuse_unknown_extensions(spec: DatabaseSpec, seen: Observed) -> None:
    unknown = [name for name in spec.extensions if name not in seen.known_image.extensions]
    if unknown:
        raise Refused(
            f"extensions has {', '.join(unknown)}, which image {spec.image} does not have. Nothing was changed: declare"
            f" an image that has it, or one of {', '.join(seen.known_image.extensions)}"
        )


def _password_differs(spec: DatabaseSpec, record: Record, verifier: str | None) -> bool:
    """Say whether the server has another password than the one given, or none. Raises Refused where it keeps it."""
    if spec.password is None or scram.matches(spec.password, verifier):
        return False
    if verifier is not None and spec.update_password == "on_create":
        raise _disagreement(record.username, spec.container)
    return True


def _disagreement(username: str, container: str) -> Refused:
    return Refused(
        f"The stored password of {username} is not the one that {container} has: it was changed there, or another"
        " copy of the credentials is in use. Nothing was changed. To give the server the stored one, set"
        " update_password: always; to store the one that it has, give that as password; to replace both, rotate it"
        " (playbook vellaric.postgres.rotate)"
    )


def altered(spec: DatabaseSpec, seen: Observed, restarts: bool = True) -> list[str]:
    """Return the names of what ALTER SYSTEM has set and what is governed by the declaration.

    restarts: also those that would take effect with a restart only.
    """
    known = seen.server.altered if seen.server is not None else seen.altered
    found = [name for name in known if name in spec.governed]
    waiting = () if restarts else configuration.needs_restart(found, seen.known_image.parameters)
    return [name for name in found if name not in waiting]


def overrides(spec: DatabaseSpec, server: ServerFacts) -> list[Override]:
    """Return the entries of ALTER DATABASE ... SET and ALTER ROLE ... SET that outrank what is declared."""
    return privileges.overrides(server.privileges, spec.outranking)


def _trust_steps(spec: DatabaseSpec, server: ServerFacts, owner: str) -> list[Step]:
    """Return the steps that take away what is not declared: privileges, event triggers, parameters."""
    words = [f"take away that {what}" for what in privileges.held(server.privileges)]
    words += [f"disable event trigger {name}: {why}" for name, why in privileges.armed(server.privileges).items()]
    steps: list[Step] = [Privileges(spec.name, owner, tuple(words))] if words else []
    found = overrides(spec, server)
    if found:
        shown = tuple(privileges.override_words(one) for one in found)
        steps.append(Overrides(spec.name, owner, frozenset(spec.outranking), shown))
    return steps


def _prove_login(spec: DatabaseSpec, record: Record, verifiable: bool) -> ProveLogin:
    return ProveLogin(spec.name, record.username, sure(spec.password), verifiable)


def creation(spec: DatabaseSpec, seen: Observed, record: Record, verifiable: bool) -> list[Step]:
    """Return the steps that a new server needs, in order. verifiable: Certification's."""
    owner = record.username
    return [
        set_role("create the application's role", spec, record),
        Database(f"create database {spec.name}", spec.name, owner),
        Restrict(spec.name, owner, seen.image.major if seen.image else 0),
        LockSuperuser(),
        *_extension_step(spec, {}),
        *_user_step(spec, record, users.NOTHING, verifiable),
        _prove_login(spec, record, verifiable),
    ]


def _refuse_renamed(spec: DatabaseSpec, seen: Observed, record: Record) -> None:
    """Raise Refused where the database or its owner may have got another name: a new one would hide what it holds."""
    if seen.record is None or not seen.record.initialised:
        return
    role, database = seen.known_server.role, seen.known_server.database
    if database is None:
        others = sorted(
            name for name, owner in seen.known_server.others.items() if role is None or owner == record.username
        )
        if others:
            raise Refused(
                f"{spec.container} has no database {spec.name} any more, but {', '.join(others)}: was it renamed? An"
                " empty one would hide that, so none is made. To give it its name back:"
                f' ALTER DATABASE "{others[0]}" RENAME TO "{spec.name}"; where an empty one is wanted:'
                f' CREATE DATABASE "{spec.name}". (docker exec -it {spec.container} psql -U postgres)'
            )
    elif role is None and database["owner"] not in (record.username, SUPERUSER):
        raise Refused(
            f"{spec.container} has no role {record.username} any more, and database {spec.name} belongs to"
            f" {database['owner']}: was it renamed? A new one would own nothing of what is in there, so none is made."
            f' To give it its name back: ALTER ROLE "{database["owner"]}" RENAME TO "{record.username}"; where it is'
            f' another: REASSIGN OWNED BY "{database["owner"]}" TO postgres, in database {spec.name}. (docker exec -it'
            f" {spec.container} psql -U postgres)"
        )


def _role_words(spec: DatabaseSpec, record: Record, role: ApplicationRole | None) -> str | None:
    """Say what is to be done to the application's role, or return None."""
    if role is None:
        return f"create role {record.username}, which is missing"
    differs = _password_differs(spec, record, role["verifier"])
    if role["privileged"] or not role["login"] or (role.get("ends") and record.login is None):
        return f"make {record.username} an ordinary role that can log in"
    if role.get("closed"):
        return f"allow {record.username} to connect (its connection limit is 0)"
    return f"set the password of {record.username}" if differs else None


def _database_words(spec: DatabaseSpec, record: Record, database: ApplicationDatabase | None) -> str | None:
    """Say what is to be done to the database, or return None."""
    if database is None:
        return f"create database {spec.name}, which is missing"
    if database["owner"] != record.username:
        return f"make {record.username} the owner of database {spec.name}"
    if database.get("closed"):
        return f"allow connections to database {spec.name} (its connection limit is 0)"
    return None


def change(spec: DatabaseSpec, seen: Observed, record: Record, verifiable: bool) -> list[Step]:
    """Return the steps that a server which has served needs; none where it could not be asked.

    verifiable: Certification's.
    """
    if seen.server is None:
        return []
    _refuse_renamed(spec, seen, record)
    owner, database = record.username, seen.server.database
    steps: list[Step] = []
    words = _role_words(spec, record, seen.server.role)
    if words:
        steps.append(set_role(words, spec, record))
    # Before anything that an event trigger could wait for.
    steps += _trust_steps(spec, seen.server, owner)
    changed = _database_words(spec, record, database)
    if changed:
        steps.append(Database(changed, spec.name, owner))
    if database is None or database["public"]:
        steps.append(Restrict(spec.name, owner, seen.image.major if seen.image else 0))
    if seen.server.superuser_has_password:
        steps.append(LockSuperuser())
    steps += _extension_step(spec, seen.server.extensions)
    steps += _user_step(spec, record, seen.server.users, verifiable)
    steps += _end_step(spec, seen, record)
    steps += _end_sessions_step(spec, record)
    if spec.password is not None and words:
        steps.append(_prove_login(spec, record, verifiable))
    return steps


def set_role(words: str, spec: DatabaseSpec, record: Record) -> Role:
    """Return the step that makes the application's role as it is to be."""
    return Role(words, record.username, spec.password, record.login is None)
