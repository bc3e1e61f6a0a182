# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports what this collection did not take: a dump file of any format, or the database of another server.

Nothing of it is trusted. It is loaded by a role that has no part in anything that is there, not even in the database
that is replaced: as the application's role, what is in a dump could drop that. When all is loaded, the application's
role takes everything over. What only a superuser may make is left out, and reported.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._backups import formats
from .._backups.manifest import major_of
from .._domain import extensions as declared_extensions
from .._domain.errors import DatabaseError, Refused
from .._host import files
from .._planning.steps import Action
from .._server import replacement
from . import declared, dump_rules, exchange
from .collected import Collected
from .compare import differences, take_census, without_left_out
from .remote_database import Source
from .swap import Outcome, Replacing

if TYPE_CHECKING:
    from .._backups.target import Target
    from .._host.engine import Engine
    from .swap import Doing

# A dump is smaller than what it fills, plain SQL the least: how much is not known before.
_SPACE_FACTOR = {"plain": {"none": 1.5}, "custom": {}, "tar": {}, "directory": {}}
_COMPRESSED_FACTOR = 4


@dataclasses.dataclass(frozen=True)
class Options:
    """What is to be imported, and how.

    path: a dump on this host; or source: a Source. replace: whether there may be something in the database already.
    roles: created where they are missing, for policies that refer to them; nobody can log in as these.
    keep_old: days for which what was replaced is kept. timeout: seconds that all of it may take.
    """

    path: str | None = None
    source: Source | None = None
    replace: bool = False
    roles: tuple[str, ...] = ()
    backup_first: bool = True
    keep_old: int = 7
    jobs: int = 1
    timeout: int = 86400
    wait_timeout: int = 120


def import_database(
    engine: Engine,
    target: Target,
    options: Options,
    check_mode: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Outcome:
    """Bring what is elsewhere into a database (target.Target); return the Outcome.

    With check_mode nothing is changed, and the actions are what would be done. Raises DatabaseError; the database is
    then as it was.
    """
    kind = _ImportingFile if options.path is not None else _ImportingServer
    return kind.carry_out(engine, target, options, check_mode, progress)


class _Importing(Replacing):
    _options: Options

    def _look(self) -> None:
        present = self._databases.get(self._target.name)
        if present is None:
            raise Refused(
                f"There is no database {self._target.name} in {self._container}: it was removed or renamed."
                " Create it first: playbook create, or module postgres_db"
            )
        # One that lets nobody in, after a run that was interrupted, cannot be looked into: it holds something.
        there = int(self._sql(replacement.CONTENTS, self._target.name)) if present["allowed"] else None
        self._there = there
        if there != 0 and not self._options.replace:
            raise Refused(
                f"Database {self._target.name} has {there or 'some'} tables, views or sequences"
                " already. Nothing was changed: to put what is imported in its place, set replace: true (what was"
                " replaced is kept for keep_old days)"
            )
        if there == 0:
            self._options = dataclasses.replace(self._options, backup_first=False)

    def _refuse_newer(self, major: int | None, version: str | None, what: str) -> None:
        image = self._target.image
        if major is not None and major > image.major:
            raise Refused(
                f"{what} is of PostgreSQL {version or major}, and {self._container} runs {image.server_version}: a"
                " newer server's dump does not go into an older one. Nothing was changed: create the database with"
                f" version {major} or later"
            )

    def _prepare(self) -> None:
        """Make the fresh database, the role that fills it, and the roles that are named."""
        # As it was declared, whatever the source had: text is converted, and indexes are made anew.
        present = self._databases[self._target.name]
        self._fill.begin(present["encoding"], present, self._options.jobs)
        if self._options.roles:
            self._sql(replacement.ensure_roles(self._options.roles))

    def _load(self, dump: formats.Dump, inside: str | None) -> None:
        self._progress(f"{self._container}: loading {dump.path}")
        known = json.loads(self._sql(replacement.EXTENSIONS))
        wanted = declared_extensions.from_option(self._target.record.declared.get("extensions"))
        untrusted = frozenset(name for name in wanted if not known.get(name))
        try:
            loaded = self._fill.load(
                dump,
                dump_rules.FOREIGN,
                inside,
                self._options.jobs,
                untrusted,
                self._search_path,
                self._say,
                declared=frozenset(wanted),
            )
        except DatabaseError as error:
            raise self._explained(error) from error
        self._outcome.report["left_out"] = loaded.collected.left_out
        if self._there != 0 and int(self._sql(replacement.CONTENTS, self._fresh)) == 0:
            raise Refused(
                f"{dump.path} has nothing in it: no table, view or sequence was imported. Database {self._target.name}"
                " was left as it is"
            )
        self._outcome.warnings += loaded.warnings

    def _explained(self, error: DatabaseError) -> DatabaseError:
        extension = re.search(r'permission denied to create extension "([^"]+)"', error.message)
        if extension:
            return DatabaseError(
                f"The dump needs extension {extension.group(1)}, which only a superuser may create. Nothing was"
                f" changed: declare it for the database (extensions: [{extension.group(1)}]) and import again"
            )
        role = re.search(r'role "(.+)" does not exist', error.message)
        if role:
            return DatabaseError(
                f"The dump refers to role {role.group(1)}, which does not exist, for example in a policy. Nothing was"
                f" changed: to create it, without a login, set roles: [{role.group(1)!r}]"
            )
        extension = re.search(r'extension "([^"]+)" is not available', error.message)
        if extension:
            return DatabaseError(
                f"The dump needs extension {extension.group(1)}, which the image of {self._container} does not have."
                " Nothing was changed: use an image with it"
            )
        if "backslash commands are restricted" in error.message:
            return DatabaseError(f"{error.message}: the dump has a command to psql in it, which could run programs")
        why = _needs(error.message, self._fill.collected)
        return error if why is None else DatabaseError(f"{error.message}. {why}")

    @property
    def _whose(self) -> str:
        return f"make {self._owner} the owner of everything"

    # Functions find what they find in a database that has no path of its own.
    _search_path = "public"

    def _finish(self) -> None:
        fill = self._fill
        self._outcome.warnings += fill.refresh(self._search_path)
        fill.hand_over(self._owner, self._owner, [])
        fill.give_to(self._owner)
        declared.apply(self._sql, self._fresh, self._target.record, self._owner)

    def _count(self) -> tuple[dict[str, Any], dict[str, int]]:
        """Say what has come in; return it (census, row counts)."""
        facts, counts = take_census(self._engine, self._container, self._fresh, self._deadline)
        self._outcome.restored = {
            "tables": len(counts),
            "rows": sum(counts.values()),
            "size_bytes": facts["database_size_bytes"],
            "extensions": facts["extensions"],
        }
        self._outcome.report["row_counts"] = counts
        return facts, counts


def _needs(said: str, collected: Collected) -> str | None:
    """Return in words what the dump needs and cannot have, of what the server says of a statement of it."""
    way = "take the dump without what needs it (pg_dump --exclude-table, --exclude-schema)"
    if re.search(r"must be (?:a )?superuser|permission denied|must have privileges of|Only superusers? ", said):
        return f"That takes a superuser, and dumps are not loaded by one. Nothing was changed: {way}"
    parameter = re.search(r'unrecognized (?:configuration )?parameter "([^"]+)"', said)
    if parameter:
        return (
            f"The dump sets {parameter.group(1)}, which this server does not know: it is newer, or its pg_dump was not"
            " that of the server. Nothing was changed: take it with the server's own pg_dump, or import into a version"
            " that knows it"
        )
    if not re.search(r"does not exist|is only a shell|does not accept", said):
        return None
    if not collected.objects:
        why = "it was taken with pg_dump -a, or of one section"
        return f"The dump creates no table: {why}. Nothing was changed: take a complete one"
    for name, words in collected.names.items():
        if re.search(rf'(?<![\w."]){re.escape(name)}(?![\w"])', said.replace(f'"{name}"', f" {name} ")):
            return (
                f"The dump makes {name}, which only a superuser can create, and which was left out ({words}). Nothing"
                f" was changed: {way}"
            )
    return None


class _ImportingFile(_Importing):
    def _look(self) -> None:
        super()._look()
        self._dump = dump = formats.detect(self._options.path or "")
        self._refuse_newer(dump.major, dump.server_version, dump.path)
        self._refuse_unreadable(dump)
        factor = _SPACE_FACTOR[dump.kind].get(dump.compression, _COMPRESSED_FACTOR)
        self._refuse_without_space(dump.size_bytes * factor, f"To import {dump.path}")
        self._outcome.report = {
            "source": dump.path,
            "format": dump.kind,
            "compression": dump.compression,
            "size_bytes": dump.size_bytes,
            "server_version": dump.server_version,
            "dump_version": dump.dump_version,
        }

    def _loading(self) -> list[Doing]:
        what = f"load {self._dump.path} ({self._dump.kind}) into a fresh database, as a role without privileges"
        return [
            (Action("load", what), self._load_file),
            (Action("count", "count what was imported"), self._count),
        ]

    def _refuse_unreadable(self, dump: formats.Dump) -> None:
        image = self._target.image
        if dump.read_since is not None and dump.read_since > image.major:
            raise Refused(
                f"{dump.path} is an archive of pg_dump {dump.dump_version}, which pg_restore of {image.server_version}"
                f" in {self._container} cannot read. Nothing was changed: take the dump with pg_dump {image.major}, or"
                " as plain SQL (pg_dump -Fp)"
            )

    def _load_file(self) -> None:
        self._prepare()
        inside = None
        if self._dump.archive and self._dump.compression == "none":
            several = self._options.jobs > 1 and self._dump.kind != formats.TAR
            if self._dump.kind == formats.DIRECTORY or several:
                inside = self._copy()
        self._load(self._dump, inside)

    def _copy(self) -> str:
        """Copy the dump to where the loading user may read it, and nothing else."""
        self._refuse_without_space(
            self._dump.size_bytes * (1 + _COMPRESSED_FACTOR), f"To import {self._dump.path} with a copy of it"
        )
        return exchange.copy_in(self._dump.path, self._exchange, self._fill.uid)


class _ImportingServer(_Importing):
    def _look(self) -> None:
        super()._look()
        source = self._options.source
        if source is None:
            raise Refused("There is nothing to import: give path or url")
        self._source = source
        about = self._source.about(self._engine, self._container, self._remaining)
        self._refuse_newer(major_of(about["server_version"]), about["server_version"], "The source")
        self._refuse_extensions(about)
        self._refuse_roles(about)
        self._refuse_without_space(about["size_bytes"] * 2, "To import the source, with a dump of it")
        present = self._databases[self._target.name]
        notes = []
        if about["encoding"] != present["encoding"]:
            notes.append(f"text is converted from {about['encoding']} to {present['encoding']}")
        if about["collate"] != present["collate"]:
            notes.append(f"text sorts as in {present['collate']} here, and as in {about['collate']} there")
        others = [role for role in about["roles"] if role != self._owner]
        if others:
            notes.append(f"what belongs to {', '.join(about['roles'])} there will belong to {self._owner}")
        self._outcome.report = {"source": self._source.shown, "checks": notes, **about}

    def _refuse_roles(self, about: Mapping[str, Any]) -> None:
        there = json.loads(self._sql(replacement.ROLES))
        missing = [role for role in about["policy_roles"] if role not in there and role not in self._options.roles]
        if missing:
            raise Refused(
                f"Policies of the source refer to {', '.join(missing)}, which does not exist here. Nothing was changed:"
                f" to create it, without a login, set roles: {missing}"
            )

    def _refuse_extensions(self, about: Mapping[str, Any]) -> None:
        known = json.loads(self._sql(replacement.EXTENSIONS))
        missing = sorted(set(about["extensions"]) - set(known))
        if missing:
            raise Refused(
                f"The source has {', '.join(missing)}, which the image of {self._container} does not have. Nothing was"
                " changed: use an image with it, or drop it there"
            )
        declared = declared_extensions.from_option(self._target.record.declared.get("extensions"))
        untrusted = sorted(name for name in about["extensions"] if not known[name] and name not in declared)
        untrusted = [name for name in untrusted if name != "plpgsql"]
        if untrusted:
            raise Refused(
                f"The source has {', '.join(untrusted)}, which only a superuser may create. Nothing was changed:"
                f" declare it for the database (extensions: {untrusted}) with postgres_db, and import again"
            )

    def _loading(self) -> list[Doing]:
        return [
            (Action("dump", f"dump {self._source.shown}"), self._dump_source),
            (Action("load", "load that into a fresh database, as a role without privileges"), self._load_dumped),
            (Action("compare", "compare it with the source: objects, rows, sequences"), self._compare),
        ]

    def _dump_source(self) -> None:
        files.make_directory(self._exchange.host, 0o711)
        self._path = os.path.join(self._exchange.host, "source.dump")
        self._taken = self._source.dump(
            self._engine, self._container, self._path, self._deadline, self._progress, self._target.data_root
        )
        self._outcome.warnings += self._taken.warnings

    def _load_dumped(self) -> None:
        self._prepare()
        os.chown(self._path, self._fill.uid, self._fill.uid)
        self._load(formats.detect(self._path), f"{self._exchange.container}/source.dump")
        os.unlink(self._path)

    def _compare(self) -> None:
        facts, counts = self._count()
        taken = self._taken
        objects = without_left_out(taken.facts["objects"], self._outcome.report["left_out"])
        expected = dataclasses.replace(taken, objects=objects)
        wrong, notes = differences(expected, facts, counts)
        there, came = (one["objects"].get("comments") for one in (taken.facts, facts))
        if there != came:
            notes.append(f"{came} comments were imported, of {there} in the source")
        here = json.loads(self._sql(replacement.ALONE + replacement.SEQUENCES, self._fresh))
        for name, value in taken.sequences.items():
            if name in here and not value <= here[name] <= max(taken.sequences_after.get(name, value), value):
                wrong.append(f"sequence {name} is at {here[name]} instead of {value}")
        self._outcome.report.update(sequences=here, differences=wrong)
        if wrong:
            raise DatabaseError(
                f"The imported database differs from the source: {'; '.join(wrong[:10])}. Database {self._target.name}"
                " was left as it is",
                differences=wrong,
            )
        self._outcome.warnings += notes
