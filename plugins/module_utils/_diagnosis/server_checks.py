# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a login needs of the server: the database, the role, its password, a free connection, its privileges. Pure."""

from __future__ import annotations

from typing import Any

from .._domain import scram
from .._server.sql import identifier
from . import client_checks
from .client_checks import sql
from .judgement import Check, Outcome, fails, holds, unknown, warns
from .nouns import Facts


def _answer(facts: Facts) -> dict[str, Any]:
    return facts.server.answer if facts.server is not None else {}


def _database(facts: Facts) -> Outcome | None:
    answer, name = _answer(facts), facts.subject.database or ""
    if not answer:
        return None
    known = answer["database"]
    if known is None:
        others = ", ".join(answer["databases"][:5]) or "none"
        fix = facts.subject.play("restore") + "; or, if it was renamed, ALTER DATABASE ... RENAME TO"
        cause = f"There is no database {name} in the server: it was dropped or renamed."
        return fails(
            f"other databases: {others}",
            cause,
            fix if facts.ours else sql(facts, f"CREATE DATABASE {identifier(name)}"),
        )
    if not known["open"]:
        cause = f"Database {name} accepts no connections (ALLOW_CONNECTIONS false)."
        return fails(
            "ALLOW_CONNECTIONS is off", cause, sql(facts, f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true")
        )
    if 0 <= known["limit"] <= known["sessions"]:
        cause = f"Database {name} has a limit of {known['limit']} connections, and all are in use."
        fix = sql(facts, f"ALTER DATABASE {identifier(name)} CONNECTION LIMIT -1")
        return fails(f"{known['sessions']} of {known['limit']}", cause, fix)
    return holds(name)


def _role(facts: Facts) -> Outcome | None:
    answer, user = _answer(facts), facts.subject.user or ""
    if not answer:
        return None
    role = answer["role"]
    ours = facts.ours
    if role is None:
        cause = f"There is no role {user} in the server: it was dropped or renamed."
        seen = f"roles that can log in: {', '.join(answer['logins'][:5])}"
        return fails(seen, cause, facts.create() if ours else sql(facts, f"CREATE ROLE {identifier(user)} LOGIN"))
    if not role["login"]:
        fix = facts.create() if ours else sql(facts, f"ALTER ROLE {identifier(user)} LOGIN")
        return fails(user, f"Role {user} may not log in (NOLOGIN).", fix)
    if role["ended"]:
        cause = f"The password of role {user} expired on {role['until']} (VALID UNTIL)."
        fix = sql(facts, f"ALTER ROLE {identifier(user)} VALID UNTIL $$infinity$$")
        return fails(f"until {role['until']}", cause, facts.create() if ours else fix)
    if 0 <= role["limit"] <= role["sessions"]:
        cause = f"Role {user} has a limit of {role['limit']} connections, and all are in use."
        return fails(
            f"{role['sessions']} of {role['limit']}",
            cause,
            sql(facts, f"ALTER ROLE {identifier(user)} CONNECTION LIMIT -1"),
        )
    return holds(user)


def _credentials(facts: Facts) -> Outcome | None:
    subject = facts.subject
    if subject.password is not None:
        return holds(f"there is a password for {subject.user}")
    if subject.lost:
        cause = "No credentials are stored for it. A lost password cannot be recovered, only replaced."
        fix = subject.play("rotate", database_rotate_lost="true")
        return (fails if facts.ours else warns)(
            subject.why_no_password, cause, fix if facts.ours else subject.play("adopt")
        )
    return unknown(subject.why_no_password or "no password was given")


def _password(facts: Facts) -> Outcome | None:
    subject, role = facts.subject, _answer(facts).get("role")
    if role is None:
        return None
    verifier = role["verifier"]
    if verifier is None:
        cause = f"Role {subject.user} has no password in the server."
        fix = facts.subject.play("rotate") if facts.ours else "ALTER ROLE ... PASSWORD"
        return (fails if facts.ours else warns)("none", cause, fix)
    if subject.password is None:
        return unknown("the stored one is not known here")
    if not verifier.startswith("SCRAM-SHA-256$"):
        return unknown("the server does not store it as a SCRAM verifier")
    if scram.matches(subject.password, verifier):
        return holds("they are the same (compared without showing either)")
    cause = "The server's password is not the stored one: it was changed in the server, or in the file."
    return fails(
        "they differ (compared without showing either)",
        cause,
        facts.create(database_update_password="always") if facts.ours else subject.play("rotate"),
    )


def _slots(facts: Facts) -> Outcome | None:
    answer = _answer(facts)
    if not answer:
        return None
    seen = f"{answer['taken']} of {answer['slots']} taken"
    if answer["taken"] < answer["slots"]:
        return holds(seen)
    cause = "All connections are in use: applications open more than max_connections, or leave them open."
    fix = "terminate idle ones (pg_terminate_backend), use a connection pooler"
    if facts.ours:
        raised = f'{{"database_settings": {{"max_connections": {2 * int(answer["slots"]) + 3}}}}}'
        fix += f", or raise the limit: {facts.create()} -e '{raised}'"
    return fails(f"{seen}: {'; '.join(answer['holders'])}", cause, fix)


def _privileges(facts: Facts) -> Outcome | None:
    answer, user = _answer(facts), facts.subject.user or ""
    database = answer.get("database")
    if database is None or answer.get("role") is None:
        return None
    name = facts.subject.database or ""
    if not database["let_in"]:
        grant = sql(facts, f"GRANT CONNECT ON DATABASE {identifier(name)} TO {identifier(user)}")
        cause = f"Role {user} may not connect to database {name} (CONNECT)."
        return fails(
            f"it belongs to {database['owner']}",
            cause,
            facts.create() if facts.ours and database["owner"] != user else grant,
        )
    inside = facts.server.inside if facts.server is not None else None
    if inside is None:
        return unknown(facts.server.outside if facts.server is not None else "")
    closed = inside["no_tables"]
    if closed:
        cause = f"Role {user} may not read all tables: they belong to another role."
        who = f"ALTER TABLE {closed[0]} OWNER TO {identifier(user)}"
        return warns(
            ", ".join(closed), cause, f"docker exec -u postgres {facts.subject.container} psql -d {name} -c '{who}'"
        )
    return holds(f"owner {database['owner']}")


def _login(facts: Facts) -> Outcome:
    return client_checks.login(facts, facts.create() if facts.ours else "see what the server's log says")


def _writable(facts: Facts) -> Outcome | None:
    answer = _answer(facts)
    if not answer:
        return None
    if answer["standby"]:
        return (fails if facts.ours else warns)(
            "pg_is_in_recovery()",
            "The server is a standby, or is still recovering: it is read-only.",
            "find its primary; pg_promote() makes this one a primary",
        )
    setting = answer["settings"].get("default_transaction_read_only") or {}
    if setting.get("value") == "on" or answer["read_only"]:
        name = identifier(facts.subject.database or "")
        by = answer["read_only"][0] if answer["read_only"] else f"{setting.get('from')}"
        cause = f"Transactions are read-only by default (default_transaction_read_only, set by {by})."
        kinds = {
            "ALTER DATABASE": f"ALTER DATABASE {name}",
            "ALTER ROLE": f"ALTER ROLE {identifier(facts.subject.user or '')}",
        }
        what = kinds.get(by, "ALTER SYSTEM")
        reload = "" if by in kinds else " -c 'SELECT pg_reload_conf()'"
        return fails(
            "default_transaction_read_only = on",
            cause,
            sql(facts, f"{what} RESET default_transaction_read_only") + reload,
        )
    return holds()


CHECKS = (
    Check("database", "The database is there and accepts connections", _database, needs=("container", "answers")),
    Check("role", "Its role exists and may log in", _role, needs=("container", "answers")),
    Check("credentials", "Its credentials are stored and can be read", _credentials, needs=("known",)),
    Check("password", "The server has the stored password", _password, needs=("container", "answers", "role")),
    Check("slots", "There are free connections", _slots, needs=("container", "answers")),
    Check(
        "privileges", "Its role may use the database", _privileges, needs=("container", "answers", "database", "role")
    ),
    Check(
        "login",
        "The application can log in through the published port",
        _login,
        needs=("container", "answers", "reach"),
        follows=("tls", "admitted", "database", "role", "credentials", "password", "slots", "privileges"),
    ),
    Check("writable", "It accepts writes", _writable, needs=("container", "answers")),
)
