# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decompresses its standard input, in a process of its own, where a host has no program that does.

Python has gzip, xz and bzip2; the libraries of zstd and lz4 are on every host whose package manager or systemd needs
them, with or without their programs. Imports nothing of the collection: it is run from its own text.
"""

from __future__ import annotations

import bz2
import ctypes
import lzma
import os
import signal
import sys
import typing
import zlib

_CHUNK = 1 << 20
_LIBRARIES = {"zstd": "libzstd.so.1", "lz4": "liblz4.so.1"}
# https://github.com/lz4/lz4/blob/dev/lib/lz4frame.h (LZ4F_VERSION)
_LZ4F_VERSION = 100


class Broken(Exception):
    """What is to be decompressed is not whole."""


def command(compression: str) -> list[str] | None:
    """Return the command that decompresses its input, or None where this host's Python cannot."""
    if compression in _LIBRARIES and _library(compression) is None:
        return None
    # In a module, this is a file within a zip.
    loader: typing.Any = getattr(sys.modules[__name__].__spec__, "loader", None)
    return [sys.executable, "-c", loader.get_source(__name__), compression]


def _needed(compression: str) -> ctypes.CDLL:
    library = _library(compression)
    if library is None:
        raise Broken(f"this host has no library for {compression}")
    return library


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer, and ZSTD_outBuffer."""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)]


class _Zstd:
    def __init__(self) -> None:
        self._library = _needed("zstd")
        self._library.ZSTD_createDStream.restype = ctypes.c_void_p
        for name in ("ZSTD_decompressStream", "ZSTD_isError", "ZSTD_getErrorName"):
            getattr(self._library, name).restype = ctypes.c_size_t
        self._library.ZSTD_getErrorName.restype = ctypes.c_char_p
        self._stream = ctypes.c_void_p(self._library.ZSTD_createDStream())

    def step(self, source: int, size: int, target: int, room: int) -> tuple[int, int, bool]:
        given, made = _Buffer(source, size, 0), _Buffer(target, room, 0)
        left = self._library.ZSTD_decompressStream(self._stream, ctypes.byref(made), ctypes.byref(given))
        if self._library.ZSTD_isError(ctypes.c_size_t(left)):
            raise Broken(self._library.ZSTD_getErrorName(ctypes.c_size_t(left)).decode())
        return given.position, made.position, left == 0


class _Lz4:
    def __init__(self) -> None:
        self._library = _needed("lz4")
        for name in ("LZ4F_decompress", "LZ4F_createDecompressionContext"):
            getattr(self._library, name).restype = ctypes.c_size_t
        self._library.LZ4F_getErrorName.restype = ctypes.c_char_p
        self._context = ctypes.c_void_p()
        self._library.LZ4F_createDecompressionContext(ctypes.byref(self._context), ctypes.c_uint(_LZ4F_VERSION))

    def step(self, source: int, size: int, target: int, room: int) -> tuple[int, int, bool]:
        given, made = ctypes.c_size_t(size), ctypes.c_size_t(room)
        left = self._library.LZ4F_decompress(
            self._context,
            ctypes.c_void_p(target),
            ctypes.byref(made),
            ctypes.c_void_p(source),
            ctypes.byref(given),
            None,
        )
        if self._library.LZ4F_isError(ctypes.c_size_t(left)):
            raise Broken(self._library.LZ4F_getErrorName(ctypes.c_size_t(left)).decode())
        return given.value, made.value, left == 0


_OF_PYTHON: dict[str, typing.Callable[[], typing.Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "xz": lzma.LZMADecompressor,
    "bzip2": bz2.BZ2Decompressor,
}
_OF_LIBRARIES: dict[str, type[_Zstd] | type[_Lz4]] = {"zstd": _Zstd, "lz4": _Lz4}


def _library(compression: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(_LIBRARIES[compression])
    except OSError:
        return None


def _by_library(codec: _Zstd | _Lz4) -> bool:
    """Decompress all frames; return whether the last one was whole."""
    made = ctypes.create_string_buffer(_CHUNK)
    whole = False
    while True:
        data = os.read(0, _CHUNK)
        if not data:
            return whole
        given = ctypes.create_string_buffer(data, len(data))
        position = 0
        while True:
            used, size, whole = codec.step(
                ctypes.addressof(given) + position, len(data) - position, ctypes.addressof(made), _CHUNK
            )
            position += used
            _write(memoryview(made)[:size])
            # Where there was no room for all, there is more to come of what was read already.
            if position == len(data) and size < _CHUNK:
                break
            if whole and position == len(data):
                break


def _by_python(make: typing.Callable[[], typing.Any]) -> bool:
    """The same, with what Python brings."""
    codec, begun, whole = make(), False, False
    while True:
        data = os.read(0, _CHUNK)
        if not data:
            return whole
        while data:
            if not begun and not data.strip(b"\0"):
                # As gzip and tar have it, what fills up the last block is nothing.
                break
            begun, whole = True, False
            _write(codec.decompress(data))
            data = b""
            if codec.eof:
                data, codec, begun, whole = codec.unused_data, make(), False, True


def _write(data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def main(compression: str) -> int:
    # As any other program of a pipe, it ends when nobody reads.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        if compression in _OF_LIBRARIES:
            whole = _by_library(_OF_LIBRARIES[compression]())
        else:
            whole = _by_python(_OF_PYTHON[compression])
        said = None if whole else "it ends too early"
    except (Broken, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
        said = str(error)
    if said is not None:
        sys.stderr.write(f"{compression}: {said}\n")
    return 0 if said is None else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
