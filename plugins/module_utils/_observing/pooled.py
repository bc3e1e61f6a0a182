# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a host of a database's pooler. It is read and never written."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._domain import layout, names, pgbouncer, pooler_facts
from .._domain.errors import DatabaseError, sure
from .._domain.pooler import POOLER
from .._domain.pooler_facts import PoolerFacts
from .._host import files, known_certificate, pooler_images
from .._server import answers, pooling, session, sql, wire

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts, FileFacts, ServerCertificate
    from .._domain.pgbouncer import Login
    from .._domain.pooler_facts import PoolerImage
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .._host.engine import Engine

# Superusers log in over the server's own socket only.
_LOGINS = """SELECT json_build_object('name', rolname, 'verifier', rolpassword,
  'expired', coalesce(rolvaliduntil < now(), false))::text
FROM pg_catalog.pg_authid WHERE rolcanlogin AND NOT rolsuper AND rolname IN ({names}) ORDER BY rolname;
"""


def observe(
    engine: Engine | None,
    spec: DatabaseSpec,
    record: Record | None,
    container: ContainerFacts | None,
    previous: ContainerFacts | None,
    authority: bytes | None,
    inspect_image: Callable[[str], dict[str, Any] | None],
    check_mode: bool,
    recorded: bool,
    server: ContainerFacts | None,
) -> PoolerFacts:
    """Return what is there of a pooler that is declared, recorded or there.

    authority: the certificate of the host's. recorded: only what tells whether it is as the record has it, without
    asking anybody. server: the container of a server that answers, None where none does.
    """
    known = {path: files.read(os.path.join(spec.directory, path)) for path in pooler_facts.KNOWN_FILES}
    there = {path: facts for path, facts in known.items() if facts is not None}
    wanted = spec.pooler is not None and spec.state in ("started", "present", "undeleted")
    image = _image(engine, spec, container, inspect_image, remember=not check_mode) if wanted else None
    paused, silent = ((), None) if recorded else _paused(container)
    return PoolerFacts(
        POOLER,
        POOLER,
        container,
        previous,
        image=None,
        files=there,
        runs=image,
        certificate=_certificate(spec, there, authority, remember=not check_mode),
        logins=logins(sure(engine), server, spec, record) if wanted and not recorded and server and record else None,
        paused=paused,
        silent=silent,
        directory=os.path.isdir(os.path.join(spec.directory, pooler_facts.DIRECTORY)),
        settings_error=None if recorded or image is None else _settings_error(sure(engine), spec, image, there),
    )


def logins(engine: Engine, server: ContainerFacts, spec: DatabaseSpec, record: Record) -> tuple[Login, ...]:
    """Return who may use the database, with the server's own verifiers. Raises DatabaseError."""
    who = {record.username, *names.alternates(record.username), *(user.name for user in spec.users)}
    question = _LOGINS.format(names=", ".join(sql.literal(name) for name in sorted(who)))
    with answers.understood(server.name):
        rows = [answers.load(row) for row in session.ask(engine, server, session.SUPERUSER, question)]
        return tuple(pgbouncer.Login(str(row["name"]), row["verifier"], bool(row["expired"])) for row in rows)


def _image(
    engine: Engine | None,
    spec: DatabaseSpec,
    container: ContainerFacts | None,
    inspect_image: Callable[[str], dict[str, Any] | None],
    remember: bool,
) -> PoolerImage | None:
    """Return the image that it is to run: while the declared reference stays the same, the one that it has."""
    if engine is None:
        return None
    reference, found = spec.declared_pooler.image, None
    if container is not None and container.config is not None and container.declared_image == reference:
        found = inspect_image(container.config.image_id) if spec.pull != "always" else None
    found = found or inspect_image(reference)
    if found is None:
        return None
    return pooler_images.describe(engine, found, reference, layout.image_cache(spec.data_root), remember)


def _certificate(
    spec: DatabaseSpec, there: dict[str, FileFacts], authority: bytes | None, remember: bool
) -> ServerCertificate | None:
    """Describe its certificate; None where it has none of the host's authority."""
    needed = (pooler_facts.CERTIFICATE, pooler_facts.KEY, pooler_facts.AUTHORITY)
    if spec.tls_fingerprint is not None or authority is None or not all(path in there for path in needed):
        return None
    contents = tuple(there[path].content for path in needed)
    directory = os.path.join(spec.directory, pooler_facts.DIRECTORY)
    found = known_certificate.describe(directory, contents[0], contents[1], contents[2], remember)
    return None if found is None else {**found, "current": contents[2] == authority}


def _paused(container: ContainerFacts | None) -> tuple[tuple[str, ...], str | None]:
    """Return the names by which clients wait, and why its console does not answer."""
    if container is None or not container.running:
        return (), None
    try:
        return pooling.paused(container), None
    except (DatabaseError, wire.Unreachable, socket.timeout) as error:
        return (), str(error) or "it did not answer in time"


def _settings_error(engine: Engine, spec: DatabaseSpec, image: PoolerImage, there: dict[str, FileFacts]) -> str | None:
    """Let the image's PgBouncer try the declared settings, unless they are the ones that it has."""
    settings = spec.declared_pooler.settings
    known = there.get(pooler_facts.INI)
    parameters = pgbouncer.parameters(known.content.decode("utf-8", "replace")) if known is not None else {}
    if all(parameters.get(name) == value for name, value in settings.items()):
        return None
    return pooler_images.settings_error(engine, image.id, settings)
