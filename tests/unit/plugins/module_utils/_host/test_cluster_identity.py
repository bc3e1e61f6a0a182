# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells a cluster from its copy, on control files as servers write them. Real clusters: test_new_clusters.py."""

from __future__ import annotations

import struct
import time

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._host import cluster_identity

IDENTIFIER = 7576312233445566778
CHECKSUM_AT = 288


def control_file(version=1300, state=1, identifier=IDENTIFIER):
    content = struct.pack("=QIII", identifier, version, 202209061, state).ljust(CHECKSUM_AT, b"\x07")
    return (content + struct.pack("=I", cluster_identity.crc32c(content))).ljust(8192, b"\0")


@pytest.fixture
def pgdata(tmp_path):
    (tmp_path / "global").mkdir()
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "pg_wal/archive_status").mkdir()
    (tmp_path / "global/pg_control").write_bytes(control_file())
    header = struct.pack("=HHIQIIQ", 0xD110, 2, 1, 1 << 24, 0, 0, IDENTIFIER)
    (tmp_path / "pg_wal/000000010000000000000001").write_bytes(header.ljust(8192, b"\x05"))
    return tmp_path


@pytest.mark.parametrize(
    "content, checksum",
    # RFC 3720, B.4, and the check value of the catalogues of CRCs.
    [(b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_checksum(content, checksum):
    assert cluster_identity.crc32c(content) == checksum


def test_a_new_identity(pgdata):
    before = (pgdata / "global/pg_control").read_bytes()
    assert cluster_identity.known(pgdata)
    cluster_identity.renew(pgdata)
    assert cluster_identity.known(pgdata)
    after = (pgdata / "global/pg_control").read_bytes()
    changed = [at for at in range(len(after)) if after[at] != before[at]]
    allowed = {*range(8), *range(CHECKSUM_AT - 32, CHECKSUM_AT + 4)}
    assert set(changed) <= allowed and len(after) == 8192
    identifier = struct.unpack_from("=Q", after)[0]
    assert identifier != IDENTIFIER
    assert after[CHECKSUM_AT - 32 : CHECKSUM_AT] != before[CHECKSUM_AT - 32 : CHECKSUM_AT]
    wal = (pgdata / "pg_wal/000000010000000000000001").read_bytes()
    assert struct.unpack_from("=Q", wal, 24)[0] == identifier
    assert wal[32:] == b"\x05" * (8192 - 32)


def test_identifiers_as_initdb_makes_them():
    made = [cluster_identity.new_identifier() for turn in range(100)]
    assert len(set(made)) > 90
    # The upper half is the time in seconds, which tools show as when the cluster was made.
    assert all(abs((identifier >> 32) - time.time()) < 10 for identifier in made)


@pytest.mark.parametrize(
    "content",
    [
        control_file(version=1201),
        control_file(version=9999),
        control_file(state=6),
        control_file(identifier=1),
        control_file()[:100],
        control_file().replace(b"\x07", b"\x08", 1),
        b"",
    ],
    ids=["older", "newer", "not shut down", "another WAL's", "truncated", "damaged", "empty"],
)
def test_what_is_not_known(pgdata, content):
    (pgdata / "global/pg_control").write_bytes(content)
    assert not cluster_identity.known(pgdata)


def test_a_wal_that_is_not_there(pgdata):
    (pgdata / "pg_wal/000000010000000000000001").unlink()
    assert not cluster_identity.known(pgdata)


def test_a_control_file_that_is_not_whole_is_left_alone(pgdata):
    damaged = control_file().replace(b"\x07", b"\x08", 1)
    (pgdata / "global/pg_control").write_bytes(damaged)
    wal = (pgdata / "pg_wal/000000010000000000000001").read_bytes()
    with pytest.raises(DatabaseError, match="not what initdb wrote"):
        cluster_identity.renew(pgdata)
    assert (pgdata / "global/pg_control").read_bytes() == damaged
    assert (pgdata / "pg_wal/000000010000000000000001").read_bytes() == wal


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(DatabaseError, match="No such file"):
        cluster_identity.renew(tmp_path)
