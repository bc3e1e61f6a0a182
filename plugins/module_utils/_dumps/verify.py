# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that a backup can be restored: in a throw-away container from the same image, without a network.

Whatever the backup would run there, it can reach nothing; and what is found is compared with the manifest.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._backups import catalog, formats, room
from .._backups.check import find_damage
from .._backups.manifest import CHECK, VERIFICATION
from .._domain import clock, image_environment, labels, layout, names, tuning
from .._domain import container as containers
from .._domain.errors import DatabaseError, Undecided
from .._domain.show import size as shown_size
from .._host import files, images, locks
from .._server import answers, replacement, session, sql
from . import declared, dump_rules, exchange
from .compare import differences, take_census
from .filling import Filling

if TYPE_CHECKING:
    from .._backups.catalog import Backup
    from .._backups.manifest import Manifest
    from .._backups.target import Target
    from .._domain.facts import ImageFacts
    from .._host.engine import Engine

# On the throw-away containers of verifications, with the name of the database's container.
VERIFICATION_LABEL = labels.PREFIX + "verification"
_DIRECTORY = ".verify"
# The superuser comes in as the user of the operating system, and nobody else but who loads (server/loader).
_HBA = "local all postgres peer map=superuser\n"
_IDENT = "superuser postgres postgres\nsuperuser root postgres\n"
_HBA_FILE, _IDENT_FILE = "pg_hba.conf", "pg_ident.conf"
_START_SECONDS = 120
# Data and the log that the load writes, against what the database takes on its server.
_SPACE_FACTOR = 1.3
# A copy that is thrown away need not survive anything.
_PARAMETERS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "archive_mode": "off",
    "listen_addresses": "127.0.0.1",
    "max_wal_size": "1GB",
}


def verify(
    engine: Engine,
    target: Target,
    backup: Backup,
    jobs: int = 1,
    timeout: float = 86400,
    progress: Callable[[str], None] | None = None,
    wait_timeout: float = 0,
) -> list[str]:
    """Restore a backup into a throw-away container and write down what became of it; returns what differs.

    Another run that verifies a backup of this database is waited for; where it was this one, its answer is ours.
    Raises DatabaseError where it cannot be tried at all, for want of the image or of room, and locks.Busy.
    """
    progress = progress or (lambda text: None)
    lock = layout.verification_lock(target.data_root, target.container)
    asked = clock.iso(clock.utc_now())
    held = target.place.hold(backup)
    with locks.exclusive(lock, wait_timeout, f"a verification of {target.container}"), held as path:
        now = catalog.find(target.place, backup.file_name).manifest
        if now is not None and (now.verified_at or "") > asked:
            return []
        if now is not None and (now.failed_at or "") > asked and now.failure:
            return [now.failure]
        if backup.manifest is None:
            raise DatabaseError(f"{backup.file_name} cannot be verified: {backup.damage}")
        with answers.understood(f"{target.container}-verify"):
            return _Verification(engine, target, backup, backup.manifest, path, jobs, timeout, progress).run()


class _Verification:
    def __init__(
        self,
        engine: Engine,
        target: Target,
        backup: Backup,
        manifest: Manifest,
        path: str,
        jobs: int,
        timeout: float,
        progress: Callable[[str], None],
    ) -> None:
        self._engine, self._target, self._backup = engine, target, backup
        self._jobs, self._timeout, self._progress = jobs, timeout, progress
        self._manifest, self._path = manifest, path
        self._deadline = time.monotonic() + timeout
        self._container = f"{target.container}-verify"
        self._directory = os.path.join(target.data_root, _DIRECTORY, target.container)

    def run(self) -> list[str]:
        began = time.monotonic()
        self._clear()
        image = self._image()
        self._refuse_without_space()
        self._progress(f"{self._target.container}: reading {self._backup.file_name} to its end")
        damage, how = find_damage(self._target.place, self._backup, self._path)
        if damage is not None:
            return self._failed(damage, CHECK)
        try:
            self._start(image)
            wrong, notes, facts, counts = self._try(image)
        finally:
            self._clear()
        if wrong or facts is None or counts is None:
            return self._failed(
                f"the restored database differs from the backup: {'; '.join(wrong[:10])}", VERIFICATION, wrong
            )
        now = clock.iso(clock.utc_now())
        proof = {
            "image": self._manifest.image,
            "image_id": image.id,
            "server_version": facts["server_version"],
            "seconds": round(time.monotonic() - began, 1),
            "tables": len(counts),
            "rows": sum(counts.values()),
            "rows_compared": self._manifest.row_counts is not None,
            "objects": sum(number for kind, number in facts["objects"].items() if kind != "comments"),
            "notes": notes,
        }
        changes = {"checked_at": now, "checked_how": how, "failure": None, "failed_at": None, "failed_how": None}
        self._target.place.revise(self._backup, verified_at=now, verified_how=proof, **changes)
        return []

    def _failed(self, failure: str, how: str, wrong: list[str] | None = None) -> list[str]:
        found = {"failure": failure, "failed_at": clock.iso(clock.utc_now()), "failed_how": how}
        self._target.place.revise(self._backup, **found, verified_at=None, verified_how=None)
        return wrong or [failure]

    def _clear(self) -> None:
        """Remove what this, or a verification that was killed, has made."""
        self._engine.remove(self._container)
        files.remove_tree(self._directory)

    def _image(self) -> ImageFacts:
        """Return the ImageFacts of the image that the backup was taken with, or of what its name is now."""
        for reference in (self._manifest.image_id, self._manifest.image):
            inspected = self._engine.inspect_image(reference)
            if inspected is not None:
                cache = layout.image_cache(self._target.data_root)
                return images.describe(self._engine, inspected, self._manifest.image, cache, remember=True)
        raise DatabaseError(
            f"{self._backup.file_name} was taken with image {self._manifest.image}, which is not on this host: pull or"
            " build it (role vellaric.postgres.image), then verify again"
        )

    def _refuse_without_space(self) -> None:
        files.make_directory(self._directory, 0o755)
        expected = int(self._manifest.database_size_bytes * _SPACE_FACTOR) + (64 << 20)
        what = f"The verification of {self._backup.file_name}"
        room.refuse_without_space(self._directory, expected, what)

    def _start(self, image: ImageFacts) -> None:
        pgdata = os.path.join(self._directory, "pgdata")
        files.make_directory(pgdata, 0o700, image.uid, image.gid)
        for name, text in ((_HBA_FILE, _HBA), (_IDENT_FILE, _IDENT)):
            files.write(os.path.join(self._directory, name), text.encode("ascii"), 0o400, image.uid, image.gid)
        config = self._target.facts.config if self._target.facts else None
        # As the database's own, whose image may have to write elsewhere.
        read_only = config.read_only if config else True
        parameters = {**_PARAMETERS, "shared_preload_libraries": self._manifest.preload}
        if config and config.memory:
            # Within the same limit, whatever the image's default is.
            parameters["shared_buffers"] = tuning.derive(min(config.memory, 1 << 30))["shared_buffers"]
        parameters["hba_file"] = f"{containers.HOME_MOUNT}/{_HBA_FILE}"
        parameters["ident_file"] = f"{containers.HOME_MOUNT}/{_IDENT_FILE}"
        command = ["postgres"]
        for name, value in parameters.items():
            command += ["-c", f"{name}={value}"]
        environment = {
            **image_environment.kept_off(image.environment),
            "PGDATA": containers.pgdata(image.major),
            "POSTGRES_INITDB_ARGS": "--auth-local=peer --auth-host=reject --no-sync",
            "POSTGRES_PASSWORD": names.new_password(),
        }
        mounts = (
            (pgdata, containers.DATA_MOUNT, False),
            (self._directory, containers.HOME_MOUNT, True),
            (os.path.dirname(self._path), containers.BACKUP_MOUNT, True),
        )
        arguments = {
            "Image": image.id,
            "Cmd": command,
            "Env": containers.variables(environment),
            "Labels": {VERIFICATION_LABEL: self._target.container},
            "HostConfig": {
                "NetworkMode": "none",
                "Mounts": [
                    {"Type": "bind", "Source": source, "Target": inside, "ReadOnly": read_only}
                    for source, inside, read_only in mounts
                ],
                **containers.confinement(read_only, containers.in_memory(read_only, image.volumes)),
                "PidsLimit": config.pids_limit if config and config.pids_limit else tuning.LEAST_PROCESSES,
                "ShmSize": config.shm_size if config else 256 << 20,
                "Memory": (config.memory if config else None) or 0,
                "MemorySwap": (config.memory if config else None) or 0,
                "NanoCpus": (config.nano_cpus if config else None) or 0,
                "RestartPolicy": {"Name": "no"},
            },
        }
        self._progress(f"{self._target.container}: starting {self._manifest.image} without a network")
        self._engine.create(self._container, arguments)
        self._engine.start(self._container)
        session.wait_until_ready(self._engine, self._container, "postgres", session.SUPERUSER, _START_SECONDS)

    def _try(self, image: ImageFacts) -> tuple[list[str], list[str], dict[str, Any] | None, dict[str, int] | None]:
        manifest, database = self._manifest, self._manifest.name
        owner = manifest.database["owner"]
        self._make_roles()
        shared = exchange.of(self._directory, image)
        hba = os.path.join(self._directory, _HBA_FILE)
        fill = Filling(self._engine, self._container, database, shared, image, self._sql, hba, self._remaining)
        try:
            fill.begin(manifest.database["encoding"], manifest.database["locale"], self._jobs)
            known = json.loads(self._sql(replacement.EXTENSIONS))
            path = declared.search_path(manifest.database, owner)
            fill.load(
                formats.detect(self._path),
                dump_rules.OWN,
                f"{containers.BACKUP_MOUNT}/{self._backup.file_name}",
                self._jobs,
                frozenset(name for name in manifest.extensions if not known.get(name)),
                path,
                self._say,
                backup=True,
            )
            facts, counts = take_census(self._engine, self._container, database, self._deadline)
            wrong, notes = differences(manifest, facts, counts)
            notes += fill.refresh(path)
            notes += fill.hand_over(owner, owner, manifest.superusers_own)
            fill.grant()
            fill.give_to(owner)
            self._sql(replacement.settings(database, manifest.database, owner, owner))
        except DatabaseError as error:
            self._refuse_if_ended(error)
            if isinstance(error, Undecided):
                raise
            return [error.message.replace(self._container, "the throw-away server")], [], None, None
        return wrong, notes, facts, counts

    def _refuse_if_ended(self, error: DatabaseError) -> None:
        """What ended the container, or took too long, says nothing against the backup."""
        state = (self._engine.inspect(self._container) or {}).get("State", {})
        if state.get("Status") != "running" or time.monotonic() > self._deadline:
            why = "ended by the OOM killer" if state.get("OOMKilled") else f"({error.message})"
            raise DatabaseError(
                f"The verification of {self._backup.file_name} did not finish: its temporary container was ended,"
                f" or it took too long {why}. The backup may be good: verify it again"
            )

    def _make_roles(self) -> None:
        there = json.loads(self._sql(replacement.ROLES))
        owner = self._manifest.database["owner"]
        text = self._target.place.read_roles(self._backup) or f"CREATE ROLE {sql.identifier(owner)};"
        roles, script, _left_out = replacement.missing_roles(text, there, credentials=False)
        if roles:
            self._sql(script)
        for number, shown in enumerate(replacement.tablespaces(text)):
            place = f"{containers.DATA_MOUNT}/tablespaces/{number}"
            self._sql(f"\\! mkdir -p -m 700 {place}\nCREATE TABLESPACE {shown} LOCATION '{place}';\n")

    def _sql(self, script: str, database: str = session.SUPERUSER) -> str:
        return session.psql(self._engine, self._container, script, self._remaining(), database)

    def _remaining(self) -> float:
        return max(1.0, self._deadline - time.monotonic())

    def _say(self, done: int, total: int) -> None:
        self._progress(f"{self._target.container}: {shown_size(done)} of {shown_size(total)} loaded")
