# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a backup: into a fresh database, which is compared with the manifest and then takes the other's name.

Nothing that a crash can leave is worse than a fresh database that nobody needs, or for the moment of the swap one that
lets nobody in: the next run puts both right before it does anything else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time

from .. import layout
from ..container import BACKUP_MOUNT
from ..errors import DatabaseError, Refused
from ..host import files, locks
from ..server import census, replacement, session, sql
from ..steps import Step
from . import catalog, dump, formats, load, naming, store, stream

# Beside the tables, which come to about what they were: the log that their load writes.
_SPACE_FACTOR = 1.3


@dataclasses.dataclass(frozen=True)
class Options:
    """What is to be restored, and how.

    backup: name of a backup, `latest`, `latest_verified`, or the path of a file on this host with its manifest beside
    it. keep_old: days for which what was replaced is kept. mask: SQL that runs before anybody can connect.
    timeout: seconds that all of it may take. source_directory: of the backups, where they are another database's.
    """

    backup: str = "latest"
    source_directory: str | None = None
    allow_other_database: bool = False
    backup_first: bool = True
    keep_old: int = 7
    jobs: int = 1
    mask: tuple = ()
    timeout: int = 86400
    wait_timeout: int = 120


@dataclasses.dataclass
class Outcome:
    actions: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)
    backup: object | None = None
    backup_before: object | None = None
    old_database: str | None = None
    old_dropped: list = dataclasses.field(default_factory=list)
    interruption: float = 0.0
    restored: dict = dataclasses.field(default_factory=dict)


def find(directory, wanted):
    """Return the backup that is meant by a name, `latest`, `latest_verified` or a path. Raises DatabaseError."""
    if not os.path.isabs(wanted):
        if "/" in wanted:
            raise DatabaseError(f"backup is {wanted!r}: the name of a backup, latest, latest_verified, or a whole path")
        return catalog.find(directory, wanted)
    path = os.path.normpath(wanted)
    if not os.path.lexists(path):
        raise Refused(f"There is no {path} on this host")
    if not os.path.lexists(naming.manifest_name(path)):
        raise Refused(
            f"{path} has no manifest beside it ({os.path.basename(path)}.json), so that nobody can say whether it is"
            " whole and where it comes from. A dump that this collection did not take is imported, with"
            " vellaric.postgres.postgres_db_import"
        )
    return catalog.at(path)


def restore(engine, target, options, check_mode=False, progress=None):
    """Bring a database (target.Target) back to a backup; return the Outcome.

    With check_mode nothing is changed, and the actions are what would be done. Raises DatabaseError; the database is
    then as it was.
    """
    _refuse_options(options)
    work = _Restoring(engine, target, options, progress or (lambda text: None))
    if check_mode:
        return work.predict()
    lock = layout.database_lock(target.data_root, target.container)
    backups = layout.backup_lock(target.data_root, target.container)
    with locks.exclusive(lock, options.wait_timeout, target.container):
        with locks.exclusive(backups, options.wait_timeout, f"the backups of {target.container}"):
            return work.run()


def _refuse_options(options):
    for name, least in (("keep_old", 0), ("jobs", 1), ("timeout", 1), ("wait_timeout", 1)):
        if getattr(options, name) < least:
            raise DatabaseError(f"{name} is {getattr(options, name)}: at least {least}")


class _Restoring:
    def __init__(self, engine, target, options, progress):
        self._engine, self._target, self._options, self._progress = engine, target, options, progress
        self._container = target.container
        self._deadline = time.monotonic() + options.timeout
        self._outcome = Outcome()
        self._fresh = replacement.fresh_name(target.name)

    # What is asked, and what is decided from it

    def _observe(self):
        target = self._target
        refuse_unless_running(target)
        directory = self._options.source_directory or target.backup_directory
        self._backup = find(directory, self._options.backup)
        self._outcome.backup = self._backup
        refuse_backup(target, self._backup, self._options.allow_other_database)
        self._manifest = self._backup.manifest
        self._databases = json.loads(self._sql(replacement.DATABASES))
        self._now = catalog.utc_now()
        self._leftovers = leftovers(target.name, self._databases)
        self._exists = target.name in self._databases or "return" in self._leftovers
        self._owner = self._databases.get(target.name, {}).get("owner") or target.record.username
        self._other = self._manifest.database_id != target.record.id
        self._refuse_without_space()

    def _plan(self):
        name, options = self._target.name, self._options
        steps = [Step("put_back", words) for words in self._leftovers.values()]
        steps.append(Step("check_backup", f"read {self._backup.file_name} and compare it with its manifest"))
        if self._exists and options.backup_first:
            steps.append(Step("backup", f"take a backup of {name} as it is now"))
        steps.append(Step("load", f"load {self._backup.file_name} into a fresh database"))
        steps.append(Step("compare", "compare it with the manifest: objects, rows, extensions"))
        if options.mask:
            steps.append(Step("mask", "run the masking SQL"))
        steps.append(Step("analyze", "collect the planner's statistics"))
        impact = "restart" if self._exists else "none"
        steps.append(Step("swap", f"let it take the place of database {name}", impact))
        expired = self._expired()
        if expired:
            steps.append(Step("drop_old", f"remove {', '.join(expired)}, which was replaced"))
        return steps

    def _expired(self):
        """Return what was kept when the database was replaced, for longer than is asked; with 0 days all of it."""
        old = replacement.kept(self._target.name, self._databases)
        if self._exists and self._options.keep_old == 0:
            old.append((replacement.kept_name(self._target.name, self._now), self._now))
        days = self._options.keep_old
        return [name for name, since in old if (self._now - since).total_seconds() >= days * 86400]

    def _refuse_without_space(self):
        needed = int((self._manifest.database_size_bytes or 0) * _SPACE_FACTOR)
        status = os.statvfs(self._target.data_root)
        free = status.f_bavail * status.f_frsize
        if free < needed + store.LEAST_FREE:
            raise Refused(
                f"To restore {self._backup.file_name} beside the present database may need {store.mebibytes(needed)},"
                f" but {self._target.data_root} has {store.mebibytes(free)} free, of which"
                f" {store.mebibytes(store.LEAST_FREE)} are left to the server. Nothing was changed: make room first"
            )

    def predict(self):
        self._observe()
        self._outcome.actions = self._plan()
        if self._exists and self._options.keep_old:
            self._outcome.old_database = replacement.kept_name(self._target.name, self._now)
        self._outcome.old_dropped = self._expired()
        return self._outcome

    # What is done

    def run(self):
        self._observe()
        steps = {step.verb: step for step in self._plan()}
        exchange = load.exchange_of(self._directory, self._target.image)
        load.clear(exchange)
        self._put_back()
        with catalog.in_use(self._backup):
            self._do(steps, "check_backup", lambda: check(self._backup))
            self._do(steps, "backup", self._take_backup)
            try:
                self._do(steps, "load", lambda: self._load(exchange))
                self._do(steps, "compare", self._compare)
                self._do(steps, "mask", self._mask)
                self._do(steps, "analyze", lambda: self._sql("ANALYZE;\n", self._fresh))
                self._do(steps, "swap", self._swap)
            except BaseException:
                self._clean_up()
                raise
        self._do(steps, "drop_old", self._drop_old)
        return self._outcome

    @property
    def _directory(self):
        return os.path.join(self._target.data_root, self._container)

    def _do(self, steps, verb, function):
        if verb in steps:
            self._progress(f"{self._container}: {steps[verb].summary}")
            function()
            self._outcome.actions.append(steps[verb])

    def _sql(self, script, database=None):
        remaining = max(1.0, self._deadline - time.monotonic())
        database = database or replacement.maintenance(self._target.name)
        return session.psql(self._engine, self._container, script, remaining, database)

    def _put_back(self):
        """Undo what a run that was cut short has left."""
        if "return" in self._leftovers:
            self._sql(
                replacement.rename(replacement.kept(self._target.name, self._databases)[-1][0], self._target.name)
            )
        if "allow" in self._leftovers:
            self._sql(replacement.allow(self._target.name))
        if "drop" in self._leftovers:
            self._sql(replacement.drop(self._fresh))
        self._outcome.actions += [Step("put_back", words) for words in self._leftovers.values()]

    def _clean_up(self):
        """After a failure: the database as it was, and nothing of the fresh one. What is in the way is left to the next
        run, which begins with this."""
        with contextlib.suppress(DatabaseError):
            self._deadline = time.monotonic() + 60
            self._databases = json.loads(self._sql(replacement.DATABASES))
            self._leftovers = leftovers(self._target.name, self._databases)
            self._put_back()
        for step in [step for step in self._outcome.actions if step.verb == "put_back"]:
            self._outcome.actions.remove(step)

    def _take_backup(self):
        taken, warnings = dump.take(self._engine, self._target, dump.Options(taken_by="before_restore"))
        self._outcome.backup_before = taken
        self._outcome.warnings += warnings

    def _load(self, exchange):
        manifest = self._manifest
        source_owner = manifest.database.get("owner")
        self._make_roles(source_owner)
        try:
            self._sql(
                replacement.create(self._fresh, self._owner, manifest.database["encoding"], manifest.database["locale"])
            )
        except DatabaseError as error:
            if "locale" in error.message or "collat" in error.message.lower():
                raise DatabaseError(
                    f"{error.message}. The backup is of a database with the locale"
                    f" {manifest.database['locale'].get('collate')}, which this image does not have: use an image that"
                    " does"
                ) from error
            raise
        with self._visible(exchange) as inside:
            loaded = load.load(
                self._engine,
                self._container,
                formats.detect(self._backup.path),
                self._fresh,
                exchange,
                inside=inside,
                jobs=self._options.jobs,
                seconds=max(1.0, self._deadline - time.monotonic()),
                progress=self._say,
            )
        self._outcome.warnings += loaded.warnings
        major = self._target.image.major
        script = replacement.settings(self._fresh, manifest.database, self._owner, source_owner)
        self._sql(script + sql.restrict_database(self._fresh, self._owner, major))
        if source_owner != self._owner:
            self._sql(replacement.take_over(source_owner, self._owner), self._fresh)
            if source_owner in self._made_roles:
                self._sql(f"DROP ROLE {sql.identifier(source_owner)};\n")

    def _make_roles(self, source_owner):
        """Make the roles that the backup speaks of and the server does not have.

        Those of another database come without passwords, and cannot log in: they are not to open doors here.
        """
        there = json.loads(self._sql(replacement.ROLES))
        known = files.read(naming.globals_name(self._backup.path))
        text = known.content.decode("utf-8", "replace") if known else f"CREATE ROLE {sql.identifier(source_owner)};"
        self._made_roles, script = replacement.missing_roles(text, there, credentials=not self._other)
        if self._made_roles:
            self._sql(f"{sql.UNLOGGED}\n{script}")
            made = [role for role in self._made_roles if role != source_owner or source_owner == self._owner]
            if made:
                self._outcome.warnings.append(f"made the roles that the backup speaks of: {', '.join(made)}")

    @contextlib.contextmanager
    def _visible(self, exchange):
        """Give the path under which the server sees the backup, or None where it has to come through a pipe."""
        path, own = self._backup.path, os.path.dirname(self._backup.path) == self._target.backup_directory
        if own:
            yield f"{BACKUP_MOUNT}/{self._backup.file_name}"
        elif self._backup.format == "directory" or (self._backup.format == "custom" and self._options.jobs > 1):
            name = "backup"
            try:
                files.make_directory(exchange.host, 0o711)
                share(path, os.path.join(exchange.host, name), exchange)
                yield f"{exchange.container}/{name}"
            finally:
                load.clear(exchange)
        else:
            yield None

    def _say(self, done, total):
        self._progress(f"{self._container}: {store.mebibytes(done)} of {store.mebibytes(total)} loaded")

    def _compare(self):
        facts, counts = take_census(self._engine, self._container, self._fresh, self._deadline)
        wrong, notes = differences(self._manifest, facts, counts)
        if wrong:
            raise DatabaseError(
                f"What was restored of {self._backup.file_name} is not what was backed up: {'; '.join(wrong[:10])}."
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

    def _mask(self):
        for text in self._options.mask:
            try:
                self._sql(text + "\n", self._fresh)
            except DatabaseError as error:
                raise DatabaseError(f"The masking SQL failed, so nothing was replaced. {error.message}") from error

    def _swap(self):
        name = self._target.name
        old = replacement.kept_name(name, self._now) if self._exists else None
        began = time.monotonic()
        self._sql(replacement.swap(name, self._fresh, old))
        if old is not None:
            self._outcome.interruption = time.monotonic() - began
            self._outcome.old_database = old if self._options.keep_old else None

    def _drop_old(self):
        for name in self._expired():
            self._sql(replacement.drop(name))
            self._outcome.old_dropped.append(name)


def leftovers(name, databases):
    """Return what a run that was cut short has left, by what mends it, in words."""
    found = {}
    if name not in databases and replacement.kept(name, databases):
        found["return"] = f"give {replacement.kept(name, databases)[-1][0]} its name {name} back"
    elif name in databases and not databases[name]["allowed"]:
        found["allow"] = f"let clients into {name} again, which a restore that was cut short kept out"
    if replacement.fresh_name(name) in databases:
        found["drop"] = "remove what a restore that was cut short has left"
    return found


def refuse_unless_running(target):
    container = target.container
    if target.facts is None or target.record is None:
        what = "its container is missing" if target.record else "there is no such database"
        raise Refused(f"Nothing can be restored into {container}: {what}. Create it with postgres_db first")
    if not target.running:
        raise Refused(
            f"Nothing can be restored into {container}: its container is {target.facts.status}. Start it with"
            " postgres_db, state: started"
        )
    if not target.record.initialised or target.image is None:
        raise Refused(
            f"Nothing can be restored into {container}: its first start has not been completed. Run the task that"
            " creates it again"
        )


def refuse_backup(target, backup, allow_other_database):
    """Raise Refused where a backup does not count, or is not one for this database."""
    if not backup.good:
        raise Refused(f"{backup.path} is not a good backup: {backup.damage}")
    manifest, major = backup.manifest, target.image.major
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


def check(backup):
    """Read a backup to its end. Raises DatabaseError where it is not what its manifest says."""
    manifest = backup.manifest
    sha256 = store.sums(backup.path, "none", False, backup.file_name)[0]
    if sha256 != manifest.sha256:
        raise DatabaseError(
            f"{backup.file_name} is damaged: its checksum is not that of its manifest. Nothing was changed: restore"
            " another backup"
        )


def share(source, target, exchange):
    """Let the server's user of an exchange read a file or a directory of files: by another name, or a copy."""
    if os.path.isdir(source):
        files.make_directory(target, 0o750, 0, exchange.gid)
        for entry in sorted(os.listdir(source)):
            _share_file(os.path.join(source, entry), os.path.join(target, entry), exchange)
    else:
        _share_file(source, target, exchange)


def _share_file(source, target, exchange):
    descriptor = catalog.open_entry(source)
    try:
        status = os.fstat(descriptor)
        if status.st_gid == exchange.gid and status.st_mode & 0o040:
            with contextlib.suppress(OSError):
                os.link(source, target, follow_symlinks=False)
                return
        with store.errors("write", target), open(target, "xb") as output:
            for data in stream.read_chunks(descriptor):
                output.write(data)
            os.fchown(output.fileno(), exchange.uid, exchange.gid)
            os.fchmod(output.fileno(), 0o400)
    finally:
        os.close(descriptor)


_END = "that is all"


def take_census(engine, container, database, deadline):
    """Return what a database holds (census), and the rows of each of its tables."""
    script = census.prepare() + "BEGIN;\n" + census.facts() + census.row_counts(_END) + "COMMIT;\n"
    lines = session.psql(engine, container, script, max(1.0, deadline - time.monotonic()), database).splitlines()
    counts = dict(census.parse_row_count(line) for line in lines[1 : lines.index(_END)])
    return census.parse(lines[0]), counts


def differences(manifest, facts, counts):
    """Return how a restored database differs from its manifest: (what is wrong, what is only worth knowing)."""
    wrong, notes = [], []
    for kind, number in manifest.objects.items():
        found = facts["objects"].get(kind)
        if found is not None and found != number:
            wrong.append(f"{found} {kind.replace('_', ' ')} instead of {number}")
    for table, rows in (manifest.row_counts or {}).items():
        if counts.get(table) != rows:
            wrong.append(f"{counts.get(table, 'no')} rows in {table} instead of {rows}")
    for name, version in manifest.extensions.items():
        found = facts["extensions"].get(name)
        if found is None:
            wrong.append(f"no extension {name}")
        elif found != version:
            notes.append(f"extension {name} is {found} here, and was {version}")
    return wrong, notes
