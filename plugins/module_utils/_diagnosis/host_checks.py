# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds before any server can run: the engine, the record, disks, the data, the image. Pure."""

from __future__ import annotations

from .._domain import show
from . import logs
from .judgement import Check, Outcome, fails, holds, unknown, warns
from .nouns import Facts

# A server needs room for a segment of its log to go on at all.
_LEAST_FREE = 20 << 20
_LITTLE = 0.1
_PREPARE = "ansible-playbook vellaric.postgres.prepare"


def _engine(facts: Facts) -> Outcome:
    engine = facts.engine
    if engine.kind == "answers":
        return holds("it answers")
    said = f"{engine.words}" + (f" (docker.service: {engine.service})" if engine.service else "")
    lines = logs.of_engine(engine.log)
    if engine.kind == "none":
        return fails(said, "There is no Docker Engine on this host.", _PREPARE)
    if engine.kind == "library":
        return fails(said, "The Python library docker is missing on this host, or too old.", _PREPARE)
    if engine.kind == "permission":
        return fails(said, "The user who runs this has no access to the engine.", "run it again with -b (become: true)")
    if engine.kind == "silent":
        fix = "systemctl restart docker (containers are started again automatically)"
        return fails(said, "The engine accepts connections, but does not answer: it hangs.", fix, lines)
    if engine.service == "masked":
        return fails(
            said,
            "The engine's service is masked, so that it cannot be started.",
            "systemctl unmask docker && systemctl start docker",
        )
    broken = engine.service is not None and engine.service.startswith("failed")
    cause = (
        "The engine exits when it is started: see its log." if broken else "The engine is installed, but does not run."
    )
    fix = (
        "journalctl -u docker -n 50; fix what it says; systemctl restart docker" if broken else "systemctl start docker"
    )
    return fails(said, cause, fix, lines)


def _usable(facts: Facts) -> Outcome:
    if facts.engine.unusable is None:
        return holds()
    if facts.container is not None and not facts.ours:
        return holds("any engine will do for a container that is not managed by this collection")
    return fails(
        facts.engine.unusable, "The engine is configured so that it cannot run databases of this collection.", _DAEMON
    )


_DAEMON = "remove the setting from /etc/docker/daemon.json, and systemctl restart docker; or use another host"


def _known(facts: Facts) -> Outcome:
    subject = facts.subject
    if facts.record_error is not None:
        return fails(
            facts.record_error,
            "Its record (database.json) is damaged; the database itself is not affected.",
            f"move {facts.data_root}/{subject.container}/database.json away, then: {facts.create()}",
        )
    if facts.recorded and facts.container is not None and facts.container.config is None:
        who = f": {facts.manager} made it" if facts.manager else ""
        return fails(
            f"container {facts.container.name} has no label of this collection",
            f"Another container has the name of the database's container{who}; clients do not reach the database.",
            f"remove it there, docker rm -f {facts.container.name}, then: {facts.create()}",
        )
    if facts.recorded:
        return holds("it is managed by this collection")
    if facts.ours:
        return fails(
            "its container is there, its record (database.json) is not",
            "Its record, which has what was declared, was removed.",
            facts.create(),
        )
    if facts.container is not None:
        fix = (
            subject.play("adopt")
            if subject.name
            else "docker rename it to NAME-ENVIRONMENT-postgres, then playbook adopt"
        )
        return warns(
            "it has neither a record nor labels of this collection",
            "The container is not managed by this collection"
            + (f", but by {facts.manager}." if facts.manager else "."),
            fix,
        )
    if facts.deleted is not None:
        return fails(f"it is in the trash since {facts.deleted}", "It was deleted.", subject.play("undelete"))
    return fails(
        f"there is no container {subject.container}, and no record below {facts.data_root}",
        "There is no such database on this host: it was never created, or its creation was refused.",
        facts.create() if subject.name else "docker ps -a",
    )


def _disk(facts: Facts) -> Outcome:
    if not facts.disks:
        return unknown("the file systems could not be asked")
    shown = "; ".join(
        f"{disk.what} ({disk.path}): {show.size(disk.free)} of {show.size(disk.total)} free" for disk in facts.disks
    )
    fix = "free space (df -h, docker system df) or enlarge the disk"
    after = f", then: {facts.subject.play('start')}" if facts.ours and not _runs(facts) else ""
    for disk in facts.disks:
        if disk.what == "the backups":
            continue
        if disk.read_only:
            cause = f"The file system of {disk.what} is mounted read-only, as the kernel does after disk errors."
            return fails(shown, cause, f"dmesg | tail; check the disk; mount -o remount,rw {disk.path}")
        if disk.free < _LEAST_FREE:
            lines = tuple(line for line in facts.log if "No space left" in line)[-3:]
            return fails(
                shown, f"The disk of {disk.what} is full: the server stops without free space.", fix + after, lines
            )
        if disk.inodes and not disk.inodes_free:
            cause = f"The disk of {disk.what} has free space, but no inodes left: no file can be created."
            return fails(f"{shown}; 0 of {disk.inodes} inodes free", cause, f"remove files (df -i){after}")
    for disk in facts.disks:
        if disk.what == "the backups" and disk.free < _LEAST_FREE:
            return warns(
                shown, "The disk of the backups is full: the next backup will fail.", facts.subject.play("prune")
            )
        if disk.free < _LITTLE * disk.total:
            return warns(shown, f"The disk of {disk.what} is nearly full.", fix)
    return holds(shown)


def _runs(facts: Facts) -> bool:
    return facts.container is not None and facts.container.running


def _data(facts: Facts) -> Outcome | None:
    data = facts.data
    if data is None:
        return None
    if data.missing is not None:
        return fails(
            f"{data.missing} is not there",
            "A mount of the container is missing: a disk is not mounted, or a directory was removed.",
            f"mount it again (mount -a), or put the directory back; else: {_restore(facts)}",
        )
    if data.rivals:
        return fails(
            f"{', '.join(data.rivals)} mounts {data.path}, too",
            "Another container uses the same data directory: two servers on it destroy it.",
            f"docker stop {data.rivals[0]}, and find out who started it",
        )
    if data.path is None:
        return warns(
            "its data is neither in a directory of the host nor on a volume",
            "The data is inside the container, and would be lost with it.",
            "dump it (docker exec ... pg_dump), and import it into a database of its own: playbook import",
        )
    if not data.there:
        return _no_data(facts)
    if data.major is not None and data.wanted_major is not None and data.major != data.wanted_major:
        return fails(
            f"{data.path} is of PostgreSQL {data.major}, the container's server is {data.wanted_major}",
            "The image and the data have different major versions.",
            facts.create(database_image=f"an image of PostgreSQL {data.major}"),
        )
    if data.uid != data.files_uid and data.files_uid is not None:
        return fails(
            f"{data.path} belongs to user {data.uid}, the files in it to {data.files_uid}",
            "The data directory does not belong to the server's user: its owner was changed.",
            f"chown -R {data.files_uid}:{data.files_uid} {data.path}, then: {_start(facts)}",
        )
    if data.mode is not None and data.mode & 0o027:
        return fails(
            f"{data.path} has mode {data.mode:04o}",
            "Other users have access to the data directory: the server refuses to start.",
            f"chmod 0700 {data.path}, then: {_start(facts)}",
        )
    if not _runs(facts):
        hint = logs.reason(facts.log)
        if hint is not None and hint[0] in ("data", "version"):
            return fails(
                hint[1], "Files of the server are missing, damaged or unreadable.", _restore(facts), (hint[1],)
            )
    return holds(f"{data.path}" + (f", PostgreSQL {data.major}" if data.major else ""))


def _no_data(facts: Facts) -> Outcome | None:
    data = facts.data
    if data is None or (facts.container is None and not facts.recorded):
        return None
    if facts.recorded and facts.initialised:
        return fails(
            f"{data.path} holds no database",
            "The data is missing: a disk is not mounted, or files were removed.",
            f"mount it again (mount -a); else: {_restore(facts)}",
        )
    if data.half_made:
        return warns(
            f"{data.path} holds the beginning of a database",
            "Its first start was interrupted, or is in progress; it has no data yet.",
            facts.create(),
        )
    return holds("its first start is still to come")


def _restore(facts: Facts) -> str:
    return facts.subject.play("restore") if facts.ours else "restore a backup of it"


def _start(facts: Facts) -> str:
    return facts.subject.play("start") if facts.ours else f"docker start {facts.subject.container}"


def _image(facts: Facts) -> Outcome | None:
    if facts.image_there is None or (not facts.recorded and facts.container is None):
        return None
    if facts.image_there:
        return holds(facts.image or "")
    return fails(
        f"image {facts.image} is not on this host",
        "Its image was removed, or could not be pulled: no container can be created without it.",
        f"docker pull {facts.image}, or build it (role vellaric.postgres.image), then: {facts.create()}",
    )


CHECKS = (
    Check("engine", "A Docker Engine answers on this host", _engine),
    Check("engine_usable", "The engine can run databases of this collection", _usable, needs=("engine",)),
    Check("disk", "There is free space on the disks", _disk),
    Check("known", "The database is known to this collection", _known, needs=("engine",), follows=("engine",)),
    Check(
        "data",
        "Its data is there and complete, and nothing else uses it",
        _data,
        needs=("engine",),
        follows=("disk", "known"),
    ),
    Check("image", "Its image is on this host", _image, needs=("engine",)),
)
