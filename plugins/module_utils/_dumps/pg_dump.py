# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs pg_dump in the container, and takes in what it writes.

Plain SQL comes out of the container by a named pipe in the mounted directory, and is compressed on the host where that
is faster; archives pg_dump writes itself. Nothing passes through the engine but commands and what they complain of.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .._backups import dump_options, entries, naming, stream
from .._backups.check import sums
from .._domain.container import BACKUP_MOUNT
from .._domain.errors import DatabaseError
from .._domain.show import size as shown_size
from .._host import cgroups, heartbeat
from .._host.execution import Finished
from .._server.session import SUPERUSER, psql

if TYPE_CHECKING:
    from .._backups.check import Summed
    from .._backups.stage import Stage
    from .._backups.target import Running
    from .._host.engine import Engine
    from .._host.execution import Execution
    from .snapshot import Snapshot

_PROGRESS_SECONDS = 10
# To end by itself when told to, before it is killed (the script below), and for the engine to say so.
_GRACE = 30
_NOTICED = 3

# A server process that waits for a lock does not notice that its client has gone: it is told.
_TERMINATE = """psql -XAtq -U postgres -d postgres -c "SELECT pg_catalog.pg_terminate_backend(pid)
  FROM pg_catalog.pg_stat_activity WHERE application_name = '$PGAPPNAME' AND pid <> pg_catalog.pg_backend_pid()\""""

# Who keeps pg_dump from locking a table.
_HOLDERS = """SET search_path = '';
SELECT pg_catalog.format('%s of %s (process %s) holds ACCESS EXCLUSIVE on %s',
    coalesce(nullif(application_name, ''), 'a session'), usename, pid, relation::pg_catalog.regclass)
  FROM pg_catalog.pg_locks JOIN pg_catalog.pg_stat_activity USING (pid)
  WHERE mode = 'AccessExclusiveLock' AND granted AND locktype = 'relation' AND relation >= 16384
  AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
  ORDER BY state_change;
"""


class Dumping:
    """One dump. environment: of what runs in the container; expected: its size, as far as one can tell before."""

    def __init__(
        self,
        engine: Engine,
        target: Running,
        stage: Stage,
        options: dump_options.Options,
        deadline: float,
        environment: dict[str, str],
        expected: int,
        progress: Callable[[str], None],
        warnings: list[str],
    ) -> None:
        self._engine, self._target, self._options, self._progress = engine, target, options, progress
        self._container, self._stage = target.container, stage
        self._deadline, self._environment, self._expected = deadline, environment, expected
        self._warnings = warnings
        self._shown = time.monotonic()
        self._killed_before = self._killed()

    def run(self, name: str, snapshot: Snapshot) -> Summed:
        """Have the dump written under its partial name; returns (sha256, size, files, how it was checked)."""
        piped = self._options.format == "plain" and self._make_pipe(name)
        fast = stream.fast_gzip() if piped and self._options.compression == "gzip" else None
        compressor = fast if self._options.level is None else None
        inside = f"{BACKUP_MOUNT}/{naming.WORK}/{name}"
        command = heartbeat.command(self._command(snapshot, inside, compressor is not None), after=_TERMINATE)
        count = snapshot.count_rows if self._options.row_counts else (lambda: None)
        summed: Summed | None = None
        with self._engine.open(self._container, command, SUPERUSER, self._environment) as execution:
            try:
                if piped:
                    summed = self._receive(name, execution, compressor, count)
                else:
                    self._await_file(name, execution, count)
            except BaseException:
                heartbeat.end(execution, _GRACE)
                raise
        if summed is None:
            path = self._stage.take_in(name)
            self._progress(f"{self._container}: reading the backup once to its end")
            marked = self._options.format == "plain"
            summed = sums(path, self._options.compression, marked, f"The backup of {self._container}")
        return summed

    def _make_pipe(self, name: str) -> bool:
        """Make the named pipe; False where the file system has none (then pg_dump writes a file)."""
        path = os.path.join(self._stage.work, name)
        try:
            os.mkfifo(path, 0o600)
        except OSError:
            return False
        with entries.errors("make", path):
            os.chown(path, self._stage.uid, self._stage.gid, follow_symlinks=False)
        return True

    def _command(self, snapshot: Snapshot, path: str, compressed_outside: bool) -> list[str]:
        options = self._options
        command = ["pg_dump", "-U", SUPERUSER, "-w", "-d", self._target.name, f"--snapshot={snapshot.name}", "-f", path]
        # The database's own: what it holds need not be right in another one.
        command += [f"--encoding={snapshot.facts['database']['encoding']}"]
        command += [f"--lock-wait-timeout={options.lock_timeout * 1000}", f"-F{options.format[0]}"]
        if options.format == "directory":
            command += [f"--jobs={options.jobs}"]
        if compressed_outside or options.compression == "none":
            return [*command, "-Z0"]
        level = options.level or 1
        if options.compression == "gzip":
            return [*command, f"-Z{level}"]
        return [*command, f"--compress={options.compression}:{level}"]

    def _receive(
        self, name: str, execution: Execution, compressor: list[str] | None, started: Callable[[], None]
    ) -> Summed:
        """Take the dump in from the pipe, through the compressor, into the partial file."""
        pipe = self._open_pipe(os.path.join(self._stage.work, name))
        path = self._stage.partial(name)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, pipe)
            stream.widen(pipe)
            if self._await_writer(pipe, execution):
                started()
            else:
                self._refuse_failure(execution)
            os.set_blocking(pipe, True)
            source = pipe
            if compressor:
                process = subprocess.Popen(compressor, stdin=pipe, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                stack.callback(_end_process, process)
                source = stream.pipe_of(process.stdout).fileno()
                stream.widen(source)
            with entries.errors("write", path):
                output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, output)
            checker = stack.enter_context(stream.checker(self._options.compression, True))
            begun = 0
            for data in self._pieces(source, execution):
                with entries.errors("write", path):
                    stream.write_all(output, data)
                checker.feed(data)
                if checker.size - begun >= stream.STRIDE:
                    stream.begin_writing(output, begun)
                    begun = checker.size
                self._say(checker.size)
            if compressor and process.wait() != 0:
                said = stream.pipe_of(process.stderr).read().decode("utf-8", "replace").strip()
                raise DatabaseError(f"{self._container}: {compressor[0]} failed: {said or process.returncode}")
            with entries.errors("write", path):
                os.fchown(output, 0, self._stage.gid)
                os.fchmod(output, 0o640)
                os.fsync(output)
            # A dump that failed says more than that it ends too early.
            self._refuse_failure(execution)
            checker.finish(f"The backup of {self._container}")
            if os.fstat(output).st_size != checker.size:
                raise DatabaseError(f"{path} does not have the size that was written to it")
            return checker.sha256, checker.size, {}, f"{checker.how} while it was written"

    @staticmethod
    def _open_pipe(path: str) -> int:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DatabaseError(f"{path} is no longer the pipe that was made there")
        return descriptor

    def _await_writer(self, pipe: int, execution: Execution) -> bool:
        """Wait until pg_dump writes; False where it ended without. Without a writer, to read would be the end."""
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        poll.register(execution.fileno(), select.POLLIN)
        while True:
            ready = dict(poll.poll(self._patience()))
            if pipe in ready:
                return True
            if ready and not execution.receive(self._deadline):
                return False
            execution.look()

    def _pieces(self, source: int, execution: Execution) -> Iterator[bytes]:
        """Yield what comes from a pipe until its end, and hear what pg_dump complains of meanwhile."""
        poll = select.poll()
        poll.register(source, select.POLLIN)
        poll.register(execution.fileno(), select.POLLIN)
        while True:
            ready = dict(poll.poll(self._patience()))
            if execution.fileno() in ready and not execution.receive(self._deadline):
                poll.unregister(execution.fileno())
            if source in ready:
                data = os.read(source, stream.CHUNK)
                if not data:
                    return
                yield data
            elif not ready:
                execution.look()

    def _await_file(self, name: str, execution: Execution, started: Callable[[], None]) -> None:
        """Wait for the end of a dump that pg_dump writes by itself."""
        begun = False
        path = os.path.join(self._stage.work, name)
        contents = os.path.join(path, "toc.dat") if self._options.format == "directory" else path
        while True:
            try:
                if not execution.receive(min(self._deadline, time.monotonic() + (0.5 if begun else 0.02))):
                    break
            except socket.timeout:
                self._patience()
            # It writes the list of contents when it has locked all tables.
            if not begun and _file_size(contents):
                begun = True
                started()
            for entry in _files(path):
                _begin_writing(entry)
            self._say(lambda: sum(_file_size(entry) for entry in _files(path)))
        self._refuse_failure(execution)
        if not begun:
            # A small one is written before one sees it.
            started()

    def _patience(self) -> int:
        """Return the milliseconds to wait at most. Raises socket.timeout where all the time is over."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise socket.timeout()
        return int(min(remaining, 1.0) * 1000) + 1

    def _say(self, size: int | Callable[[], int]) -> None:
        if time.monotonic() - self._shown >= _PROGRESS_SECONDS:
            self._shown = time.monotonic()
            size = size() if callable(size) else size
            expected = shown_size(self._expected)
            self._progress(f"{self._container}: {shown_size(size)} written, of about {expected}")

    def _refuse_failure(self, execution: Execution) -> None:
        finished = execution.finish(self._deadline)
        if finished.exit_code == 0:
            if finished.stderr.strip():
                self._warnings += finished.stderr.strip().splitlines()[:20]
            return
        status = self._status(finished)
        if status != "running":
            raise DatabaseError(
                f"{self._container} was stopped while its backup was taken (it is {status}): the backup was removed"
            )
        raise DatabaseError(
            f"{self._container}: {self._reason(finished)}. The backup was removed",
            said=finished.stderr.splitlines()[:20],
        )

    def _status(self, finished: Finished) -> str:
        """Return the container's status; where its server went, the engine says so a moment later."""
        went = finished.exit_code > 128 or "terminating connection" in finished.stderr or "closed" in finished.stderr
        deadline = time.monotonic() + (_NOTICED if went else 0)
        while True:
            facts = self._engine.inspect(self._container)
            status: str = (facts or {}).get("State", {}).get("Status", "removed")
            if status != "running" or time.monotonic() >= deadline:
                return status
            time.sleep(0.1)

    def _reason(self, finished: Finished) -> str:
        text = finished.stderr
        if "LOCK TABLE" in text and "timeout" in text:
            return (
                f"{self._holders() or 'another session holds ACCESS EXCLUSIVE on a table'}, and did not release it"
                f" within {self._options.lock_timeout} s (lock_timeout): end that session, or raise lock_timeout"
            )
        if "does not support compression" in text or "not supported by this build" in text:
            return f"its pg_dump was built without {self._options.compression}: use compression: gzip"
        if self._killed_before is not None and (self._killed() or 0) > self._killed_before:
            return (
                f"its memory was not enough{_of_table(text)}, so that the kernel ended a process of it. A large row is"
                " there several times while it is dumped: give the database more memory, and take the backup again"
            )
        return too_large(text) or words(finished)

    def _killed(self) -> int | None:
        """Return how many processes of the container the OOM killer has ended, where it says so."""
        sample = cgroups.sample(self._target.facts.pid)
        return sample.oom_kills if sample else None

    def _holders(self) -> str | None:
        """Say who has locked which table exclusively, and still does."""
        try:
            lines = psql(self._engine, self._container, _HOLDERS, 10, self._target.name).splitlines()
        except DatabaseError:
            return None
        return ", ".join(lines[:3]) if lines else None


# In English, since that is what we have the server and its tools speak (session.environment): pg_dump gives no codes.
_TOO_LARGE = re.compile(r"invalid memory alloc request size|Cannot enlarge string buffer|string buffer exceeds maximum")
_COPIED = re.compile(r"^pg_dump: .*COPY (.+?) \(.*\) TO stdout;", re.M)


def too_large(said: str) -> str | None:
    """Return what pg_dump complains of where a row is too large for any dump, or None where that is not it."""
    if not _TOO_LARGE.search(said):
        return None
    table = _COPIED.search(said)
    of = table.group(1) if table else "a table"
    return (
        f"a row of {of} is larger as text than PostgreSQL can write (1 GB; bytea takes"
        " twice its size there), so that no dump can hold it: look for it by octet_length() of its largest columns, and"
        " split it, or keep it as a large object or outside of the database"
    )


def words(finished: Finished) -> str:
    lines = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
    return f"pg_dump ended with exit code {finished.exit_code}: {'; '.join(lines[:3]) if lines else 'it was killed'}"


def _of_table(said: str) -> str:
    table = _COPIED.search(said)
    return f" to dump {table.group(1)}" if table else ""


def _end_process(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _begin_writing(path: str) -> None:
    # The directory is the server's user's: what is there now may be anything.
    with contextlib.suppress(OSError, DatabaseError):
        descriptor = entries.open_entry(path)
        try:
            stream.begin_writing(descriptor)
        finally:
            os.close(descriptor)


def _file_size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def _files(path: str) -> list[str]:
    try:
        return [os.path.join(path, entry) for entry in os.listdir(path)]
    except OSError:
        return [path]
