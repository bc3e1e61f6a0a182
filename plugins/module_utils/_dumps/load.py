# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a dump of any format into an empty database of a running container, as a role without privileges.

Plain SQL is decompressed on the host, by ISA-L where it is there, and goes through a filter (dump_filter) and a named
pipe straight to psql in the container: no byte of it passes through the engine. Of an archive, pg_restore loads the
rows, and the indexes where several processes are to; everything else is turned into SQL and goes the same way.
Whatever ends this process ends what it started in the container too, since that watches its standard input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import io
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .._backups import formats
from .._domain.errors import DatabaseError, Refused
from .._host import disk, files
from .._host.engine import Engine
from .._host.execution import Execution
from .._server import loader
from . import archive, dump_filter, dump_rules, watched
from .collected import Collected
from .dump_filter import Asked
from .exchange import Exchange
from .feeder import Feeder
from .pipe_writer import Writer

if TYPE_CHECKING:
    from .feeder import Passing

_PIECE = 1 << 20
_LOOK_EVERY = 0.25
# Until what is started in the container reads.
_LOOK_SOON = 0.01
# How much of a dump is looked at for extensions: pg_dump writes them first.
_HEAD = 1 << 20
_NO_LIMIT = 10 * 365 * 86400.0

# What could keep a load from its end, or slow it down: the server's own limits for its clients, and a wait for the disk
# at each of its commits (the swap of the names waits for all of them at once).
_OPTIONS = (
    "-c synchronous_commit=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
    " -c default_transaction_read_only=off -c client_min_messages=warning"
)


@dataclasses.dataclass(frozen=True)
class Login:
    """The role that loads, with its password; everything will be its own.

    uid: a user of the operating system that owns nothing, in the container or on the host. gid: its group, where it is
    to read what that may read; None for one of its own.
    """

    role: str
    password: str = dataclasses.field(repr=False)
    uid: int = dataclasses.field(default_factory=lambda: 1_500_000_000 + secrets.randbelow(500_000_000))
    gid: int | None = None

    @property
    def user(self) -> str:
        return f"{self.uid}:{self.uid if self.gid is None else self.gid}"


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What became of a load. collected: what is left for the end; warnings: what the tools said."""

    collected: Collected = dataclasses.field(default_factory=Collected)
    warnings: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Manner:
    """How a dump is loaded.

    policy: dump_rules.OWN or FOREIGN. login: the role that loads it; renew: lets it in once more. major: of the server.
    superuser: runs SQL in the fresh database as the superuser, and returns what it printed; superusers: by name.
    untrusted: the extensions that it makes where the dump has them; declared: those that are made first where the dump
    does not. search_path: in the place of the empty one that pg_dump sets. jobs: how many processes load an archive
    that the container sees. seconds: how long it may take; progress: called with the bytes of the dump that have been
    read, and their number in all. guard: lets a session, or some statements, change definitions, and nobody else; None
    where that is no matter.
    """

    policy: dump_rules.Rules
    login: Login
    major: int
    superuser: Callable[[str], str]
    superusers: frozenset[str] = frozenset()
    renew: Callable[[], None] = lambda: None
    untrusted: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()
    search_path: bytes | None = None
    jobs: int = 1
    seconds: float | None = None
    progress: Callable[[int, int], None] = lambda done, total: None
    guard: Callable[[str, frozenset[str]], None] | None = None


class Loading:
    """One load. inside: the path under which the container's user sees the dump; None where it does not.

    Raises DatabaseError with the server's first error. The database is then half full: drop it.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        dump: formats.Dump,
        database: str,
        exchange: Exchange,
        manner: Manner,
        inside: str | None = None,
    ) -> None:
        self._engine, self._container, self._dump, self._exchange = engine, container, dump, exchange
        self._database, self._inside, self._manner = database, inside, manner
        self._login = manner.login
        self._deadline = time.monotonic() + (manner.seconds or _NO_LIMIT)
        self._filter = dump_filter.Filter(
            manner.policy,
            manner.major,
            manner.untrusted,
            self._extension_tables,
            manner.search_path,
            lambda: frozenset(json.loads(manner.superuser(loader.RESERVED_PARAMETERS))),
            manner.superusers,
        )
        self._guarded: set[str] = set()
        # Which one loads (loader.session).
        self._session_in = ""
        self._been_in = False
        self._warnings: list[str] = []

    def run(self) -> Loaded:
        with self._shared() as directory:
            if self._dump.archive:
                self._archive(directory)
            else:
                if self._manner.declared:
                    self._make_extensions(dump_filter.extensions_of(formats.head(self._dump, _HEAD)))
                self._sql(directory)
                if self._dump.marked and not self._filter.complete:
                    raise DatabaseError(
                        f"{self._dump.path} is truncated: it does not have the words with which pg_dump ends"
                    )
        return Loaded(self._filter.collected, self._warnings[:20])

    @property
    def collected(self) -> Collected:
        """What of the dump was left, also where the load failed."""
        return self._filter.collected

    def each(self, wanted: dict[str, list[str]], before: list[str], changes: bool = False) -> dict[str, str]:
        """Run some lines of SQL for each key, after some for all, and return why which of them failed.

        changes: they do what the guard would refuse.
        """
        if not wanted:
            return {}
        owners: list[str | None] = [None] * len(before)
        lines = list(before)
        for key, statements in wanted.items():
            lines += statements
            owners += [key for one in statements for line in one.split("\n")]
        text = "\n".join([*lines, ""]).encode("utf-8")
        with self._shared() as directory:
            finished = self._through_pipe(
                directory,
                self._psql(stops=False),
                source=_from(text),
                filter_=_AsItIs(),
                may_fail=True,
                introduced=changes,
            )
        if finished.exit_code != 0:
            # It goes on after errors: then it could not connect, or was cut off.
            raise DatabaseError(f"{self._container}: not all of it was run: {_said(finished)}")
        failed: dict[str, str] = {}
        for number, said in re.findall(r"^psql:[^:\n]*:([0-9]+): (?:ERROR|FATAL|PANIC):  (.*)", finished.stderr, re.M):
            # The first lines are ours.
            whose = owners[min(int(number) - 2 - changes, len(owners) - 1)]
            failed.setdefault(whose or "", said)
        return failed

    def script(self, lines: list[str]) -> str | None:
        """Run a script of the operator's, and return why it failed."""
        text = "\n".join([*lines, ""]).encode("utf-8")
        with self._shared() as directory:
            finished = self._through_pipe(
                directory,
                self._psql(),
                source=_from(text),
                filter_=_AsItIs(),
                restricted=False,
                may_fail=True,
                introduced=True,
            )
        # What asks for the session is our line.
        return None if finished.exit_code == 0 else _said(finished, 1)

    @contextlib.contextmanager
    def _shared(self) -> Iterator[tuple[str, str]]:
        """A directory of this load's own in the exchange, as (path on the host, path in the container)."""
        token = secrets.token_hex(6)
        here = os.path.join(self._exchange.host, token)
        files.make_directory(self._exchange.host, 0o711)
        files.make_directory(here, 0o700, self._login.uid, self._login.uid)
        try:
            yield here, f"{self._exchange.container}/{token}"
        finally:
            files.remove_tree(here)
            files.remove_if_empty(self._exchange.host)

    # Plain SQL

    def _psql(self, stops: bool = True) -> Callable[[str], list[str]]:
        stop = ["-v", f"ON_ERROR_STOP={int(stops)}"]
        return lambda source: ["psql", "-XAtq", *stop, *self._target("-d"), "-f", source]

    def _target(self, option: str) -> list[str]:
        return ["-U", self._login.role, "-w", option, self._database]

    def _sql(self, directory: tuple[str, str], text: bytes | None = None) -> None:
        finished = self._through_pipe(
            directory, self._psql(), source=_from(text), filter_=self._filter, introduced=True
        )
        self._warnings += [line for line in finished.stderr.splitlines() if line.strip()]

    def _introduce(self, session: str) -> None:
        self._session_in = session
        if self._manner.guard is not None:
            self._manner.guard(session, frozenset())

    def _ask(self, asked: Asked) -> None:
        """Do as the superuser what the filter found. Runs between two statements of the load."""
        superuser = self._manner.superuser
        if asked.kind == dump_filter.EXTENSION:
            # What another session made meanwhile, the extension's script could call.
            superuser(loader.alone(self._session_in))
            if superuser(loader.theirs(self._filter.foreign)).strip() == "true":
                raise Refused(
                    f"The dump makes extension {asked.name}, which only a superuser may make, after objects of its own:"
                    " its script could call these. pg_dump writes extensions first. Nothing was changed"
                )
            superuser(loader.create_extension(asked.name, asked.schema) + loader.NOT_ALONE)
        elif asked.kind in (dump_filter.LET, dump_filter.LET_NO_MORE):
            if asked.name in self._guarded and self._filter.foreign:
                raise Refused(
                    f"The dump has rows of {asked.name}, a table of an extension that guards it by policies: they could"
                    " be run as somebody else's. Nothing was changed: take them out (pg_dump --exclude-table-data)"
                )
            if asked.name in self._guarded and asked.kind == dump_filter.LET:
                superuser(loader.alone(self._session_in))
            superuser(loader.let_write(asked.name, asked.kind == dump_filter.LET))
            if asked.name in self._guarded and asked.kind == dump_filter.LET_NO_MORE:
                superuser(loader.NOT_ALONE)
        else:
            text = self._filter.encoding.text(asked.text)
            before, script, after = loader.statement(text, self._filter.foreign)
            for part in (before, script, after):
                if part:
                    superuser(part)

    def _extension_tables(self) -> frozenset[str]:
        found = json.loads(self._manner.superuser(loader.EXTENSION_TABLES))
        self._guarded = {name for name, guarded in found if guarded}
        return frozenset(name for name, _guarded in found)

    def _make_extensions(self, theirs: frozenset[str]) -> None:
        for name in sorted(self._manner.declared - theirs):
            self._manner.superuser(loader.create_extension(name, None))

    # Archives

    def _archive(self, directory: tuple[str, str]) -> None:
        if self._dump.kind == formats.DIRECTORY and self._inside is None:
            raise DatabaseError(f"{self._dump.path} is not to be seen in {self._container}")
        # pg_restore does not load a tar archive by several processes.
        if self._manner.jobs > 1 and self._seen and self._dump.kind != formats.TAR:
            return self._in_parallel(directory)
        if self._manner.declared:
            self._make_extensions(archive.Listing(self._text(directory, ["-l"]).decode("utf-8", "replace")).extensions)
        return self._as_sql(directory)

    def _as_sql(self, directory: tuple[str, str]) -> None:
        """Have pg_restore write SQL into a pipe, which goes on like any other."""
        pipe = os.path.join(directory[0], f"sql-{secrets.token_hex(4)}")
        os.mkfifo(pipe, 0o600)
        os.chown(pipe, self._login.uid, self._login.uid, follow_symlinks=False)
        inside = f"{directory[1]}/{os.path.basename(pipe)}"
        writer = Writer(pipe, lambda: self._pg_restore(directory, ["-f", "-"], whole=True, into=inside))
        try:
            finished = self._through_pipe(
                directory, self._psql(), source=writer.begin, filter_=self._filter, introduced=True
            )
        finally:
            writer.end()
        self._warnings += [line for line in finished.stderr.splitlines() if line.strip()]

    def _in_parallel(self, directory: tuple[str, str]) -> None:
        listing = archive.Listing(self._text(directory, ["-l"]).decode("utf-8", "replace"))
        self._make_extensions(listing.extensions)
        self._sql(directory, self._text(directory, ["--section=pre-data", "-f", "-"]))
        tables = self._extension_tables()
        # What belongs to no section goes with what comes before it in the archive, such as the comment on an index: of
        # a list that lacks that, pg_restore would take it for an earlier section's, and leave it out.
        listing = self._section(directory, "data")
        theirs, rows = listing.data(tables)
        # Large objects are made here, from 17 on, and commented on.
        self._rest(directory, listing.without(theirs, rows))
        if theirs:
            self._sql(directory, self._text(directory, ["-f", "-", "-L", self._listed(directory, theirs)]))
        self._load_entries(directory, rows)
        indexes, others = self._section(directory, "post-data").indexes()
        if indexes and self._manner.guard is not None:
            script = self._text(directory, ["-f", "-", "-L", self._listed(directory, indexes)])
            self._manner.guard("", archive.queries(script))
        self._load_entries(directory, indexes)
        self._rest(directory, others)

    def _section(self, directory: tuple[str, str], name: str) -> archive.Listing:
        return archive.Listing(self._text(directory, ["-l", f"--section={name}"]).decode("utf-8", "replace"))

    def _rest(self, directory: tuple[str, str], entries: list[str]) -> None:
        if entries:
            self._sql(directory, self._text(directory, ["-f", "-", "-L", self._listed(directory, entries)]))

    def _load_entries(self, directory: tuple[str, str], entries: list[str]) -> None:
        if not entries:
            return
        options = ["--exit-on-error", "--no-owner", "--no-acl", "--no-security-labels", "-j", str(self._manner.jobs)]
        options += ["-L", self._listed(directory, entries)]
        finished = self._pg_restore(directory, [*options, *self._target("-d")], whole=True)
        self._warnings += [line for line in finished.stderr.splitlines() if line.strip()]

    @property
    def _seen(self) -> bool:
        return self._inside is not None and self._dump.compression == "none"

    def _text(self, directory: tuple[str, str], options: list[str]) -> bytes:
        """Return what pg_restore writes of the archive but its rows."""
        return self._pg_restore(directory, options, whole=False, keep=True).output

    def _pg_restore(
        self, directory: tuple[str, str], options: list[str], whole: bool, keep: bool = False, into: str | None = None
    ) -> _Finished:
        kind = {formats.CUSTOM: "-Fc", formats.TAR: "-Ft", formats.DIRECTORY: "-Fd"}[self._dump.kind]
        command = ["pg_restore", kind, *options]
        if into is not None:
            # The shell opens the pipe, whatever becomes of the archive.
            command = ["sh", "-c", 'exec "$@" >"$0"', into, *command]
        if self._seen and self._inside is not None:
            return self._execute([*command, self._inside], keep=keep)

        def piped(source: str) -> list[str]:
            return ["sh", "-c", 'exec "$@" <"$0"', source, *command]

        return self._through_pipe(directory, piped, whole=whole, keep=keep)

    def _listed(self, directory: tuple[str, str], entries: list[str]) -> str:
        """Write the list of what is loaded; return its path in the container."""
        name = f"list-{secrets.token_hex(4)}"
        content = "\n".join([*entries, ""]).encode("utf-8")
        files.write(os.path.join(directory[0], name), content, 0o400, self._login.uid, self._login.uid)
        return f"{directory[1]}/{name}"

    # What runs in the container

    def _through_pipe(
        self,
        directory: tuple[str, str],
        command: Callable[[str], list[str]],
        whole: bool = True,
        source: Callable[[], io.IOBase] | None = None,
        filter_: Passing | None = None,
        keep: bool = False,
        restricted: bool = True,
        may_fail: bool = False,
        introduced: bool = False,
    ) -> _Finished:
        """Run a command in the container that reads the dump, or another source, from a pipe.

        whole: it reads it to its end. introduced: it is psql, and is asked which session it has before it reads that.
        """
        pipe = os.path.join(directory[0], f"pipe-{secrets.token_hex(4)}")
        os.mkfifo(pipe, 0o400)
        os.chown(pipe, self._login.uid, self._login.uid, follow_symlinks=False)
        # From here on psql refuses every command of its own: nobody knows the key to end that.
        prologue = f"\\restrict {secrets.token_hex(32)}\n".encode("ascii") if filter_ and restricted else b""
        try:
            introduce = self._introduce if introduced else None
            feeder = Feeder(self._dump, pipe, filter_, prologue, self._ask, source, introduce)
            return self._execute(command(f"{directory[1]}/{os.path.basename(pipe)}"), feeder, whole, keep, may_fail)
        finally:
            os.unlink(pipe)

    def _execute(
        self,
        command: list[str],
        feeder: Feeder | None = None,
        whole: bool = True,
        keep: bool = False,
        may_fail: bool = False,
    ) -> _Finished:
        """Run a command in the container to its end, feeding it; return what it came to.

        Raises DatabaseError where it fails, or the feeder does.
        """
        if self._login.role in command:
            if self._been_in:
                self._manner.renew()
            self._been_in = True
        environment = {"PGOPTIONS": _OPTIONS, "PGAPPNAME": "vellaric restore", "HOME": "/nonexistent"}
        # What psql and pg_restore say is read: they give no codes.
        environment["LC_ALL"] = "C"
        environment["PGPASSFILE"] = watched.PASSWORD_FILE + secrets.token_hex(8)
        shell = ["sh", "-c", watched.WATCHED_LOGIN, "sh", *command]
        began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with self._engine.open(self._container, shell, self._login.user, environment) as execution:
            execution.send(watched.password_line(self._login.password))
            try:
                finished = self._attend(execution, feeder, keep)
                if feeder is not None:
                    feeder.check()
            finally:
                if feeder is not None:
                    feeder.stop()
        if may_fail:
            return finished
        if finished.exit_code != 0:
            said = _said(finished, 0 if feeder is None else feeder.more_lines)
            if disk.NO_SPACE not in said and self._disk_is_full(said, began):
                said += f". {disk.NO_SPACE}: make room first"
            raise DatabaseError(f"{self._container}: the dump could not be loaded: {said}")
        if feeder is not None and whole and not feeder.whole:
            raise DatabaseError(f"{self._container}: the load ended before {self._dump.path} did")
        return finished

    def _disk_is_full(self, said: str, began: str) -> bool:
        """Say whether that is why a load failed, where the failure itself does not say it.

        A block that fits in only by half is told in other words (mdextend in src/backend/storage/smgr/md.c), and a
        server that ends for it, or cannot begin, tells its log.
        """
        logged = disk.NO_SPACE in self._engine.logs(self._container, 200, began)
        return "could not extend file" in said or logged or disk.is_full(self._exchange.host)

    def _attend(self, execution: Execution, feeder: Feeder | None, keep: bool) -> _Finished:
        """Wait for the end of a command, feed it, and say how far it is. keep: what it prints."""
        shown = time.monotonic()
        output = execution.outputs[1]
        printed = bytearray()
        while True:
            if time.monotonic() > self._deadline:
                raise DatabaseError(f"{self._container}: the load was ended after {self._manner.seconds:g} s (timeout)")
            fed = feeder is None or feeder.start_when_read()
            try:
                if not execution.receive(time.monotonic() + (_LOOK_EVERY if fed else _LOOK_SOON)):
                    if feeder is not None:
                        feeder.finish()
                    printed += output
                    output.clear()
                    finished = execution.finish(time.monotonic() + 30)
                    return _Finished(finished.exit_code, finished.stderr, bytes(printed))
            except socket.timeout:
                pass
            if keep:
                printed += output
                output.clear()
            elif feeder is not None:
                feeder.hear(output)
            if feeder is not None:
                # What it has been given so far is not the whole: it must not come to a good end.
                feeder.check()
                if time.monotonic() - shown > 1.0:
                    shown = time.monotonic()
                    self._manner.progress(feeder.position, self._dump.size_bytes)


def _from(text: bytes | None) -> Callable[[], io.IOBase] | None:
    return None if text is None else lambda: io.BytesIO(text)


class _AsItIs:
    """Passes lines of our own on."""

    foreign = False

    def pieces(self, data: bytes, last: bool = False) -> Iterator[bytes]:
        yield data


@dataclasses.dataclass(frozen=True)
class _Finished:
    """What a command came to. output: what it printed, where that was to be kept."""

    exit_code: int
    stderr: str
    output: bytes


def _said(finished: _Finished, more_lines: int = 0) -> str:
    if "invalid command \\restrict" in finished.stderr:
        return "its psql is too old to know \\restrict, which guards against what is hidden in a dump: update the image"
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    marked = [line for line in lines if re.search(r"\b(ERROR|FATAL|PANIC|error):", line)]
    if not marked and finished.exit_code in (137, 143):
        return "the server's container, or the program that loads in it, was ended"
    said = (marked or lines or [f"exit code {finished.exit_code}, without a word"])[0]
    # The first line that psql reads is ours.
    return re.sub(
        r"^psql:[^:]*:([0-9]+): ", lambda match: f"line {max(1, int(match.group(1)) - 1 - more_lines)}: ", said
    )
