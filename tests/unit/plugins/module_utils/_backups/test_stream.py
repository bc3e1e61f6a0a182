# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import hashlib
import random

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import room, stream
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build

MARK = b"--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n"
TEXT = bytes(random.Random(7).randbytes(3 << 20)) + MARK
GIB = 1 << 30


def checked(data, compression="gzip", marked=True):
    with stream.checker(compression, marked) as checker:
        for start in range(0, len(data), 100_000):
            checker.feed(data[start : start + 100_000])
        checker.finish("it")
    return checker


def test_a_whole_one_has_its_sum_and_size():
    data = gzip.compress(TEXT, 1)
    found = checked(data)
    assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert checked(TEXT, "none").sha256 == hashlib.sha256(TEXT).hexdigest()


@pytest.mark.parametrize("place", [0, 1, 9, 50_000, -9, -8, -4, -1])
def test_a_flipped_byte_is_found_where_it_is_decompressed(place):
    data = bytearray(gzip.compress(TEXT, 1))
    data[place] ^= 0xFF
    if place == 9:
        # The operating system that compressed it, which says nothing of the content.
        return
    with pytest.raises(DatabaseError):
        checked(bytes(data))


@pytest.mark.parametrize("length", [0, 1, 10, 100_000, -1, -8])
def test_what_was_interrupted_is_found(length):
    data = gzip.compress(TEXT, 1)
    with pytest.raises(DatabaseError):
        checked(data[:length])


def test_a_whole_file_of_half_a_dump_is_found():
    """What `pg_dump | gzip` leaves when pg_dump fails: gzip is satisfied."""
    with pytest.raises(DatabaseError, match="truncated"):
        checked(gzip.compress(TEXT[: len(TEXT) // 2], 1))
    with pytest.raises(DatabaseError, match="truncated"):
        checked(gzip.compress(b""))


def test_a_mark_that_is_cut_in_two_by_the_pieces_is_found():
    with stream.checker("none", True) as checker:
        for start in range(len(MARK)):
            checker.feed(MARK[start : start + 1])
        checker.finish("it")


def test_the_size_that_is_expected_goes_by_the_last_of_its_kind():
    last = build.noun(build.NOW)
    big = build.dataclasses.replace(last, manifest=build.manifest(size_bytes=GIB, database_size_bytes=4 * GIB))
    assert room.expected_size([big], "plain", "gzip", 8 * GIB) == int(2.2 * GIB)
    assert room.expected_size([big], "custom", "gzip", 8 * GIB) == 4 * GIB
    assert room.expected_size([], "plain", "none", GIB) > GIB
    damaged = build.dataclasses.replace(big, damage="x")
    assert room.expected_size([damaged], "plain", "gzip", 8 * GIB) == 4 * GIB


@pytest.mark.parametrize("known", [True, False])
def test_writing_begins_early_where_the_system_can(tmp_path, monkeypatch, known):
    """What was written stays what it was, also where there is no such call."""
    if not known:
        monkeypatch.setattr(stream, "_sync_file_range", None)
    with open(tmp_path / "dump", "wb", buffering=0) as written:
        for turn in range(3):
            written.write(b"x" * 1000)
            stream.begin_writing(written.fileno(), turn * 1000)
    assert (tmp_path / "dump").read_bytes() == b"x" * 3000
