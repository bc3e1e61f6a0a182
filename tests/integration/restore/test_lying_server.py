# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever is in a container answers in the server's place, as the protocol wants it: a run ends in words."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from harness import THOROUGH, Failed
from restoring import run, take

ANSWERS = ["7", "{}", "null", "[[1]]", '{"x": {}}', "[]", '"x"', "x", "", "[" * 100_000, '{"NAME": 7}', '{"NAME": {}}']


def message(kind, content):
    return kind + struct.pack(">i", len(content) + 4) + content


def answered(value):
    """One row of one column of text, and that the session is ready."""
    text = value.encode()
    column = b"x\0" + struct.pack(">ihihih", 0, 0, 25, -1, -1, 0)
    return (
        message(b"T", struct.pack(">h", 1) + column)
        + message(b"D", struct.pack(">hi", 1, len(text)) + text)
        + message(b"C", b"SELECT 1\0")
        + message(b"Z", b"I")
    )


@contextlib.contextmanager
def answering(host, short, value):
    """Have each query answered by one value."""
    place = f"/proc/{host.inspect(short)['State']['Pid']}/root/run/postgresql/.s.PGSQL.5432"
    os.rename(place, f"{place}.aside")
    listener = socket.socket(socket.AF_UNIX)
    parameters = [b"client_encoding\0UTF8\0", b"server_version\0" + b"15.0\0", b"standard_conforming_strings\0on\0"]
    greeting = message(b"R", struct.pack(">i", 0)) + b"".join(message(b"S", one) for one in parameters)

    def serve(client):
        with client, contextlib.suppress(OSError, struct.error), client.makefile("rb") as stream:
            stream.read(struct.unpack(">i", stream.read(4))[0] - 4)
            client.sendall(greeting + message(b"Z", b"I"))
            while True:
                kind, length = struct.unpack(">ci", stream.read(5))
                stream.read(length - 4)
                if kind == b"Q":
                    client.sendall(answered(value))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()

    try:
        listener.bind(place)
        os.chmod(place, 0o777)
        listener.listen()
        threading.Thread(target=accept, daemon=True).start()
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        os.unlink(place)
        os.rename(f"{place}.aside", place)


@pytest.fixture(scope="module")
def living(shared):
    shared.run("a")
    shared.query("a", "CREATE TABLE kept AS SELECT 1 AS a")
    take(shared, "a")
    Path(shared.root, "dump.sql").write_text("CREATE TABLE other (a int);\n")
    return shared


@pytest.mark.parametrize("value", ANSWERS if THOROUGH else ANSWERS[:1])
def test_what_a_server_says_ends_no_run_in_a_traceback(living, value):
    value, began = value.replace("NAME", living.name("a")), time.monotonic()
    given = {"backup_first": False, "keep_old": 0, "timeout": 4, "wait_timeout": 1}
    with answering(living, "a", value):
        for check in (True, False):
            for module, options in (
                ("postgres_db_restore", given),
                ("postgres_db_import", {**given, "path": f"{living.root}/dump.sql", "replace": True}),
                ("postgres_db_backup", {"timeout": 4, "wait_timeout": 1}),
            ):
                if check and module == "postgres_db_backup":
                    continue
                # What looks like an answer goes on until something does not.
                with contextlib.suppress(Failed):
                    run(living, "a", module=module, check=check, **options)
    assert time.monotonic() - began < 60
    assert living.query("a", "TABLE kept") == [(1,)]
