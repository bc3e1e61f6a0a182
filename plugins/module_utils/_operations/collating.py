# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a server over to another C library or ICU: rebuilds the indexes that depend on it, then notes its version.

To rebuild an index evaluates what is its owner's. It is done in a session that has its owner's rights and no others;
the superuser rebuilds those of its own that evaluate nothing but the server's, and notes the versions.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._backups import formats
from .._backups.target import Target, refuse_unless_running
from .._domain import layout, scram, texts
from .._domain.configuration import PG_HBA_CONF
from .._domain.errors import DatabaseError
from .._domain.show import size as shown_size
from .._dumps import dump_rules, exchange, load
from .._dumps.way_in import WayIn
from .._host import locks
from .._host.engine import Engine
from .._planning.steps import Action
from .._server import collations, loader, session, sql

if TYPE_CHECKING:
    from .._backups.target import Running

# What each database may set for those who connect is not for this; the second is for functions that find names by it.
_PATHS = ("pg_catalog", "pg_catalog, public")
_NOT_FOUND = re.compile(r"(function|relation|type|operator|schema) .* does not exist")


@dataclasses.dataclass(frozen=True)
class Options:
    """everything: also where the server knows of no other version. timeout, wait_timeout: seconds."""

    concurrently: bool = True
    everything: bool = False
    timeout: int = 86400
    wait_timeout: int = 120


@dataclasses.dataclass
class Outcome:
    """databases: what was found in each. failed: what could not be done, in words."""

    actions: list[Action] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    databases: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    failed: list[str] = dataclasses.field(default_factory=list)


def bring_over(
    engine: Engine,
    target: Target,
    options: Options,
    check_mode: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Bring all databases of a server over; with check_mode, say what that would be."""
    for name in ("timeout", "wait_timeout"):
        texts.number(getattr(options, name), name, 1, texts.MOST_SECONDS)
    running = refuse_unless_running(target, f"Nothing of {target.container} can be rebuilt")
    work = _Work(engine, running, options, progress)
    if check_mode:
        return work.predict()
    with locks.exclusive(
        layout.database_lock(target.data_root, target.container), options.wait_timeout, target.container
    ):
        return work.run()


class _Work:
    def __init__(self, engine: Engine, target: Running, options: Options, progress: Callable[[str], None]) -> None:
        self._engine, self._target, self._options, self._progress = engine, target, options, progress
        self._container, self._major = target.container, target.image.major
        self._deadline = time.monotonic() + options.timeout
        self._outcome = Outcome()
        directory = os.path.join(target.data_root, target.container)
        self._exchange = exchange.of(directory, target.image)
        self._way_in = WayIn(os.path.join(directory, PG_HBA_CONF), self._sql, lambda: self._remaining)

    @property
    def _remaining(self) -> float:
        return max(1.0, self._deadline - time.monotonic())

    def _sql(self, script: str, database: str | None = None) -> str:
        where = session.SUPERUSER if database is None else _connected(database)
        return session.psql(self._engine, self._container, script, self._remaining, where)

    # What there is to do

    def predict(self) -> Outcome:
        self._look()
        for database in self._outcome.databases:
            self._outcome.actions += self._steps(database)
        return self._outcome

    def _look(self) -> None:
        if self._major < collations.DATABASES_KNOW_SINCE and not self._options.everything:
            self._outcome.warnings.append(
                f"PostgreSQL {self._major} does not know under which version the default collation of a database was"
                " made: what is sorted by that is rebuilt only with everything: true"
            )
        for one in json.loads(self._sql(collations.databases(self._major))):
            name = one["name"]
            changed = one["recorded"] is not None and one["actual"] is not None and one["recorded"] != one["actual"]
            database = {**one, "changed": changed, "collations": [], "indexes": [], "partitioned": []}
            if one["open"]:
                found = self._sql(collations.found(self._major, self._options.everything), name)
                database.update(json.loads(found))
            elif changed and name != "template0":
                self._outcome.failed.append(f"database {name} accepts no connections")
                continue
            for index in database["indexes"]:
                index["run_as"] = self._run_as(index)
            if changed or database["collations"] or database["indexes"]:
                self._outcome.databases.append(database)
            for table in database["partitioned"]:
                self._outcome.warnings.append(
                    f"table {table} of database {name} is partitioned by ranges of text: rows may be in a partition"
                    " that is no longer theirs, which an index does not fix. Compare, or dump and load it"
                )

    @staticmethod
    def _run_as(index: dict[str, Any]) -> str | None:
        if not index["superuser"]:
            owner: str = index["owner"]
            return owner
        return session.SUPERUSER if index["trusted"] else None

    def _steps(self, database: dict[str, Any]) -> list[Action]:
        steps = []
        for index in database["indexes"]:
            if index["run_as"] is None:
                self._outcome.failed.append(_left(database, index))
            else:
                steps.append(Action("reindex", self._summary(database, index)))
        if not self._failed_in(database) and (database["changed"] or database["collations"]):
            steps.append(Action("refresh", _refreshed(database)))
        return steps

    def _summary(self, database: dict[str, Any], index: dict[str, Any]) -> str:
        own = index["superuser"] or index["exclusion"] or not self._options.concurrently
        how = ", keeping off writes to its table meanwhile" if own else ""
        size = shown_size(index["size_bytes"])
        return f"rebuild index {index['name']} of database {database['name']} ({size}) as {index['run_as']}{how}"

    def _failed_in(self, database: dict[str, Any]) -> bool:
        return any(index.get("failed") or index["run_as"] is None for index in database["indexes"])

    # Doing it

    def run(self) -> Outcome:
        exchange.clear(self._exchange)
        self._way_in.end()
        self._look()
        try:
            for database in self._outcome.databases:
                self._bring_over(database)
        finally:
            self._way_in.end()
            exchange.clear(self._exchange)
        return self._outcome

    def _bring_over(self, database: dict[str, Any]) -> None:
        name = database["name"]
        steps = {index["name"]: self._summary(database, index) for index in database["indexes"] if index["run_as"]}
        for owner in sorted({index["owner"] for index in database["indexes"] if not index["superuser"]}):
            theirs = [index for index in database["indexes"] if index["run_as"] == owner]
            self._progress(f"{self._container}: {len(theirs)} indexes of {owner} in database {name}")
            for index, why in self._as_owner(name, owner, theirs).items():
                next(one for one in theirs if one["name"] == index)["failed"] = why
        for index in database["indexes"]:
            if index["run_as"] == session.SUPERUSER and index["superuser"]:
                self._progress(f"{self._container}: index {index['name']} in database {name}")
                try:
                    self._sql(collations.rebuild_own(index), name)
                except DatabaseError as error:
                    index["failed"] = error.message
            if index["run_as"] is None:
                self._outcome.failed.append(_left(database, index))
            elif index.get("failed"):
                self._outcome.failed.append(
                    f"index {index['name']} of database {name} could not be rebuilt: {index['failed']}"
                )
            else:
                self._outcome.actions.append(Action("reindex", steps[index["name"]]))
        if not self._failed_in(database) and (database["changed"] or database["collations"]):
            changed = [one["name"] for one in database["collations"]]
            # What accepts no connections is refreshed from outside.
            self._sql(collations.refresh(name, changed, database["changed"]), name if database["open"] else None)
            self._outcome.actions.append(Action("refresh", _refreshed(database)))

    def _as_owner(self, database: str, owner: str, indexes: list[dict[str, Any]]) -> dict[str, str]:
        """Rebuild indexes of one owner in a session with that owner's rights; return why which could not be."""
        if '"' in database or not texts.is_line(database):
            return {index["name"]: "pg_hba.conf can have no database of that name" for index in indexes}
        password = secrets.token_urlsafe(24)
        self._sql(f"{sql.UNLOGGED}\n{collations.begin(scram.new_verifier(password))}{collations.let_in(database)}")
        self._sql(collations.act_as(owner, True))
        self._way_in.open(database)
        try:
            running = self._loading(database, load.Login(loader.LOADER, password))
            failed = self._built(running, owner, indexes, _PATHS[0])
            again = [index for index in indexes if _NOT_FOUND.search(failed.get(index["name"], ""))]
            if again:
                self._drop_halves(running, database, owner)
                failed = {key: why for key, why in failed.items() if not _NOT_FOUND.search(why)}
                failed.update(self._built(running, owner, again, _PATHS[1]))
            if failed:
                self._drop_halves(running, database, owner)
            return failed
        finally:
            self._way_in.end()

    def _built(self, running: load.Loading, owner: str, indexes: list[dict[str, Any]], path: str) -> dict[str, str]:
        wanted = {index["name"]: [collations.rebuild(index, self._options.concurrently)] for index in indexes}
        failed = running.each(wanted, [f"SET ROLE {sql.identifier(owner)};", f"SET search_path = {path};"])
        # What fails before the first of them fails for all.
        return {index["name"]: failed[""] for index in indexes} if "" in failed else failed

    def _drop_halves(self, running: load.Loading, database: str, owner: str) -> None:
        """Drop what a build beside an index has left of it."""
        halves = [name for name, whose in json.loads(self._sql(collations.INVALID, database)) if whose == owner]
        running.each({name: [f"DROP INDEX {name};"] for name in halves}, [f"SET ROLE {sql.identifier(owner)};"])

    def _loading(self, database: str, login: load.Login) -> load.Loading:
        nothing = formats.Dump("", formats.PLAIN, "none", 0)
        manner = load.Manner(
            dump_rules.FOREIGN, login, self._major, lambda script: self._sql(script, database), seconds=self._remaining
        )
        where = _connected(database)
        return load.Loading(self._engine, self._container, nothing, where, self._exchange, manner)


def _connected(database: str) -> str:
    """Return what psql is told to connect to: some names it would take for more than a name."""
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _left(database: dict[str, Any], index: dict[str, Any]) -> str:
    return (
        f"index {index['name']} of database {database['name']} was left: its table {index['table']} belongs to a"
        f" superuser ({index['owner']}), and to rebuild it would run what belongs to somebody else. Give the table to"
        " the role whose functions, operators or types it uses (ALTER TABLE ... OWNER TO)"
    )


def _refreshed(database: dict[str, Any]) -> str:
    versions = [one["actual"] for one in database["collations"]]
    versions = sorted({*versions, database["actual"]} if database["changed"] else set(versions))
    return f"refresh the collation versions of database {database['name']} to {', '.join(versions)}"
