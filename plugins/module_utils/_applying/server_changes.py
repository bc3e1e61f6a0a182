# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps that are SQL do: each is safe to repeat after a crash at any point."""

from __future__ import annotations

from collections.abc import Iterator

from .._domain.errors import sure
from .._host import altered
from .._planning.sql_steps import Altered, ProveLogin, SqlStep, Users
from .._planning.steps import Step
from .._server import session, sql
from .context import Work

# Neighbours among these go to the server in one session, with the login that proves them at its end.
IN_SESSION = (SqlStep, ProveLogin)


def batches(steps: tuple[Step, ...]) -> Iterator[list[Step]]:
    """Yield the steps that are done together, in order."""
    batch: list[Step] = []
    for step in steps:
        if batch and not (isinstance(batch[-1], SqlStep) and isinstance(step, IN_SESSION)):
            yield batch
            batch = []
        batch.append(step)
    if batch:
        yield batch


def run(work: Work, batch: list[Step]) -> None:
    """Run the SQL of some neighbouring steps in one session."""
    first, last = batch[0], batch[-1]
    if isinstance(first, Altered) and first.major is not None:
        altered.reset(work.spec.directory, first.major, first.parameters)
        return
    script = "\n".join([sql.UNLOGGED, *[step.script() for step in batch if isinstance(step, SqlStep)]])
    if not isinstance(last, ProveLogin):
        session.psql(work.engine, work.name, script, alone=True)
        return
    _prove_login(work, last.username, last.password, script, last.verifiable)


def change_users(work: Work, step: Users) -> None:
    """Bring the declared users about, and log in as each that has got its password."""
    script = step.script()
    if not step.proved:
        session.psql(work.engine, work.name, script, alone=True)
    for user in step.proved:
        _prove_login(work, user.name, user.password, script, step.verifiable)
        script = "SELECT 1;"


def _prove_login(work: Work, username: str, password: str | None, script: str, verifiable: bool) -> None:
    facts = sure(work.facts or work.seen.container)
    session.prove_login(
        work.engine, work.name, facts, work.spec.name, username, sure(password), script, verify=verifiable
    )
