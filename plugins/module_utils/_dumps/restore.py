# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a backup: into a fresh database, which is compared with the manifest and then takes the other's name."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .._backups import catalog, entries, formats, local_directory, naming, stream
from .._backups.check import sums
from .._domain.container import BACKUP_MOUNT, DATA_MOUNT
from .._domain.errors import DatabaseError, Refused
from .._host import files
from .._planning.steps import Action
from .._server import loader, replacement, sql
from . import declared, dump_rules, masking, strangers
from .compare import differences, take_census, without_left_out
from .swap import Outcome, Replacing

if TYPE_CHECKING:
    from .._backups.catalog import Backup
    from .._backups.manifest import Manifest
    from .._backups.place import Place
    from .._backups.target import Running, Target
    from .._host.engine import Engine
    from .exchange import Exchange
    from .swap import Doing

# Below the server's data: the values of masked columns, while they are compared.
_VALUES = ".vellaric-masking"
# Where the masking SQL finds what it names: nothing of the owner's before the server's own.
_MASK_PATH = "pg_catalog, public"
# Beside the tables, which come to about what they were: the log that their load writes.
_SPACE_FACTOR = 1.3


@dataclasses.dataclass(frozen=True)
class Options:
    """What is to be restored, and how.

    backup: name of a backup, `latest`, `latest_verified`, or the path of a file on this host with its manifest beside
    it. allow_older: for `latest`, take one that is not the last, where what came later is not good. keep_old: days for
    which what was replaced is kept. mask: SQL that runs before anybody can connect. timeout: seconds that all of it may
    take. source: where the backups lie, where they are another database's. trust_source: whether the manifest of a
    backup that this host has not taken is believed.
    """

    backup: str = "latest"
    source: Place | None = None
    allow_other_database: bool = False
    allow_older: bool = False
    trust_source: bool = False
    backup_first: bool = True
    keep_old: int = 7
    jobs: int = 1
    mask: tuple[str, ...] = ()
    timeout: int = 86400
    wait_timeout: int = 120


def find(place: Place, wanted: str) -> tuple[Place, Backup]:
    """Return the backup that is meant by a name, `latest`, `latest_verified` or a path, and where that lies.

    Raises DatabaseError.
    """
    if not os.path.isabs(wanted):
        if "/" in wanted:
            raise DatabaseError(f"backup is {wanted!r}: the name of a backup, latest, latest_verified, or a whole path")
        return place, catalog.find(place, wanted)
    path = os.path.normpath(wanted)
    if not os.path.lexists(path):
        raise Refused(f"There is no {path} on this host")
    if not os.path.lexists(naming.manifest_name(path)):
        raise Refused(
            f"{path} has no manifest beside it ({os.path.basename(path)}.json), so that it cannot be checked. Import"
            " a dump that this collection did not take with vellaric.postgres.postgres_db_import"
        )
    return local_directory.at(path)


def restore(
    engine: Engine,
    target: Target,
    options: Options,
    check_mode: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Outcome:
    """Bring a database (target.Target) back to a backup; return the Outcome.

    With check_mode nothing is changed, and the actions are what would be done. Raises DatabaseError; the database is
    then as it was.
    """
    return _Restoring.carry_out(engine, target, options, check_mode, progress)


class _Restoring(Replacing):
    _options: Options

    def _look(self) -> None:
        target = self._target
        self._place, self._backup = find(self._options.source or target.place, self._options.backup)
        if self._options.backup == "latest" and not self._options.allow_older:
            refuse_older(catalog.passed_over(self._place, self._backup), self._backup)
        self._outcome.backup = self._backup
        self._manifest = refuse_backup(target, self._backup, self._options.allow_other_database)
        self._other = self._manifest.database_id != target.record.id
        self._trusted = self._options.trust_source or strangers.is_taken_here(self._backup, target)
        if not self._trusted:
            strangers.refuse_extensions(self._backup, target, json.loads(self._sql(replacement.EXTENSIONS)))
        needed = (self._manifest.database_size_bytes or 0) * _SPACE_FACTOR
        self._refuse_without_space(needed, f"To restore {self._backup.file_name}")

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._place.hold(self._backup) as self._path:
            yield

    def _steps(self) -> list[Doing]:
        name = self._backup.file_name
        # Before a backup of the present state, which takes longer.
        checked = (
            Action("check_backup", f"read {name} and compare it with its manifest"),
            lambda: check(self._backup, self._path),
        )
        steps = super()._steps()
        first = len(self._leftovers)
        return [*steps[:first], checked, *steps[first:]]

    @property
    def _whose(self) -> str:
        if not self._trusted:
            return f"make {self._owner} the owner of everything"
        return "restore owners, settings and privileges"

    def _loading(self) -> list[Doing]:
        name = self._backup.file_name
        how = "" if self._trusted else " as an import is, since this host did not take it"
        steps: list[Doing] = [
            (Action("load", f"load {name} into a fresh database{how}"), self._load),
            (Action("compare", "compare it with the manifest: objects, rows, extensions"), self._compare),
        ]
        if self._options.mask:
            steps.append((Action("mask", "run the masking SQL"), self._mask))
        return steps

    def _load(self) -> None:
        manifest = self._manifest
        source_owner: str = manifest.database.get("owner", "")
        self._make_roles(source_owner)
        try:
            self._fill.begin(manifest.database["encoding"], manifest.database["locale"], self._options.jobs)
        except DatabaseError as error:
            if "locale" in error.message or "collat" in error.message.lower():
                raise DatabaseError(
                    f"{error.message}. The backup is of a database with the locale"
                    f" {manifest.database['locale'].get('collate')}, which this image does not have: use an image that"
                    " does"
                ) from error
            raise
        self._search_path = declared.search_path(manifest.database, source_owner)
        known = json.loads(self._sql(replacement.EXTENSIONS))
        # Of a stranger's, those alone are there that are declared.
        untrusted = frozenset(name for name in manifest.extensions if not known.get(name))
        with self._visible() as inside, _tablespaces_named():
            loaded = self._fill.load(
                formats.detect(self._path),
                dump_rules.OWN if self._trusted else dump_rules.FOREIGN,
                inside,
                self._options.jobs,
                untrusted,
                self._search_path,
                self._say,
                backup=True,
            )
        self._outcome.warnings += loaded.warnings
        if not self._trusted:
            self._outcome.warnings.append(strangers.told(self._backup, self._owner, loaded.collected.left_out))

    def _finish(self) -> None:
        manifest, fill = self._manifest, self._fill
        source_owner: str = manifest.database.get("owner", "")
        self._outcome.warnings += fill.refresh(self._search_path)
        owner, own = (source_owner, manifest.superusers_own) if self._trusted else (self._owner, [])
        self._outcome.warnings += fill.hand_over(owner, self._owner, own)
        fill.grant()
        fill.give_to(self._owner)
        made = source_owner in self._made_roles
        if source_owner != self._owner and (self._trusted or made):
            self._sql(replacement.take_over(source_owner, self._owner, forget=made), self._fresh)
        database = manifest.database
        if not self._trusted:
            database = strangers.settings(database, source_owner, json.loads(self._sql(loader.USERS_PARAMETERS)))
        self._sql(replacement.settings(self._fresh, database, self._owner, source_owner))
        if source_owner != self._owner and source_owner in self._made_roles:
            self._sql(f"DROP ROLE {sql.identifier(source_owner)};\n")
        declared.apply(self._sql, self._fresh, self._target.record, self._owner)

    def _make_roles(self, source_owner: str) -> None:
        """Make the roles that the backup speaks of and the server does not have.

        Those of another database come without passwords, and cannot log in: they are not to open doors here.
        """
        there = json.loads(self._sql(replacement.ROLES))
        text = self._place.read_roles(self._backup) or f"CREATE ROLE {sql.identifier(source_owner)};"
        self._made_roles, script, left_out = replacement.missing_roles(text, there, credentials=not self._other)
        script = loader.guarded(f"{sql.UNLOGGED}\n{script}")
        if not self._trusted:
            # For policies that speak of them.
            script, left_out = replacement.ensure_roles(self._made_roles), []
        if self._made_roles:
            self._sql(script)
            made = [role for role in self._made_roles if role != source_owner or source_owner == self._owner]
            if made:
                self._outcome.warnings.append(f"created the roles that the backup refers to: {', '.join(made)}")
        if left_out:
            self._outcome.warnings.append(
                f"did not restore memberships in existing roles or of a superuser: {', '.join(left_out)}. Where"
                " they are right, grant them again"
            )

    @contextlib.contextmanager
    def _visible(self) -> Iterator[str | None]:
        """Give the path under which the server sees the backup, or None where it has to come through a pipe."""
        path, own = self._path, os.path.dirname(self._path) == self._target.backup_directory
        if own:
            yield f"{BACKUP_MOUNT}/{self._backup.file_name}"
        elif self._backup.format == "directory" or (self._backup.format == "custom" and self._options.jobs > 1):
            # The exchange is cleared at the end of the run.
            name, exchange = "backup", self._exchange
            files.make_directory(exchange.host, 0o711)
            share(path, os.path.join(exchange.host, name), exchange)
            yield f"{exchange.container}/{name}"
        else:
            yield None

    def _compare(self) -> None:
        facts, counts = take_census(self._engine, self._container, self._fresh, self._deadline)
        expected = self._manifest
        if not self._trusted:
            left_out = self._fill.collected.left_out
            expected = dataclasses.replace(expected, objects=without_left_out(expected.objects, left_out))
        wrong, notes = differences(expected, facts, counts)
        if wrong:
            raise DatabaseError(
                f"The restored database differs from {self._backup.file_name}: {'; '.join(wrong[:10])}."
                f" Database {self._target.name} was left as it is",
                differences=wrong,
            )
        self._outcome.warnings += notes
        self._outcome.restored = {
            "tables": len(counts),
            "rows": sum(counts.values()),
            "size_bytes": facts["database_size_bytes"],
            "extensions": facts["extensions"],
        }

    def _mask(self) -> None:
        """As the role to whom everything belongs by now, before any setting of the database's applies."""
        wanted = masking.columns(self._options.mask)
        with self._values() as (here, inside):
            before = self._copy_out(wanted, here, inside, "before")
            said = self._fill.run(self._options.mask, _MASK_PATH)
            if said is not None:
                raise DatabaseError(f"The masking SQL failed, so nothing was replaced: {said}")
            after = self._copy_out(wanted, here, inside, "after")
            for number, (table, column) in enumerate(wanted):
                both = before[number] and after[number]
                left = int(self._sql(masking.compare(before[number], after[number]))) if both else 0
                if left:
                    self._outcome.unmasked.append({"table": table, "column": column, "rows": left})
        for one in self._outcome.unmasked:
            self._outcome.warnings.append(
                f"column {one['column']} of {one['table']} was masked, and {one['rows']} rows still hold a value of the"
                " source there"
            )

    def _copy_out(self, wanted: list[tuple[str, str]], here: str, inside: str, when: str) -> list[list[str]]:
        """Write the values of masked columns to files, and return for each which; say which could not be."""
        if not wanted:
            return []
        files_of, copied = [], {}
        for number, line in enumerate(self._sql(masking.parts(wanted), self._fresh).splitlines()):
            names = {f"{number}.{i}.{when}": part for i, part in enumerate(masking.read_parts(line))}
            files_of.append(names)
            copied.update({f"{inside}/{name}": part for name, part in names.items()})
        self._sql(masking.copy_out(copied), self._fresh)
        for (table, column), names in zip(wanted, files_of):
            unread = {part.name: part.why for name, part in names.items() if not os.path.exists(f"{here}/{name}")}
            if when == "after":
                for name, why in unread.items() if names else [("it", "there is no such column")]:
                    self._outcome.warnings.append(
                        f"column {column} of {table} was masked, and what {name} holds could not be looked at"
                        f" afterwards ({why or 'the server could not read it'}): check it yourself"
                    )
        return [[f"{inside}/{name}" for name in names if os.path.exists(f"{here}/{name}")] for names in files_of]

    @contextlib.contextmanager
    def _values(self) -> Iterator[tuple[str, str]]:
        """Give a directory that the server may write to, as the host and as the container see it."""
        here = os.path.join(self._directory, "pgdata", _VALUES)
        files.remove_tree(here)
        files.make_directory(here, 0o700, self._target.image.uid, self._target.image.gid)
        try:
            yield here, f"{DATA_MOUNT}/{_VALUES}"
        finally:
            files.remove_tree(here)


@contextlib.contextmanager
def _tablespaces_named() -> Iterator[None]:
    """Where a tablespace is missing, say what is to be done about it: the server says only that it is."""
    try:
        yield
    except DatabaseError as error:
        if not re.search('tablespace "?[^"]*"? does not exist|"default_tablespace"', error.message):
            raise
        raise DatabaseError(
            f"{error.message}. The backup has tables in a tablespace that this server does not have: make it there"
            " (CREATE TABLESPACE, in a directory that is the server's user's), then restore again"
        ) from error


def refuse_older(passed: list[catalog.Backup], backup: catalog.Backup) -> None:
    """Raise Refused where `latest` would be another backup than the last that was taken."""
    if passed:
        raise Refused(
            f"The latest good backup, {backup.file_name} of {backup.created_at}, is not the last that was taken:"
            f" {catalog.told(passed)}. Nothing was changed: to restore the older one, give its name as backup"
            " (restore_backup), or set allow_older: true (restore_allow_older)"
        )


def refuse_backup(target: Running, backup: Backup, allow_other_database: bool) -> Manifest:
    """Return the manifest. Raises Refused where a backup does not count, or is not one for this database."""
    manifest = backup.manifest
    if not backup.good or manifest is None:
        raise Refused(f"{backup.path} is not a good backup: {backup.damage}")
    major = target.image.major
    if manifest.database_id != target.record.id and not allow_other_database:
        raise Refused(
            f"{backup.file_name} is a backup of {manifest.container} ({manifest.database_id}), not of"
            f" {target.container} ({target.record.id}). Nothing was changed: to replace {target.name} with it, set"
            " allow_other_database: true"
        )
    if manifest.major > major:
        raise Refused(
            f"{backup.file_name} was taken from PostgreSQL {manifest.server_version}, and {target.container} runs"
            f" {target.image.server_version}: a newer server's dump does not go into an older one. Nothing was changed:"
            f" restore it into a database of version {manifest.major} or later"
        )
    missing = sorted(set(manifest.extensions) - set(target.image.extensions) - {"plpgsql"})
    if missing:
        raise Refused(
            f"{backup.file_name} needs {', '.join(missing)}, which the image of {target.container} does not have."
            " Nothing was changed: use an image with it"
        )
    return manifest


def check(backup: Backup, path: str) -> None:
    """Read a backup to its end, from a path on this host (Place.hold).

    Raises DatabaseError where it is not what its manifest says.
    """
    manifest = backup.manifest
    sha256 = sums(path, "none", False, backup.file_name)[0]
    if manifest is None or sha256 != manifest.sha256:
        raise DatabaseError(
            f"{backup.file_name} is damaged: its checksum is not that of its manifest. Nothing was changed: restore"
            " another backup"
        )


def share(source: str, target: str, exchange: Exchange) -> None:
    """Let the server's user of an exchange read a file or a directory of files: by another name, or a copy."""
    if os.path.isdir(source):
        files.make_directory(target, 0o750, 0, exchange.gid)
        for entry in sorted(os.listdir(source)):
            _share_file(os.path.join(source, entry), os.path.join(target, entry), exchange)
    else:
        _share_file(source, target, exchange)


def _share_file(source: str, target: str, exchange: Exchange) -> None:
    descriptor = entries.open_entry(source)
    try:
        status = os.fstat(descriptor)
        if status.st_gid == exchange.gid and status.st_mode & 0o040:
            with contextlib.suppress(OSError):
                os.link(source, target, follow_symlinks=False)
                return
        with entries.errors("write", target), open(target, "xb") as output:
            for data in stream.read_chunks(descriptor):
                output.write(data)
            os.fchown(output.fileno(), exchange.uid, exchange.gid)
            os.fchmod(output.fileno(), 0o400)
    finally:
        os.close(descriptor)
