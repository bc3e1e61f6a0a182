# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a dump of any format into a database of a running container.

Plain SQL is decompressed on the host, by ISA-L where it is there, and goes through a named pipe straight to psql in the
container: no byte of it passes through this process or the engine. Whatever ends this process ends what it started in
the container too, since that watches its standard input.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import re
import secrets
import shutil
import socket
import time

from ..container import HOME_MOUNT
from ..errors import DatabaseError
from ..host import disk, files
from ..server.session import SUPERUSER
from . import foreign, formats
from .feeder import Feeder

# Below the directory of a database, which its container sees read-only: pipes, lists and copies while they are needed.
DIRECTORY = "load"
_PIECE = 1 << 20
_FULL = "No space left on device"
_LOOK_EVERY = 0.25
# Until what is started in the container reads.
_LOOK_SOON = 0.01
_NO_LIMIT = 10 * 365 * 86400.0
_PR_SET_PDEATHSIG = 1

# The command ends with the input of this shell, which the engine holds open while the process that asked for it lives.
# The shell waits for all that it starts: what has lost its parent goes to process 1, and that is the server, which
# takes one that was killed for one of its own and restarts itself.
WATCHED = """exec 3<&0; "$@" </dev/null & child=$!
{ read -r nothing <&3; kill "$child"; } >/dev/null 2>&1 & watch=$!
wait "$child"; code=$?; { kill "$watch"; wait "$watch"; } 2>/dev/null; exit "$code\""""
# A password comes as the first line of the input, as a line of a password file: it is in no argument and in no
# environment, and the file, in memory, is gone with the command.
PASSWORD_FILE = "/dev/shm/vellaric-pgpass-"
WATCHED_LOGIN = (
    "umask 077; IFS= read -r line; trap 'rm -f \"$PGPASSFILE\"' EXIT;"
    """ printf '%s\\n' "$line" >"$PGPASSFILE" || exit 1; unset line\n""" + WATCHED
)


# The same for a command that is talked to: its own input comes after that. With the certificate of an authority, up to
# an empty line, in a file of the same kind.
AUTHORITY_FILE = "/dev/shm/vellaric-authority-"
_PASSWORD = """umask 077; IFS= read -r line; trap 'rm -f "$PGPASSFILE" %s' EXIT
printf '%%s\\n' "$line" >"$PGPASSFILE" || exit 1; unset line
"""
_AUTHORITY = """while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line"; done >"$PGSSLROOTCERT" || exit 1
"""
_RUN = """if [ "$1" = psql ]; then "$@"; exit; fi\n""" + WATCHED
TALKED_TO = _PASSWORD % "" + _RUN
TALKED_TO_WITH_AUTHORITY = _PASSWORD % '"$PGSSLROOTCERT"' + _AUTHORITY + _RUN


def password_line(password):
    """Return the line of a password file. https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    return "*:*:*:*:" + re.sub(r"([\\:])", r"\\\1", password) + "\n"


# What could keep a load from its end, or slow it down: the server's own limits for its clients, and a wait for the disk
# at each of its commits (the swap of the names waits for all of them at once).
_OPTIONS = (
    "-c synchronous_commit=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
    " -c default_transaction_read_only=off -c client_min_messages=warning"
)
_SUPERUSER_OPTIONS = " -c session_replication_role=origin -c log_statement=none -c log_min_duration_statement=-1"


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A directory that the host and the container share: its path on either side, and the server's user there."""

    host: str
    container: str
    uid: int
    gid: int


@dataclasses.dataclass(frozen=True)
class Login:
    """For a dump that is not trusted: a role without privileges, with its password; everything will be its own.

    uid: a user of the operating system that owns nothing, in the container or on the host.
    """

    role: str
    password: str = dataclasses.field(repr=False)
    uid: int = dataclasses.field(default_factory=lambda: 1_500_000_000 + secrets.randbelow(500_000_000))


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What became of a load. left_out: how often something was, by its words; warnings: what the tools said."""

    left_out: dict = dataclasses.field(default_factory=dict)
    warnings: tuple = ()


def exchange_of(directory, image):
    """Return the Exchange of a database of ours (its directory on the host, and ImageFacts)."""
    return Exchange(os.path.join(directory, DIRECTORY), f"{HOME_MOUNT}/{DIRECTORY}", image.uid, image.gid)


def copy_in(path, exchange, uid):
    """Copy a dump into an exchange, for one user only; return its path in the container."""
    files.make_directory(exchange.host, 0o711)
    target = os.path.join(exchange.host, "dump")
    pairs = [(path, target)]
    if os.path.isdir(path):
        files.make_directory(target, 0o500, uid, uid)
        pairs = [(os.path.join(path, entry), os.path.join(target, entry)) for entry in sorted(os.listdir(path))]
    for source, copy in pairs:
        with files._errors("copy", source):
            shutil.copyfile(source, copy, follow_symlinks=True)
            os.chown(copy, uid, uid, follow_symlinks=False)
            os.chmod(copy, 0o400)
    return f"{exchange.container}/dump"


def clear(exchange):
    """Remove what a run that was cut short has left in an exchange. The caller holds the database's lock."""
    files.remove_tree(exchange.host)


def load(engine, container, dump, database, exchange, **options):
    """Load a dump (formats.Dump) into a database that is empty, and return what became of it (Loaded).

    inside: the path under which the container sees the dump, readable for its server; None where it does not.
    jobs: how many processes load it, for a dump that the container sees and that is an archive.
    login: for a dump that is not trusted (Login); owners, grants and what only a superuser may make are then left out.
    major: of the server, needed with login. seconds: how long it may take. progress: called with the bytes of the dump
    that have been read, and their number in all.

    Raises DatabaseError with the server's first error. The database is then half full: drop it.
    """
    return Loading(engine, container, dump, database, exchange, **options).run()


class Loading:
    def __init__(
        self,
        engine,
        container,
        dump,
        database,
        exchange,
        inside=None,
        jobs=1,
        login=None,
        major=None,
        seconds=None,
        progress=None,
    ):
        self._engine, self._container, self._dump, self._exchange = engine, container, dump, exchange
        self._database, self._inside, self._jobs, self._login, self._major = database, inside, jobs, login, major
        self._deadline = time.monotonic() + (seconds or _NO_LIMIT)
        self._seconds = seconds
        self._progress = progress or (lambda done, total: None)
        self._left_out = {}

    def run(self):
        with self._shared() as directory:
            if not self._dump.archive:
                finished = self._through_pipe(directory, self._psql)
            else:
                finished = self._archive(directory)
        warnings = [line for line in finished.stderr.splitlines() if line.strip()]
        return Loaded(self._left_out, tuple(warnings[:20]))

    @contextlib.contextmanager
    def _shared(self):
        """A directory of this load's own in the exchange, as (path on the host, path in the container)."""
        token = secrets.token_hex(6)
        here = os.path.join(self._exchange.host, token)
        files.make_directory(self._exchange.host, 0o711)
        files.make_directory(here, 0o700, *self._reader)
        try:
            yield here, f"{self._exchange.container}/{token}"
        finally:
            files.remove_tree(here)
            files.remove_if_empty(self._exchange.host)

    @property
    def _reader(self):
        """The user and group that read the dump in the container."""
        return (self._login.uid, self._login.uid) if self._login else (self._exchange.uid, self._exchange.gid)

    def _psql(self, source):
        return ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", *self._target("-d"), "-f", source]

    def _target(self, option):
        return ["-U", self._login.role if self._login else SUPERUSER, "-w", option, self._database]

    def _archive(self, directory):
        arguments = []
        if self._login:
            arguments = ["--no-owner", "--no-acl", "--no-security-labels", "--no-tablespaces"]
            arguments += ["-L", self._listed(directory)]
        elif self._dump.kind == formats.DIRECTORY and self._inside is None:
            raise DatabaseError(f"{self._dump.path} is not to be seen in {self._container}")

        def restore(source):
            by_path = [] if source is None else [source]
            parallel = ["-j", str(self._jobs)] if self._jobs > 1 and source is not None else []
            kind = {formats.CUSTOM: "-Fc", formats.TAR: "-Ft", formats.DIRECTORY: "-Fd"}[self._dump.kind]
            return ["pg_restore", "--exit-on-error", kind, *self._target("-d"), *parallel, *arguments, *by_path]

        if self._inside is not None and self._dump.compression == "none":
            return self._execute(restore(self._inside))
        return self._through_pipe(directory, lambda source: ["sh", "-c", 'exec "$@" <"$0"', source, *restore(None)])

    def _listed(self, directory):
        """Write the list of what is loaded of an archive that is not trusted; return its path in the container."""
        kind = {formats.CUSTOM: "-Fc", formats.TAR: "-Ft", formats.DIRECTORY: "-Fd"}[self._dump.kind]
        entries, self._left_out = foreign.fitting_entries(self.listing(directory, kind))
        path = os.path.join(directory[0], "list")
        files.write(path, entries.encode("utf-8"), 0o400, *self._reader)
        return f"{directory[1]}/list"

    def listing(self, directory, kind):
        command = ["pg_restore", "-l", kind]
        if self._inside is not None and self._dump.compression == "none":
            return self._execute([*command, self._inside]).stdout

        def listed(source):
            return ["sh", "-c", 'exec "$@" <"$0"', source, *command]

        return self._through_pipe(directory, listed, whole=False).stdout

    def _through_pipe(self, directory, command, whole=True):
        """Run a command in the container that reads the dump from a pipe. whole: it reads it to its end."""
        pipe = os.path.join(directory[0], "pipe")
        os.mkfifo(pipe, 0o400)
        os.chown(pipe, *self._reader, follow_symlinks=False)
        try:
            filter_ = foreign.Filter(self._major) if self._filters else None
            feeder = Feeder(self._dump, pipe, filter_, self._prologue)
            finished = self._execute(command(f"{directory[1]}/pipe"), feeder, whole)
        finally:
            os.unlink(pipe)
        if self._filters and whole:
            self._left_out = feeder.filter.left_out
            if self._dump.marked and not feeder.filter.complete:
                raise DatabaseError(
                    f"{self._dump.path} is cut short: it does not have the words with which pg_dump ends"
                )
        return finished

    @property
    def _filters(self):
        return self._login is not None and not self._dump.archive

    @property
    def _prologue(self):
        # From here on psql refuses every command of its own: nobody knows the key to end that.
        return f"\\restrict {secrets.token_hex(32)}\n".encode("ascii") if self._filters else b""

    def _execute(self, command, feeder=None, whole=True):
        """Run a command in the container to its end, feeding it; return what it came to (Finished).

        Raises DatabaseError where it fails, or the feeder does.
        """
        user = f"{self._login.uid}:{self._login.uid}" if self._login else SUPERUSER
        options = _OPTIONS if self._login else _OPTIONS + _SUPERUSER_OPTIONS
        environment = {"PGOPTIONS": options, "PGAPPNAME": "vellaric restore", "HOME": "/nonexistent"}
        if self._login:
            environment["PGPASSFILE"] = PASSWORD_FILE + secrets.token_hex(8)
        shell = ["sh", "-c", WATCHED_LOGIN if self._login else WATCHED, "sh", *command]
        began = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with self._engine.open(self._container, shell, user, environment) as execution:
            if self._login:
                execution.send(password_line(self._login.password))
            try:
                finished = self._attend(execution, feeder)
                if feeder is not None:
                    feeder.check()
            finally:
                if feeder is not None:
                    feeder.stop()
        if finished.exit_code != 0:
            said = _said(finished)
            full = "" if _FULL in said or not self._disk_is_full(said, began) else f". {_FULL}: make room first"
            raise DatabaseError(f"{self._container}: the dump could not be loaded: {said}{full}")
        if feeder is not None and not self._dump.archive and not feeder.whole:
            raise DatabaseError(f"{self._container}: the load ended before {self._dump.path} did")
        return finished

    def _disk_is_full(self, said, began):
        """Say whether that is why a load failed, where the failure itself does not say it.

        A block that fits in only by half is told in other words (mdextend in src/backend/storage/smgr/md.c), and a
        server that ends for it, or cannot begin, tells its log.
        """
        logged = _FULL in self._engine.logs(self._container, 200, began)
        return "could not extend file" in said or logged or disk.space(self._exchange.host)["free_bytes"] < _PIECE

    def _attend(self, execution, feeder):
        """Wait for the end of a command, feed it, and say how far it is."""
        shown = time.monotonic()
        while True:
            if time.monotonic() > self._deadline:
                raise DatabaseError(f"{self._container}: the load was ended after {self._seconds:g} s (timeout)")
            fed = feeder is None or feeder.start_when_read()
            try:
                if not execution.receive(time.monotonic() + (_LOOK_EVERY if fed else _LOOK_SOON)):
                    if feeder is not None:
                        feeder.finish()
                    return execution.finish(time.monotonic() + 30)
            except socket.timeout:
                pass
            if feeder is not None:
                # What it has been given so far is not the whole: it must not come to a good end.
                feeder.check()
                if time.monotonic() - shown > 1.0:
                    shown = time.monotonic()
                    self._progress(feeder.position, self._dump.size_bytes)


def _said(finished):
    if "invalid command \\restrict" in finished.stderr:
        return "its psql is too old to know \\restrict, which guards against what is hidden in a dump: update the image"
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    marked = [line for line in lines if re.search(r"\b(ERROR|FATAL|PANIC|error):", line)]
    if not marked and finished.exit_code in (137, 143):
        return "the server's container, or the program that loads in it, was ended"
    said = (marked or lines or [f"exit code {finished.exit_code}, without a word"])[0]
    return re.sub(r"^psql:[^:]*:([0-9]+): ", r"line \1: ", said)
