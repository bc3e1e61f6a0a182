# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a container that somebody else made, and that is to be taken over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._domain import layout
from .._domain.errors import DatabaseError
from .._host import cluster, disk, images
from .._planning import adoptable, supervised
from .._server import adoption_sql, privileges, roles, session, sql

if TYPE_CHECKING:
    from .._domain.facts import ServerFacts
    from .._domain.spec import DatabaseSpec
    from .._host.engine import Engine


def observe(engine: Engine, spec: DatabaseSpec, remember: bool) -> adoptable.Adoptable:
    """Look at the foreign container of a database that is to be taken over, and ask its server."""
    inspected = engine.inspect(spec.container)
    if inspected is None:
        raise DatabaseError(f"Container {spec.container} was removed meanwhile: run the task again")
    foreign = adoptable.from_inspect(inspected)
    if not foreign.running:
        return adoptable.Adoptable(
            foreign, obstacle="it does not run, so that its server cannot be asked what it holds: start it first"
        )
    try:
        answer = adoption_sql.parse(_ask(engine, spec, adoption_sql.QUESTION))
        image = images.describe(
            engine,
            engine.inspect_image(foreign.image_id) or {"Id": foreign.image_id},
            foreign.image,
            layout.image_cache(spec.data_root),
            remember,
        )
        server = _server(engine, spec, answer)
    except DatabaseError as error:
        return adoptable.Adoptable(foreign, obstacle=error.message)
    return adoptable.Adoptable(
        foreign, image=image, answer=answer, server=server, **_data(engine, spec, foreign, answer)
    )


def _ask(engine: Engine, spec: DatabaseSpec, script: str, environment: Mapping[str, str] | None = None) -> str:
    """Run SQL as the foreign container's own superuser."""
    finished = engine.execute(
        spec.container, ["sh", "-c", adoption_sql.LOG_IN], session.SUPERUSER, script, session.QUERY_SECONDS, environment
    )
    if finished.exit_code != 0:
        raise DatabaseError(
            "its server does not answer its own superuser (POSTGRES_USER, with POSTGRES_PASSWORD where it wants one):"
            f" {session.first_error(finished.stderr)}"
        )
    return finished.stdout


def _server(engine: Engine, spec: DatabaseSpec, answer: Mapping[str, Any]) -> ServerFacts | None:
    database = adoptable.choose_database(answer["databases"], spec.name)
    if database is None:
        return None
    # Not for the first question: what a client gives hides what the server's command line says.
    shield = session.environment_of(engine, spec.container)
    script = sql.observe(database, spec.username or "")
    within = sql.OBSERVE_FILES + sql.OBSERVE_EXTENSIONS + roles.OBSERVE
    answers = sql.read(_ask(engine, spec, f"{script}\n{sql.enter(database)}\n{within}", shield).splitlines())
    further = privileges.observe(spec.username or "", sql.major(answers))
    answers.update(sql.read(_ask(engine, spec, f"{sql.enter(database)}\n{further}", shield).splitlines()))
    return sql.facts(answers)


def _data(engine: Engine, spec: DatabaseSpec, foreign: adoptable.Foreign, answer: Mapping[str, Any]) -> dict[str, Any]:
    source = adoptable.data_source(foreign.mounts, answer["data_directory"])
    if source is None:
        return {}
    path = source[0]
    if cluster.major(path) is None:
        raise DatabaseError(f"its data was not found on this host ({path} holds none)")
    measured = cluster.measure(path)
    return {
        "data": path,
        "owner": cluster.owner(path),
        "size": measured.size,
        "links": measured.links,
        "free": disk.space(spec.directory)["free_bytes"],
        "movable": cluster.can_move(path, spec.directory),
        "rivals": tuple(supervised.rivals(engine.containers(), path, source_of(foreign, path), (foreign.id,))),
    }


def source_of(foreign: adoptable.Foreign, path: str) -> str:
    """Return what a foreign container mounts to reach its data."""
    return supervised.mount_of([{"Source": mount[0]} for mount in foreign.mounts], path)
