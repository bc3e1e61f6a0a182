# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over a container that somebody else made: the plan. Pure.

The journal keeps what is needed to finish or to undo an adoption that was interrupted: the old container stays, stopped
and under another name, until its successor serves. Record.adopted says for good what it was.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from .._domain import configuration, privileges, scram, show
from .._domain import journal as journals
from .._domain.errors import Refused, sure
from .._domain.journal import Journal
from .._domain.spec import IMPACTS
from .._server import adoption_sql
from . import adoptable, adoption_state, certification, server_steps, supervised, view
from .converge import desired, removal_of_original
from .new_record import new_record
from .steps import Adopt, Arrange, Plan, Pull, Reserve, WriteFiles, WriteRecord

if TYPE_CHECKING:
    from .._domain.facts import ApplicationDatabase, ContainerConfig, Observed
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .certification import Certification
    from .steps import Step

COPY, MOVE = "copy", "move"
# What is ours in a directory that the old data may lie in, too.
_DIRECTORIES = ("backups", "conf", "pgdata", "pooler", "tls")
OWN_ENTRIES = (*_DIRECTORIES, "database.json", *map(journals.file_name, journals.OPERATIONS))
# What the record keeps of the journal.
RECORDED = ("at", "container", "data", "image", "method", "mount", "volume")


def plan(spec: DatabaseSpec, seen: Observed, new_id: str | None) -> Plan:
    """Return the Plan that takes the foreign container over, or that finishes what was begun."""
    # It is made when the database is ours.
    spec = dataclasses.replace(spec, pooler=None)
    begun = adoption_state.unfinished(seen) and seen.adoptable is None
    if not begun:
        adoptable.refuse(spec, seen)
    fetch = _fetch(spec, seen)
    journal = sure(seen.journal) if begun else _journal(spec, seen)
    record = _record(spec, seen, new_id, journal)
    certificate = certification.decide(spec, seen)
    steps = [*fetch]
    if not begun:
        steps.append(Reserve(record, journal))
    elif record != seen.record:
        steps.append(WriteRecord(record))
    before = {**view.before(spec, seen), **_before(spec, seen)}
    if seen.image is None:
        # The image says whether it goes with the data.
        after = view.after(spec, seen, record, None, {}, certificate.own)
        taking = _take_over(spec, seen, record, journal.before, None, {}, certificate)
        return Plan(steps=(*steps, *taking), sides=lambda: (before, after), spec=spec, final=False, journal=journal)
    adoptable.refuse_other_image(spec, seen, record, journal.before)
    config, texts = desired(spec, seen, record)
    preparing: list[Step] = [certificate.step] if certificate.step is not None else []
    preparing.append(WriteFiles(texts))
    taking = _take_over(spec, seen, record, journal.before, config, texts, certificate)
    if IMPACTS.index(taking[0].impact) > IMPACTS.index(spec.max_impact):
        return Plan(pending=tuple(taking), sides=lambda: (before, before))
    more = [*preparing, *taking]
    return Plan(
        steps=(*steps, *more),
        record=record,
        sides=lambda: (before, view.after(spec, seen, record, config, texts, certificate.own)),
        spec=spec,
        final=False,
        warnings=certificate.warnings,
        journal=journal,
    )


def _fetch(spec: DatabaseSpec, seen: Observed) -> list[Step]:
    if seen.image is not None:
        return []
    if spec.pull == "never":
        raise Refused(f"Image {spec.image} is not on the host and pull is never. Nothing was changed")
    return [Pull(spec.image)]


def _record(spec: DatabaseSpec, seen: Observed, new_id: str | None, journal: Journal) -> Record:
    there = seen.adoptable
    if there is None:
        return new_record(spec, seen, new_id)
    port = spec.port or (there.foreign.published or (None, None))[1]
    record = new_record(dataclasses.replace(spec, port=port), seen, new_id)
    # What it was, which is told for good; how to go back is in the journal for as long as one may.
    adopted = {key: journal.before[key] for key in RECORDED}
    return dataclasses.replace(record, adopted=adopted).with_primary(libc=sure(there.image).libc, initialised=False)


def _journal(spec: DatabaseSpec, seen: Observed) -> Journal:
    there = sure(seen.adoptable)
    path, volume = sure(adoptable.source_of(there))
    image = sure(there.image)
    before = {
        "at": seen.now,
        "container": there.foreign.id,
        "image": there.foreign.image,
        "image_id": seen.image.id if seen.image else None,
        "started_at": there.foreign.started_at,
        "restart_policy": there.foreign.restart_policy,
        "method": MOVE if adoptable.moves(spec, there) else COPY,
        "data": path,
        "mount": supervised.mount_of([{"Source": mount[0]} for mount in there.foreign.mounts], path),
        "volume": volume,
        "owner": list(there.owner),
        "size": there.size,
        "major": image.major,
        "bootstrap": there.answer["bootstrap"],
        "database": adoptable.choose_database(there.answer["databases"], spec.name),
    }
    return Journal(journals.ADOPTION, seen.now, before)


def entries_to_keep(source: str, place: str) -> tuple[str, ...]:
    """Return what stays where it is when data that lies in our own directory is moved further down."""
    below = os.path.relpath(place, source).split(os.sep, maxsplit=1)[0]
    return OWN_ENTRIES if below == os.pardir else (*OWN_ENTRIES, below)


def _before(spec: DatabaseSpec, seen: Observed) -> dict[str, Any]:
    if seen.adoptable is None or seen.adoptable.obstacle:
        return {}
    there = seen.adoptable
    path, volume = sure(adoptable.source_of(there))
    address, port = there.foreign.published or (None, None)
    return {
        "image": there.foreign.image,
        "port": port,
        "bind_address": address,
        "superuser": there.answer["bootstrap"],
        "database": adoptable.choose_database(there.answer["databases"], spec.name),
        "data": f"volume {volume}" if volume else path,
        "restart_policy": there.foreign.restart_policy.get("Name"),
    }


def _take_over(
    spec: DatabaseSpec,
    seen: Observed,
    record: Record,
    adopted: dict[str, Any],
    config: ContainerConfig | None,
    texts: dict[str, str],
    certificate: Certification,
) -> list[Step]:
    where = f"volume {adopted['volume']}" if adopted["volume"] else adopted["data"]
    place = adoptable.target(spec, adopted["major"])
    verb = "move" if adopted["method"] == MOVE else "copy"
    kept = "" if verb == "move" else "; the original is left there"
    summary = (
        f"stop container {spec.container}, {verb} its data ({show.size(adopted['size'])}) from {where} to"
        f" {place}{kept}, and start a container of ours on it{_side_effects(spec, seen, record)}"
    )
    return [
        Adopt(summary, config, closed(texts)),
        Arrange(f"set up its roles: {_role_words(spec, seen, record, adopted)}", config, texts),
        *_server_steps(spec, seen, record, adopted, certificate.verifiable),
        removal_of_original(spec),
    ]


def _shut_out(spec: DatabaseSpec, record: Record, answer: dict[str, Any]) -> list[str]:
    """Name the roles that log in now and cannot any more: a database has its application's role and declared users."""
    letting = {record.username, *(user.name for user in spec.users)}
    gone = [(name, power) for name, power in answer.get("logins", ()) if name not in letting]
    if record.username == answer["bootstrap"]:
        gone = [(name, power) for name, power in gone if name != record.username]
    kinds = (("superusers", True), ("roles", False))
    found = [(what, [name for name, power in gone if power == wanted]) for what, wanted in kinds]
    return [f"{what} {', '.join(names)} can no longer log in from outside" for what, names in found if names]


def _side_effects(spec: DatabaseSpec, seen: Observed, record: Record) -> str:
    """Name what clients will miss."""
    there, words = seen.adoptable, []
    if there is None:
        return ""
    if there.foreign.published is None:
        words.append("it was not published")
    elif there.foreign.published[0] != spec.bind_address:
        words.append(f"published at {spec.bind_address} instead of {there.foreign.published[0]}")
    left = [name for name in there.foreign.networks if name not in spec.networks]
    if left:
        words.append(f"no longer on network {', '.join(left)}")
    lost = [name for name in there.foreign.aliases if name not in spec.network_aliases]
    if lost:
        words.append(f"no longer found as {', '.join(lost)}, unless that is declared (network_aliases)")
    databases = there.answer["databases"]
    others = set(databases) - {"postgres", adoptable.choose_database(databases, spec.name)}
    if others:
        words.append(f"databases {', '.join(sorted(others))} stay in the server, but no user can log in to them")
    words += _shut_out(spec, record, there.answer)
    return f" ({'; '.join(words)})" if words else ""


def _role_words(spec: DatabaseSpec, seen: Observed, record: Record, adopted: dict[str, Any]) -> str:
    words = []
    if adopted["bootstrap"] != "postgres":
        words.append(f"rename the superuser {adopted['bootstrap']} to postgres")
        if adopted["bootstrap"] == record.username:
            words.append(f"create the ordinary role {record.username}")
    words.append(f"let {record.username} own database {adopted['database']} and what superusers own in it")
    words += _taken_words(spec, seen, record, adopted)
    if adopted["database"] != spec.name:
        words.append(f"rename that database to {spec.name}")
    return ", ".join(words)


def _taken_words(spec: DatabaseSpec, seen: Observed, record: Record, adopted: dict[str, Any]) -> list[str]:
    """Say what is taken from the role before it may log in, and what becomes of event triggers."""
    there = seen.adoptable
    server = there.server if there is not None else None
    if server is None:
        return []
    # Until then, the role may be a superuser itself, beside the one that initdb made.
    other = record.username if record.username != adopted["bootstrap"] else None
    triggers: list[privileges.EventTrigger] = [
        {**one, "unsafe": one["enabled"], "owner_is_superuser": False} if one["function_of"] == other else one
        for one in server.privileges["triggers"]
    ]
    armed = privileges.armed({**server.privileges, "triggers": triggers})
    kept = [one["name"] for one in triggers if one["enabled"] and one["name"] not in armed]
    altered = [name for name in server.altered if name in spec.governed]
    words = [f"reset ALTER SYSTEM SET {', '.join(altered)}"] if altered else []
    words += [f"take away that {what}" for what in privileges.held(server.privileges)]
    words += [f"disable event trigger {name}: {why}" for name, why in armed.items()]
    if kept:
        words.append(f"leave the functions of event triggers ({', '.join(kept)}) to the superuser")
    return words


def _server_steps(
    spec: DatabaseSpec, seen: Observed, record: Record, adopted: dict[str, Any], verifiable: bool
) -> list[Step]:
    """Predict what the server needs after its roles are in order."""
    there = seen.adoptable
    server = there.server if there is not None else None
    if server is None:
        return [server_steps.set_role(f"set the password of {record.username}", spec, record)]
    role = server.role
    if adopted["bootstrap"] == record.username or role is None:
        role = {"verifier": None, "login": False, "ends": False, "closed": False, "privileged": False}
    elif spec.password is not None and not scram.matches(spec.password, role["verifier"]):
        role = {**role, "verifier": None}
    owner = sure(record.username)
    database: ApplicationDatabase = {"owner": owner, "closed": False, "public": True}
    if server.database is not None:
        database = {**server.database, "owner": owner}
    # What is taken away is, with the roles; overrides of parameters stay to be taken back.
    known: privileges.ObservedPrivileges = {**privileges.NOTHING, "overrides": server.privileges["overrides"]}
    after = dataclasses.replace(server, role=role, database=database, privileges=known)
    return server_steps.change(spec, dataclasses.replace(seen, server=after), record, verifiable)


def closed(texts: dict[str, str]) -> dict[str, str]:
    """Return the managed files that let nobody in but us: a pg_hba.conf for the time until its roles are in order."""
    return {**texts, configuration.PG_HBA_CONF: adoption_sql.CLOSED_HBA}
