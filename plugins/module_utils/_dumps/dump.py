# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a backup: a dump at a snapshot that the rows are counted at too, the roles, and the manifest of it all."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._backups import catalog, dump_options, formats, naming, room, seal
from .._backups.manifest import Manifest, text_sum
from .._backups.target import refuse_unless_backed_up
from .._domain import clock
from .._domain.errors import DatabaseError
from .._server import answers
from .._server.session import SUPERUSER, environment, psql
from .._server.sql import literal
from . import snapshot as snapshots
from .pg_dump import Dumping

if TYPE_CHECKING:
    from .._backups.catalog import Backup
    from .._backups.check import Summed
    from .._backups.stage import Stage
    from .._backups.target import Running, Target
    from .._host.engine import Engine

# What sessions of a backup are called on the server: under the lock of the backups, all that are there are stale.
APPLICATION = "vellaric backup "


def take(
    engine: Engine, target: Target, options: dump_options.Options, progress: Callable[[str], None] | None = None
) -> tuple[Backup, list[str]]:
    """Take a backup, check it and return it as a catalog.Backup, with the warnings it came with.

    The caller holds layout.backup_lock. progress: called with a line of text now and then. Raises DatabaseError; there
    is then nothing of it left.
    """
    running = refuse_unless_backed_up(target)
    dump_options.refuse(options, running.image.major)
    formats.refuse_what_stays_closed(options.format, options.compression)
    with answers.understood(running.container):
        return _Taking(engine, running, options, progress or (lambda text: None)).run()


class _Taking:
    def __init__(
        self, engine: Engine, target: Running, options: dump_options.Options, progress: Callable[[str], None]
    ) -> None:
        self._engine, self._target, self._options, self._progress = engine, target, options, progress
        self._container, self._place = target.container, target.place
        self._deadline = time.monotonic() + options.timeout
        self._application = APPLICATION + secrets.token_hex(6)
        self._warnings: list[str] = []

    def run(self) -> tuple[Backup, list[str]]:
        began = time.monotonic()
        target, options = self._target, self._options
        self._end_stale()
        try:
            with self._place.stage(target.image.uid, target.image.gid) as stage:
                earlier = self._place.backups()
                name, moment = self._name(earlier)
                with self._snapshot() as snapshot:
                    facts = snapshot.facts
                    expected = room.expected_size(
                        earlier, options.format, options.compression, facts["database_size_bytes"]
                    )
                    room.refuse_without_space(stage.directory, expected, f"The backup of {self._container}")
                    summed = self._dumping(stage, expected).run(name, snapshot)
                    row_counts = snapshot.row_counts()
                globals_text, dump_version = self._globals()
                manifest = self._manifest(name, moment, earlier, facts, summed, row_counts, globals_text)
                manifest = dataclasses.replace(
                    manifest, dump_version=dump_version, duration_seconds=round(time.monotonic() - began, 3)
                )
                self._place.publish(stage, seal.sealed(manifest, target.data_root), globals_text)
        except socket.timeout:
            raise DatabaseError(
                f"The backup of {self._container} was not finished after {options.timeout} s: it was"
                " cancelled and removed. Raise timeout, or use format: directory with jobs"
            ) from None
        return catalog.find(self._place, name), self._warnings

    def _end_stale(self) -> None:
        """End what a killed run has left on the server, where the container did not do so itself."""
        psql(
            self._engine,
            self._container,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            f" WHERE starts_with(application_name, {literal(APPLICATION)});\n",
        )

    def _name(self, earlier: Sequence[Backup]) -> tuple[str, datetime.datetime]:
        """Choose a name: that of this second, or of the next that is free."""
        now = clock.utc_now()
        moment = naming.free_moment(self._container, [backup.file_name for backup in earlier], now)
        wait = (moment - now).total_seconds()
        if 0 < wait <= 1:
            time.sleep(wait)
        if earlier and earlier[-1].created_at > clock.iso(moment):
            self._warnings.append(
                f"the clock of the host says {clock.iso(moment)}, which is before the last backup"
                f" ({earlier[-1].file_name}): this one still counts as the newest"
            )
        return naming.file_name(self._container, moment, self._options.format, self._options.compression), moment

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[snapshots.Snapshot]:
        command = ["psql", "-XAtq", "-v", "VERBOSITY=terse", "-v", "ON_ERROR_STOP=1", "-U", SUPERUSER]
        command += ["-d", self._target.name, "-f", "-"]
        with self._engine.open(self._container, command, SUPERUSER, self._environment) as execution:
            yield snapshots.Snapshot(execution, self._container, self._deadline, self._warnings)

    def _dumping(self, stage: Stage, expected: int) -> Dumping:
        return Dumping(
            self._engine,
            self._target,
            stage,
            self._options,
            self._deadline,
            self._environment,
            expected,
            self._progress,
            self._warnings,
        )

    @property
    def _environment(self) -> dict[str, str]:
        return {"PGAPPNAME": self._application, **environment(self._target.image.major)}

    def _globals(self) -> tuple[str, str]:
        """Return the roles of the server with their settings as SQL, and the version of its pg_dump."""
        command = ["sh", "-c", f"pg_dump --version && exec pg_dumpall -U {SUPERUSER} -w --globals-only"]
        finished = self._engine.execute(
            self._container, command, SUPERUSER, "", max(1.0, self._deadline - time.monotonic()), self._environment
        )
        if finished.exit_code != 0:
            raise DatabaseError(f"{self._container}: its roles could not be dumped: {finished.stderr.strip()}")
        version, text = finished.stdout.split("\n", 1)
        return text, re.sub(r"^.*\) ", "", version).strip()

    def _manifest(
        self,
        name: str,
        moment: datetime.datetime,
        earlier: Sequence[Backup],
        facts: Mapping[str, Any],
        summed: Summed,
        row_counts: dict[str, int] | None,
        globals_text: str,
    ) -> Manifest:
        target, options = self._target, self._options
        sha256, size, files, how = summed
        return Manifest(
            container=self._container,
            database_id=target.record.id or "",
            name=target.name,
            environment=target.environment,
            file_name=name,
            format=options.format,
            compression=options.compression,
            size_bytes=size,
            sha256=sha256,
            files=files,
            created_at=clock.iso(moment),
            duration_seconds=0.0,
            sequence=max([backup.sequence for backup in earlier], default=0) + 1,
            server_version=facts["server_version"],
            dump_version="",
            image=target.facts.declared_image or target.image.id,
            image_id=target.image.id,
            database=facts["database"],
            extensions=facts["extensions"],
            objects=facts["objects"],
            row_counts=row_counts,
            database_size_bytes=facts["database_size_bytes"],
            taken_by=options.taken_by,
            preload=facts["preload"],
            superusers_own=facts["superusers_own"],
            globals_sha256=text_sum(globals_text),
            checked_at=clock.iso(clock.utc_now()),
            checked_how=how,
        )
