# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells a cluster from a copy of it: its system identifier, and the secret that its fake password salts are of.

pg_createsubscriber gives a copy another identifier in the same way: in global/pg_control, under a new checksum, and in
the WAL. The server itself refuses a WAL of another identifier, and a control file with another checksum.
https://github.com/postgres/postgres/blob/REL_17_0/src/bin/pg_basebackup/pg_createsubscriber.c (modify_subscriber_sysid)
https://github.com/postgres/postgres/blob/REL_17_0/src/include/catalog/pg_control.h (ControlFileData)
https://github.com/postgres/postgres/blob/REL_17_0/src/include/access/xlog_internal.h (XLogLongPageHeaderData)
"""

from __future__ import annotations

import os
import re
import secrets
import struct
import time

from .._domain.errors import DatabaseError

# Of PostgreSQL 13 to 16, 17, and 18: those whose layout is known to be as below.
_CONTROL_VERSIONS = (1300, 1700, 1800)
# system_identifier, pg_control_version, catalog_version_no, state.
_CONTROL = struct.Struct("=QIII")
_SHUT_DOWN = 1
_NONCE_BYTES = 32
# No version's control file is longer: it must fit into one sector, to be written in one piece.
_CONTROL_BYTES = 512
_WAL_FILE = re.compile(r"[0-9A-F]{24}")
_WAL_IDENTIFIER = 24
_POLYNOMIAL = 0x82F63B78


def known(pgdata: str) -> bool:
    """Say whether `renew` knows how to give this cluster, which no server is at work in, an identity of its own."""
    try:
        content = _read(_control_path(pgdata))
        identifier, version, _catalog, state = _CONTROL.unpack_from(content)
        segments = [_wal_identifier(path) for path in _wal(pgdata)]
    except (OSError, struct.error):
        return False
    right = version in _CONTROL_VERSIONS and state == _SHUT_DOWN and checksum_offset(content) is not None
    return right and bool(segments) and set(segments) == {identifier}


def renew(pgdata: str) -> None:
    """Give a cluster for which `known` holds a new identity. It is not yet on the disk when this returns.

    Raises DatabaseError; the cluster is then of no use.
    """
    identifier = new_identifier()
    try:
        content = bytearray(_read(_control_path(pgdata)))
        offset = checksum_offset(content)
        if offset is None:
            raise DatabaseError(f"{_control_path(pgdata)} is not what initdb wrote")
        struct.pack_into("=Q", content, 0, identifier)
        content[offset - _NONCE_BYTES : offset] = secrets.token_bytes(_NONCE_BYTES)
        struct.pack_into("=I", content, offset, crc32c(content[:offset]))
        for path in _wal(pgdata):
            _overwrite(path, _WAL_IDENTIFIER, struct.pack("=Q", identifier))
        _overwrite(_control_path(pgdata), 0, bytes(content))
    except OSError as error:
        raise DatabaseError(f"Could not give {pgdata} an identity: {error.strerror or error}") from error


def new_identifier() -> int:
    """Return a system identifier as initdb makes one: seconds, microseconds, and 12 bits that are its process's."""
    moment = time.time_ns() // 1000
    return (moment // 1_000_000) << 32 | (moment % 1_000_000) << 12 | secrets.randbits(12)


def checksum_offset(content: bytes | bytearray) -> int | None:
    """Return where a control file has its checksum, which is over all that is before it; None where there is none."""
    checksum = 0xFFFFFFFF
    for offset in range(0, min(len(content), _CONTROL_BYTES) - 3, 4):
        if offset >= _CONTROL.size + _NONCE_BYTES:
            if struct.unpack_from("=I", content, offset)[0] == checksum ^ 0xFFFFFFFF:
                return offset
        checksum = _extend(checksum, content[offset : offset + 4])
    return None


def crc32c(content: bytes | bytearray) -> int:
    """Return the CRC-32C (Castagnoli) of some bytes, https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4"""
    return _extend(0xFFFFFFFF, content) ^ 0xFFFFFFFF


def _extend(checksum: int, content: bytes | bytearray) -> int:
    for byte in content:
        checksum ^= byte
        for _bit in range(8):
            checksum = checksum >> 1 ^ (_POLYNOMIAL if checksum & 1 else 0)
    return checksum


def _control_path(pgdata: str) -> str:
    return os.path.join(pgdata, "global", "pg_control")


def _wal(pgdata: str) -> list[str]:
    directory = os.path.join(pgdata, "pg_wal")
    return sorted(os.path.join(directory, name) for name in os.listdir(directory) if _WAL_FILE.fullmatch(name))


def _wal_identifier(path: str) -> int:
    with open(path, "rb") as stream:
        identifier: int = struct.unpack_from("=Q", stream.read(_WAL_IDENTIFIER + 8), _WAL_IDENTIFIER)[0]
    return identifier


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def _overwrite(path: str, offset: int, content: bytes) -> None:
    with open(path, "r+b", buffering=0) as stream:
        stream.seek(offset)
        stream.write(content)
