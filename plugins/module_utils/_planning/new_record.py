# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database is given once and keeps: its id, its port and its role, as its record says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._domain import names, port_choice
from .._domain.errors import Refused, sure
from .._domain.pooler import POOLER
from .._domain.record import PRIMARY, Instance, Record, primary

if TYPE_CHECKING:
    from .._domain.facts import Observed
    from .._domain.spec import DatabaseSpec


def new_record(spec: DatabaseSpec, seen: Observed, identity: str | None) -> Record:
    """Return the record as it will be: what is given for life stays, the declaration is replaced."""
    old = seen.record or _recovered_record(spec, seen)
    username = spec.username or (old.username if old else None)
    if old is None and spec.partial:
        raise Refused(
            f"There is no database {spec.container}: partial: true changes one that is there. Create it first"
        )
    if not username or ((old is None or not old.initialised) and spec.password is None):
        raise Refused(
            f"{spec.container} is new and needs a username and a password: role vellaric.postgres.database takes care"
            " of both, postgres_db_credentials generates and stores them"
        )
    login = old.login if old and spec.username is None else None
    if old is not None and old.initialised and username in names.alternates(old.username):
        username, login = old.username, username
    if old is not None and old.initialised and username != old.username:
        if username == names.USERNAME_TO_COME:
            raise Refused(
                f"No credentials of {spec.container} are stored where this run looks for them, and that belongs to"
                f" {old.username!r} already. Where another run has just made it, run this again; else bring back the"
                " file of credentials. Where that is lost, rotate its password (playbook vellaric.postgres.rotate; with"
                " -e database_rotate_lost=true all those of the host that are lost)"
            )
        raise Refused(
            f"username is {username!r}, but {spec.container} belongs to {old.username!r}, and a database keeps its own"
            " for life. What is declared or stored (username, database_username, the file of credentials) is another's:"
            " take the declared one away, or bring back the file. Where that is lost, rotate its password (playbook"
            " vellaric.postgres.rotate; with -e database_rotate_lost=true all those of the host that are lost)"
        )
    port = port_choice.choose(spec, seen, old)
    return Record(
        id=old.id if old else identity,
        name=spec.name,
        environment=spec.environment,
        created_at=old.created_at if old else seen.now,
        username=username,
        login=login,
        declared=spec.declared(),
        instances=(
            primary(
                spec.container,
                port=port,
                initialised=old.initialised if old else False,
                libc=(old.libc if old and (old.initialised or old.adopted) else None)
                or (seen.image.libc if seen.image else None),
            ),
            *_others(spec, seen, old, port),
        ),
        adopted=old.adopted if old else None,
    )


def _others(spec: DatabaseSpec, seen: Observed, old: Record | None, primary: int) -> tuple[Instance, ...]:
    """Return the instances besides the primary. primary: its port."""
    kept = tuple(one for one in (old.others if old else ()) if one.role != POOLER)
    if spec.pooler is None:
        return kept
    port = port_choice.choose_for_pooler(spec, seen, old, primary)
    return (*kept, Instance(POOLER, POOLER, spec.pooler_container, port, initialised=True, depends_on=(PRIMARY,)))


def _recovered_record(spec: DatabaseSpec, seen: Observed) -> Record | None:
    """Make the record again from the container, where somebody removed the file."""
    if seen.container is None or not seen.container.database_id:
        return None
    config = sure(seen.container.config)
    healthcheck = config.healthcheck
    username = healthcheck[healthcheck.index("-U") + 1] if "-U" in healthcheck else ""
    return Record(
        id=seen.container.database_id,
        name=spec.name,
        environment=spec.environment,
        # The engine leaves zeros at the end of a fraction out.
        created_at=seen.container.created_at[:23].rstrip("Z") + "Z",
        username=username,
        declared={},
        # Data that is there is never taken for half-made.
        instances=(primary(spec.container, config.port, initialised=bool(seen.data_majors)),),
    )
