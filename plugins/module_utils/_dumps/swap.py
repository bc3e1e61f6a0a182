# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces a database with a fresh one: what restores and imports have in common.

Nothing that a crash can leave is worse than a fresh database that nobody needs: the next run removes it before it does
anything else. The journal says that there was such a run; the names of the server's databases, which change in one
transaction, say how far it came.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable, Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from .._backups import catalog, dump_options
from .._backups.manifest import BEFORE_RESTORE
from .._backups.target import refuse_unless_running
from .._domain import clock, layout, texts
from .._domain.configuration import PG_HBA_CONF
from .._domain.errors import DatabaseError, Refused
from .._domain.journal import RESTORE, Journal
from .._domain.show import size as shown_size
from .._host import disk, files, journals, locks
from .._planning.steps import Action
from .._server import answers, replacement, session
from . import dump, exchange
from .filling import Filling

_LOOK_EVERY = 0.5
_MOST = {"keep_old": texts.MOST_DAYS, "jobs": dump_options.MOST_JOBS}
# Between the end of a container and its next start, where somebody restarts it.
_RESTART_SECONDS = 3
# Of what is left to the server: three segments of its log.
_RESERVE = 48 << 20


if TYPE_CHECKING:
    from .._backups.target import Running, Target
    from .._host.engine import Engine
    from .._server.pooling import Wait

    # A step, and what does it.
    Doing = tuple[Action, Callable[[], object]]

    class Options(Protocol):
        """What both kinds have."""

        @property
        def backup_first(self) -> bool: ...

        @property
        def keep_old(self) -> int: ...

        @property
        def jobs(self) -> int: ...

        @property
        def timeout(self) -> int: ...

        @property
        def wait_timeout(self) -> int: ...


@dataclasses.dataclass
class Outcome:
    """What a run came to. restored: what was found in the fresh database; report: what is known of an import.

    unmasked: of masked columns that still hold values of the source, table, column and rows. waits: of the clients of
    its pooler.
    """

    actions: list[Action] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    backup: catalog.Backup | None = None
    backup_before: catalog.Backup | None = None
    old_database: str | None = None
    old_dropped: list[str] = dataclasses.field(default_factory=list)
    interruption: float = 0.0
    waits: list[Wait] = dataclasses.field(default_factory=list)
    restored: dict[str, Any] = dataclasses.field(default_factory=dict)
    report: dict[str, Any] = dataclasses.field(default_factory=dict)
    unmasked: list[dict[str, Any]] = dataclasses.field(default_factory=list)


class Replacing:
    """One run. What kind it is, the classes below say: what is looked at first, and the steps that fill the fresh one.

    options: has backup_first, keep_old (days), timeout and wait_timeout (seconds).
    """

    def __init__(
        self, engine: Engine, target: Target, options: Options, progress: Callable[[str], None] | None = None
    ) -> None:
        # A look comes first, which refuses another target.
        self._engine, self._target, self._options = engine, cast("Running", target), options
        self._progress = progress or (lambda text: None)
        self._container = target.container
        self._directory = os.path.join(target.data_root, target.container)
        self._deadline = time.monotonic() + options.timeout
        self._outcome = Outcome()
        self._fresh = replacement.fresh_name(target.name)

    @classmethod
    def carry_out(
        cls,
        engine: Engine,
        target: Target,
        options: Options,
        check_mode: bool,
        progress: Callable[[str], None] | None,
    ) -> Outcome:
        """Run it, or say what a run would do. Raises DatabaseError; the database is then as it was."""
        refuse_options(options)
        work = cls(engine, target, options, progress)
        return work.predict() if check_mode else work.run()

    # For the classes below

    def _look(self) -> None:
        """Look at what is to come into the database. Raises Refused where it is not to."""

    def _loading(self) -> list[Doing]:
        """Return the steps that load the fresh database and look at it, as (Action, function) pairs."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Give the fresh database to its owner, with what belongs to it."""

    def _in_use(self) -> contextlib.AbstractContextManager[object]:
        """A context in which what is read stays there."""
        return contextlib.nullcontext()

    @property
    def _whose(self) -> str:
        """In words, whose everything becomes."""
        raise NotImplementedError

    # The run

    def predict(self) -> Outcome:
        """Say what a run would do, as its Outcome; nothing is changed."""
        with answers.understood(self._container):
            self._observe()
        self._outcome.actions = [step for step, function in self._steps()]
        if self._exists and self._options.keep_old:
            self._outcome.old_database = self._kept_name()
        self._outcome.old_dropped = self._expired()
        return self._outcome

    def run(self) -> Outcome:
        """Run under the locks of the database and of its backups."""
        what, seconds = self._container, self._options.wait_timeout
        with locks.exclusive(layout.database_lock(self._target.data_root, what), seconds, what):
            with locks.exclusive(layout.backup_lock(self._target.data_root, what), seconds, f"the backups of {what}"):
                with answers.understood(self._container):
                    return self._run()

    def _run(self) -> Outcome:
        self._observe()
        if self._target.record.others:
            # Few databases have one, and each run compiles anew what it loads of Ansible's archive.
            from .._server import pooling

            pooling.resume_recorded(self._engine, self._target.record)
        self._exchange = exchange.of(self._directory, self._target.image)
        exchange.clear(self._exchange)
        self._fill = Filling(
            self._engine,
            self._container,
            self._fresh,
            self._exchange,
            self._target.image,
            self._sql,
            os.path.join(self._directory, PG_HBA_CONF),
            lambda: self._remaining,
        )
        steps = self._steps()
        self._swapped = False
        self._journal = Journal(RESTORE, clock.iso(self._now), {"fresh": self._fresh, "kept": self._kept_name()})
        journals.write(self._directory, self._journal)
        self._reserve()
        with self._in_use():
            try:
                for step, function in steps:
                    self._progress(f"{self._container}: {step.summary}")
                    function()
                    self._outcome.actions.append(step)
            except BaseException as error:
                if isinstance(error, DatabaseError):
                    self._name_a_full_disk(error)
                if self._swapped or self._clean_up():
                    journals.end(self._directory, RESTORE)
                raise
            finally:
                exchange.clear(self._exchange)
        journals.end(self._directory, RESTORE)
        return self._outcome

    def _name_a_full_disk(self, error: DatabaseError) -> None:
        """The server's own words may be of a file that it could not write, without the reason."""
        with contextlib.suppress(DatabaseError):
            if disk.NO_SPACE in error.message or not disk.is_full(self._target.data_root):
                return
            error.message += f" ({disk.NO_SPACE}: the disk of {self._target.data_root} is full. Make room there)"

    def _observe(self) -> None:
        refuse_unless_running(self._target, f"Nothing can be restored into {self._target.container}")
        self._databases = json.loads(self._sql(replacement.DATABASES))
        self._now = clock.utc_now()
        self._refuse_prepared()
        self._leftovers = leftovers(self._target.name, self._databases)
        self._tell_of_interrupted()
        self._exists = self._target.name in self._databases or "return" in self._leftovers
        self._owner: str = self._databases.get(self._target.name, {}).get("owner") or self._target.record.username or ""
        self._look()

    def _tell_of_interrupted(self) -> None:
        interrupted = journals.read(self._directory, RESTORE)
        if interrupted is not None:
            swapped = not interrupted.may_return or interrupted.before["kept"] in self._databases
            fate = "after it had replaced the database" if swapped else "before it had replaced the database"
            self._outcome.warnings.append(
                f"a restore or an import, started at {interrupted.began_at}, was interrupted {fate}: its remains are"
                " removed first"
            )

    def _kept_name(self) -> str | None:
        """Return the name that the present database gets when it is replaced."""
        return replacement.kept_name(self._target.name, self._now) if self._exists else None

    def _steps(self) -> list[Doing]:
        name, options = self._target.name, self._options
        steps: list[Doing] = [
            (Action("put_back", words), functools.partial(self._put_back, [fix]))
            for fix, words in self._leftovers.items()
        ]
        if self._exists and options.backup_first:
            steps.append((Action("backup", f"take a backup of {name} as it is now"), self._take_backup))
        steps += self._loading()
        steps.append((Action("analyze", "collect the planner's statistics"), self._analyze))
        steps.append((Action("take_over", self._whose), self._take_over))
        impact = "restart" if self._exists else "none"
        steps.append((Action("swap", f"replace database {name} with it", impact), self._swap))
        expired = self._expired()
        if expired:
            steps.append((Action("drop_old", f"remove {', '.join(expired)}, which was replaced"), self._drop_old))
        return steps

    def _expired(self) -> list[str]:
        """Return what was kept when the database was replaced, for longer than is asked; with 0 days all of it."""
        old = replacement.kept(self._target.name, self._databases)
        if self._exists and self._options.keep_old == 0:
            old.append((replacement.kept_name(self._target.name, self._now), self._now))
        days = self._options.keep_old
        return [name for name, since in old if (self._now - since).total_seconds() >= days * 86400]

    def _refuse_without_space(self, needed: float, what: str) -> None:
        what += " beside the present database"
        disk.refuse_without_space(self._target.data_root, needed, what, "Nothing was changed: make room first")

    def _refuse_prepared(self) -> None:
        """Now, not after hours of loading: they keep a database from being replaced, and only a person can end them."""
        found = json.loads(self._sql(replacement.prepared(self._target.name)))
        if found:
            more = f" and {len(found) - 1} more" if found[1:] else ""
            raise Refused(
                f"Database {self._target.name} of {self._container} cannot be replaced while it has prepared"
                f" transactions: {found[0]!r}{more}. Nothing was changed: end each in that database, with COMMIT"
                " PREPARED or ROLLBACK PREPARED (pg_prepared_xacts lists them)"
            )

    @property
    def _remaining(self) -> float:
        return max(1.0, self._deadline - time.monotonic())

    def _sql(self, script: str, database: str | None = None) -> str:
        database = database or replacement.maintenance(self._target.name)
        return session.psql(self._engine, self._container, script, self._remaining, database)

    def _put_back(self, fixes: Container[str]) -> None:
        """Undo what a run that was interrupted has left."""
        name = self._target.name
        if "return" in fixes:
            self._sql(replacement.rename(replacement.kept(name, self._databases)[-1][0], name))
        if "allow" in fixes:
            self._sql(replacement.allow(name))
        if "drop" in fixes:
            self._sql(replacement.drop(self._fresh))

    def _reserve(self) -> None:
        """Take room that is let go of at the end: a server whose disk was filled needs some to recover, and to drop
        what filled it. https://www.postgresql.org/docs/current/disk-full.html"""
        files.make_directory(self._exchange.host, 0o711)
        path = os.path.join(self._exchange.host, "reserve")
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _RESERVE)
            finally:
                os.close(descriptor)

    def _clean_up(self) -> bool:
        """After a failure: the database as it was, and nothing of the fresh one. False where that cannot be fixed now:
        it is left to the next run, which begins with this."""
        exchange.clear(self._exchange)
        deadline = time.monotonic() + self._options.wait_timeout
        while True:
            self._deadline = deadline
            try:
                self._fill.end()
                self._databases = json.loads(self._sql(replacement.DATABASES))
                self._put_back(leftovers(self._target.name, self._databases))
                return True
            except DatabaseError:
                # A server that is coming back from a crash gets its time.
                if not self._comes_back(deadline):
                    return False

    def _comes_back(self, deadline: float) -> bool:
        """Wait until the server answers; False where it was stopped, or is not back in time."""
        ended = None
        while time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)
            with contextlib.suppress(DatabaseError):
                session.wait_until_ready(
                    self._engine, self._container, self._target.name, self._owner, deadline - time.monotonic()
                )
                return True
            try:
                state = (self._engine.inspect(self._container) or {}).get("State", {})
            except DatabaseError:
                return False
            # The engine starts one that crashed again, and one that somebody restarts is back soon.
            up = state.get("Running") or state.get("Restarting")
            ended = None if up else ended or time.monotonic()
            if ended is not None and time.monotonic() - ended > _RESTART_SECONDS:
                return False
        return False

    def _take_backup(self) -> None:
        taken, warnings = dump.take(self._engine, self._target, dump_options.Options(taken_by=BEFORE_RESTORE))
        self._outcome.backup_before = taken
        self._outcome.warnings += warnings

    def _say(self, done: int, total: int) -> None:
        self._progress(f"{self._container}: {shown_size(done)} of {shown_size(total)} loaded")

    def _analyze(self) -> None:
        self._outcome.warnings += self._fill.analyze()

    def _take_over(self) -> None:
        self._finish()
        self._fill.end(keep=True)

    def _swap(self) -> None:
        name = self._target.name
        old = self._kept_name()
        began = time.monotonic()
        with self._clients_wait():
            self._sql(replacement.swap(name, self._fresh, old))
            self._swapped = True
        # On a disk that is full the names of the databases still say it.
        with contextlib.suppress(DatabaseError):
            journals.write(self._directory, self._journal.past_return())
        if old is not None:
            self._outcome.interruption = time.monotonic() - began
            self._outcome.old_database = old if self._options.keep_old else None
            self._pause_subscriptions(old)

    @contextlib.contextmanager
    def _clients_wait(self) -> Iterator[None]:
        """Let those of a pooler wait: the swap ends all sessions, and after it they find the fresh database."""
        record = self._target.record
        if not record.others:
            yield
            return
        # Few databases have one, and each run compiles anew what it loads of Ansible's archive.
        from .._server import pooling

        container, seconds = pooling.recorded(self._engine, record), pooling.pause_timeout(record)
        name = self._target.name
        wait = None
        try:
            with pooling.waiting(self._engine, container, self._target.facts, name, seconds, ends=True) as wait:
                yield
        finally:
            if wait is not None:
                self._outcome.waits.append(wait)
                self._outcome.warnings += wait.warnings

    def _pause_subscriptions(self, old: str) -> None:
        try:
            self._sql(replacement.PAUSE_SUBSCRIPTIONS, old)
        except DatabaseError as error:
            # What was asked for has been done.
            self._outcome.warnings.append(f"the subscriptions of {old} may still be enabled: {error.message}")

    def _drop_old(self) -> None:
        for name in self._expired():
            self._sql(replacement.drop(name))
            self._outcome.old_dropped.append(name)


def leftovers(name: str, databases: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what a run that was interrupted has left, by what fixes it, in words."""
    found = {}
    if name not in databases and replacement.kept(name, databases):
        found["return"] = f"give {replacement.kept(name, databases)[-1][0]} its name {name} back"
    elif name in databases and not databases[name]["allowed"]:
        found["allow"] = f"allow connections to {name} again, which an interrupted run had blocked"
    if replacement.fresh_name(name) in databases:
        found["drop"] = "remove the remains of an interrupted run"
    return found


def refuse_options(options: Options) -> None:
    """Raise InvalidOption for numbers that are out of range."""
    for name, least in (("keep_old", 0), ("jobs", 1), ("timeout", 1), ("wait_timeout", 1)):
        texts.number(getattr(options, name), name, least, _MOST.get(name, texts.MOST_SECONDS))
