# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decompression without the programs for it: what they have compressed comes out, and what is broken is not taken."""

from __future__ import annotations

import bz2
import ctypes
import gzip
import lzma
import random
import subprocess

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import formats, unpack
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import Refused, Undecided

PYTHONS = {"gzip": gzip, "xz": lzma, "bzip2": bz2}
COMPRESSIONS = (*PYTHONS, "zstd", "lz4")


def compressed(compression, content):
    """With no program either: a machine for the tests need not have any."""
    if compression in PYTHONS:
        options = {"preset": 0} if compression == "xz" else {"compresslevel": 1}
        return PYTHONS[compression].compress(content, **options)
    if compression == "zstd":
        library = ctypes.CDLL("libzstd.so.1")
        bound, compress = library.ZSTD_compressBound, library.ZSTD_compress
    else:
        library = ctypes.CDLL("liblz4.so.1")
        bound, compress = library.LZ4F_compressFrameBound, library.LZ4F_compressFrame
    bound.restype = compress.restype = ctypes.c_size_t
    size = ctypes.c_size_t(len(content))
    made = ctypes.create_string_buffer(bound(size, None))
    last = 3 if compression == "zstd" else None
    used = compress(made, ctypes.c_size_t(len(made)), content, size, last)
    return made.raw[:used]


def unpacked(compression, content):
    return subprocess.run(unpack.command(compression), input=content, capture_output=True, check=False)


def contents():
    """Of sizes about those of the buffers, and both of what can be compressed and what cannot."""
    for size in (1, (1 << 20) - 20, 1 << 20, (2 << 20) + 20):
        yield (b"-- a line of a dump\n" * (size // 20 + 1))[:size]
    yield random.Random(7).randbytes((1 << 20) + 1)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_comes_out_as_it_went_in(compression):
    for content in contents():
        packed = compressed(compression, content)
        for given, wanted in ((packed, content), (packed + packed, content + content)):
            finished = unpacked(compression, given)
            assert (finished.returncode, finished.stderr) == (0, b"")
            assert finished.stdout == wanted


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_is_not_whole_fails(compression):
    content = random.Random(8).randbytes(100_000)
    packed = compressed(compression, content)
    flipped = packed[:50_000] + bytes([packed[50_000] ^ 1]) + packed[50_001:]
    # The checksum of a frame's content is what the programs add, not the libraries.
    flips = [flipped] if compression in PYTHONS else []
    for broken in (packed[:50_000], packed[:-1], packed[:3], packed + b"what is none", *flips):
        finished = unpacked(compression, broken)
        assert finished.returncode == 1, broken[:10]
        assert finished.stderr.startswith(compression.encode()) and b"Traceback" not in finished.stderr


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_serves_where_there_is_no_program(compression):
    command = formats.decompressor(compression, which=lambda name: None)
    assert subprocess.run(command, input=compressed(compression, b"x"), capture_output=True, check=True).stdout == b"x"


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_without_program_and_library(compression, monkeypatch):
    monkeypatch.setattr(unpack, "_LIBRARIES", {"zstd": "libnone.so.9", "lz4": "libnone.so.9"})
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Undecided, match=f"neither {compression} nor its library"):
        formats.decompressor(compression)
    with pytest.raises(Refused, match="No backup was taken"):
        formats.refuse_what_stays_closed("plain", compression)
    formats.refuse_what_stays_closed("custom", compression)
    formats.refuse_what_stays_closed("plain", "gzip")
