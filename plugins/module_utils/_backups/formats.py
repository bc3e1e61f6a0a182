# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dump is, told by its content: a name says what somebody thought that it was."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import typing

from .._domain.errors import DatabaseError, Refused, Undecided
from . import unpack
from .manifest import major_of

HEAD = 64 << 10
PLAIN, CUSTOM, TAR, DIRECTORY = "plain", "custom", "tar", "directory"
DIRECTORY_CONTENTS = "toc.dat"

_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}
# The first that is there is taken: ISA-L's is three times as fast as gzip's own.
_DECOMPRESSORS = {
    "gzip": (("igzip", "-dc"), ("pigz", "-dc"), ("gzip", "-dc")),
    "zstd": (("zstd", "-dcq"),),
    "lz4": (("lz4", "-dcq"),),
    "xz": (("xz", "-dcq"),),
    "bzip2": (("bzip2", "-dcq"),),
    "none": (("cat",),),
}
# What people give by mistake, and what they should have given.
_FOREIGN = (
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16, as PowerShell's > writes it: take the dump with pg_dump --file"),
    (rb"-- (MySQL|MariaDB) dump", "a dump of MySQL or MariaDB"),
    (rb"SQLite format 3\x00", "a database of SQLite"),
    (rb"PK\x03\x04", "a zip archive: unpack it first"),
    (rb"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (
        rb"(pg_dump|pg_dumpall|pg_restore|psql|kubectl|Warning): ",
        "messages before a dump, as 2>&1 mixes them into it (or docker run -t): take the dump again with pg_dump"
        " --file",
    ),
    (rb"\$ANSIBLE_VAULT", "encrypted with Ansible Vault: decrypt it first"),
    (rb"-----BEGIN PGP|\x85[\x01-\x04]|age-encryption", "encrypted: decrypt it first"),
    (rb"\s*<(!DOCTYPE|html|\?xml)", "a web page, perhaps what a server said instead of the dump"),
)
# The versions of pg_dump's archives, and the major version whose pg_restore first reads each
# (K_VERS_... in src/bin/pg_dump/pg_backup_archiver.h).
_READ_SINCE = {14: 12, 15: 16, 16: 17}
_CLUSTER = re.compile(rb"^-- PostgreSQL database cluster dump", re.M)
_MARK = re.compile(rb"^-- PostgreSQL database dump\r?$", re.M)
_FROM = re.compile(rb"^-- Dumped from database version ([0-9][^\s]*)", re.M)
_BY = re.compile(rb"^-- Dumped by pg_dump version ([0-9][^\s]*)", re.M)
_STATEMENT = re.compile(
    rb"\s*(--|/\*|\\|(SET|SELECT|CREATE|BEGIN|INSERT|COPY|DROP|ALTER|DO|START|COMMENT|GRANT)\b)",
    re.I,
)


@dataclasses.dataclass(frozen=True)
class Dump:
    """A dump on this host. kind: plain, custom, tar or directory; compression: around the whole file.

    server_version, dump_version: of the server that it was taken from, and of the pg_dump; None where it says neither.
    marked: it says that pg_dump wrote it, and so has to say where it ends. read_since: the major version whose
    pg_restore can read it first, of an archive.
    """

    path: str
    kind: str
    compression: str
    size_bytes: int
    server_version: str | None = None
    dump_version: str | None = None
    marked: bool = False
    read_since: int | None = None

    @property
    def archive(self) -> bool:
        """Whether pg_restore reads it, and not psql."""
        return self.kind != PLAIN

    @property
    def major(self) -> int | None:
        """The major version of the server that was dumped; None where it does not say."""
        version = self.server_version or self.dump_version
        return major_of(version) if version else None


def detect(path: str) -> Dump:
    """Return the Dump at a path. Raises DatabaseError where it is none, saying what it looks like instead."""
    try:
        if os.path.isdir(path):
            return _directory(path)
        if not os.path.isfile(path):
            raise DatabaseError(
                f"There is no dump {path} on this host" if not os.path.exists(path) else f"{path}: no file"
            )
        size = os.path.getsize(path)
        with open(path, "rb") as stream:
            start = stream.read(HEAD)
    except OSError as error:
        raise DatabaseError(f"Could not read {path}: {error.strerror}") from error
    compression = next((name for magic, name in _COMPRESSIONS.items() if start.startswith(magic)), "none")
    content = start if compression == "none" else _decompressed_head(path, compression)
    return _described(path, content, compression, size)


def _directory(path: str) -> Dump:
    contents = os.path.join(path, DIRECTORY_CONTENTS)
    if not os.path.isfile(contents):
        raise DatabaseError(
            f"{path} is a directory without {DIRECTORY_CONTENTS}: not a dump in pg_dump's directory format"
        )
    with open(contents, "rb") as stream:
        start = stream.read(HEAD)
    with os.scandir(path) as entries:
        size = sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    versions = _archive_versions(start, contents)
    return Dump(path, DIRECTORY, "none", size, *versions, marked=True, read_since=_read_since(start))


def _described(path: str, content: bytes, compression: str, size: int) -> Dump:
    if content.startswith(b"PGDMP"):
        versions = _archive_versions(content, path)
        return Dump(path, CUSTOM, compression, size, *versions, marked=True, read_since=_read_since(content))
    if content[257:262] == b"ustar":
        inside = content[:100].rstrip(b"\0").decode("utf-8", "replace")
        if inside != DIRECTORY_CONTENTS:
            raise DatabaseError(
                f"{path} is a tar archive that begins with {inside}, not a dump in pg_dump's tar format. A packed"
                " directory is unpacked first; a copy of a data directory cannot be imported"
            )
        versions, since = _archive_versions(content[512:], path), _read_since(content[512:])
        return Dump(path, TAR, compression, size, *versions, marked=True, read_since=since)
    if not content:
        raise DatabaseError(f"{path} is empty: the program that should have written it has failed")
    for pattern, what in _FOREIGN:
        if re.match(pattern, content):
            raise DatabaseError(f"{path} is not a PostgreSQL dump, but {what}")
    if _CLUSTER.search(content[:4096]):
        raise DatabaseError(
            f"{path} was written by pg_dumpall and holds all databases of a server with its roles: give a dump of one"
            " database, as pg_dump writes it"
        )
    if b"\0" in content or not _STATEMENT.match(content.lstrip(b"\xef\xbb\xbf")):
        raise DatabaseError(f"{path} is not a PostgreSQL dump: neither SQL nor an archive of pg_dump")
    server, dump = (
        match.group(1).decode("ascii", "replace") if match else None
        for match in (_FROM.search(content), _BY.search(content))
    )
    return Dump(path, PLAIN, compression, size, server, dump, marked=bool(_MARK.search(content)))


def _read_since(content: bytes) -> int:
    """Return the major version whose pg_restore can read an archive first; later ones than we know: the last."""
    return _READ_SINCE.get(content[6], 0 if content[6] < 14 else max(_READ_SINCE.values()))


def _archive_versions(content: bytes, path: str) -> tuple[str, str]:
    """Read the versions from an archive's head (src/bin/pg_dump/pg_backup_archiver.c, ReadHead)."""
    try:
        major, minor, integer = content[5], content[6], content[8]
        position = 11

        def number() -> int:
            nonlocal position
            sign, value = content[position], int.from_bytes(content[position + 1 : position + 1 + integer], "little")
            position += 1 + integer
            return -value if sign else value

        def text() -> str:
            nonlocal position
            length = number()
            if length < 0:
                return ""
            value = content[position : position + length]
            if len(value) < length:
                raise IndexError
            position += length
            return value.decode("utf-8", "replace")

        # The compression, a byte since 1.15, and the parts of the date come before the texts.
        if (major, minor) >= (1, 15):
            position += 1
        else:
            number()
        for part in range(7):
            number()
        text()
        server, dump = (re.match(r"[0-9][0-9.]*", text()) for turn in range(2))
        if server is None or dump is None:
            raise IndexError
        return server.group(), dump.group()
    except IndexError:
        raise DatabaseError(f"{path} begins as an archive of pg_dump, but is damaged or truncated") from None


def decompressor(compression: str, which: typing.Callable[[str], str | None] = shutil.which) -> list[str]:
    """Return the command that decompresses its input. Raises Undecided where this host has none."""
    for command in _DECOMPRESSORS[compression]:
        if which(command[0]):
            return list(command)
    ours = unpack.command(compression)
    if ours is not None:
        return ours
    wanted = _DECOMPRESSORS[compression][-1][0]
    raise Undecided(
        f"The dump is compressed with {compression}, but this host has neither {wanted} nor its library: install"
        f" {wanted} (role vellaric.postgres.docker_host does), then run this again"
    )


def refuse_what_stays_closed(format_: str, compression: str) -> None:
    """Raise Refused for a backup that this host could not read: of the other formats, the server's tools do."""
    try:
        if format_ == PLAIN:
            decompressor(compression)
    except Undecided:
        raise Refused(
            f"A plain backup that is compressed with {compression} could not be checked or restored on this host, which"
            f" cannot decompress it: install {compression} (role vellaric.postgres.docker_host does), or use"
            " compression: gzip or format: custom. No backup was taken"
        ) from None


def head(dump: Dump, size: int = HEAD) -> bytes:
    """Return the beginning of a dump's content, at least as much as is asked for where there is as much."""
    if dump.compression != "none":
        return _decompressed_head(dump.path, dump.compression, size)
    with open(dump.path, "rb") as stream:
        return stream.read(size)


def _decompressed_head(path: str, compression: str, size: int = HEAD) -> bytes:
    command = decompressor(compression)
    with (
        open(path, "rb") as source,
        subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
    ):
        output = typing.cast(typing.IO[bytes], process.stdout)
        content = output.read(size)
        output.close()
        process.terminate()
    if not content and process.returncode < 0 and process.returncode != -signal.SIGTERM:
        raise Undecided(f"{path} could not be read: {command[0]} was ended by signal {-process.returncode}")
    if not content and process.returncode:
        raise DatabaseError(f"{path} begins as a {compression} file, but is damaged or truncated")
    return content
