# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of a plan that are SQL: each is safe to repeat after a crash at any point."""

from __future__ import annotations

from .. import users
from ..host import altered
from ..planning import server_steps
from ..server import configuration, privileges, roles, scram, session, sql

# Neighbours among these go to the server in one session, with the login that proves them at its end.
VERBS = (
    "altered",
    "role",
    "privileges",
    "overrides",
    "database",
    "restrict",
    "lock_superuser",
    "extensions",
    "end_sessions",
)
LOGIN_VERB = "prove_login"
WITH_LOGIN = (*VERBS, LOGIN_VERB)


def run(work, verbs):
    """Run the SQL of some neighbouring verbs in one session."""
    if verbs == ["altered"] and work.seen.server is None:
        altered.reset(work.spec.directory, work.seen.data_majors[-1], _resettable(work))
        return
    spec, major = work.spec, work.seen.image.major
    installed = work.seen.server.extensions if work.seen.server else {}
    statements = {
        "role": lambda: sql.ensure_role(
            work.username, scram.new_verifier(spec.password) if spec.password else None, work.plan.record.login is None
        ),
        "database": lambda: sql.ensure_database(spec.name, work.username),
        "restrict": lambda: sql.restrict_database(spec.name, work.username, major),
        "lock_superuser": sql.lock_superuser,
        "altered": lambda: privileges.reset_altered(_resettable(work)),
        "privileges": lambda: privileges.script(spec.name, work.username),
        "overrides": lambda: privileges.reset_overrides(spec.name, work.username, spec.outranking),
        "end_sessions": lambda: roles.end_sessions(server_steps.with_passwords(spec, work.plan.record)),
        "extensions": lambda: sql.change_extensions(spec.name, spec.extensions, installed),
    }
    script = "\n".join([sql.UNLOGGED, *[statements[verb]() for verb in verbs if verb != LOGIN_VERB]])
    if LOGIN_VERB not in verbs:
        session.psql(work.engine, work.name, script, alone=True)
        return
    facts = work.facts or work.seen.container
    arguments = (work.engine, work.name, facts, spec.name, work.username, spec.password, script)
    session.prove_login(*arguments, verify=_verifiable(work))


def _resettable(work):
    """Return the names of what ALTER SYSTEM is not to set; where a restart is held back, without what would need it."""
    held = any(step.verb == "restart" for step in work.plan.pending)
    waiting = configuration.needs_restart(work.spec.governed, work.seen.image.parameters) if held else ()
    return work.spec.governed.difference(waiting)


def change_users(work):
    """Bring the declared users about, and log in as each that has got its password."""
    owner, observed = work.username, work.seen.server.users if work.seen.server else users.NOTHING
    declared = users.feasible(work.spec.users, observed)
    script = roles.script(work.spec.name, declared, owner, observed)
    given = {change.name for change in users.changes(declared, owner, observed) if change.sets_password}
    proved = [user for user in declared if user.name in given]
    if not proved:
        session.psql(work.engine, work.name, script, alone=True)
    facts = work.facts or work.seen.container
    for user in proved:
        arguments = (work.engine, work.name, facts, work.spec.name, user.name, user.password, script)
        session.prove_login(*arguments, verify=_verifiable(work))
        script = "SELECT 1;"


def end_logins(work):
    record = work.plan.record
    going = users.unended(record.username, record.login, work.seen.server.users)
    session.psql(work.engine, work.name, roles.end_logins(going, work.spec.login_grace), alone=True)


def _verifiable(work):
    return work.plan.certification is None or work.plan.certification.verifiable
