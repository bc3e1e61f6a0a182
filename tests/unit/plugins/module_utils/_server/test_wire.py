# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol's messages, as a server of version 15 sends them; the socket itself is a matter of the real engine."""

from __future__ import annotations

import socket
import struct
import time

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._server import wire

READY = wire.message(b"Z", b"I")
LET_IN = wire.message(b"R", struct.pack(">i", 0))
VERSION = wire.message(b"S", b"server_version\x0015.20\0")


def row(*values):
    body = struct.pack(">h", len(values))
    for value in values:
        body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value.encode())) + value.encode()
    return wire.message(b"D", body)


def error(code, text, severity="ERROR", translated="FEHLER"):
    fields = [b"S" + translated.encode(), b"V" + severity.encode(), b"C" + code.encode(), b"M" + text.encode()]
    return wire.message(b"E", b"".join(field + b"\0" for field in fields) + b"\0")


def answer(data, piece=65536, seconds=5, closed=False):
    """Let a server say some bytes, in pieces of some size, and read the answer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for start in range(0, len(data), piece):
            theirs.sendall(data[start : start + piece])
        if closed:
            theirs.close()
        return wire.read_answer(wire._messages(ours, time.monotonic() + seconds))


def test_the_first_message_has_no_kind_but_the_protocol_and_what_is_asked_for():
    text = wire.startup("postgres", "my-database")
    assert struct.unpack_from(">ii", text) == (len(text), 196608)
    assert text[8:].startswith(b"user\0postgres\0database\0my-database\0")
    assert text.endswith(b"\0\0")


def test_a_question_ends_with_a_zero():
    assert wire.query("SELECT 'ä'") == b"Q" + struct.pack(">i", 4 + 12) + "SELECT 'ä'".encode() + b"\0"


@pytest.mark.parametrize("piece", [1, 3, 65536])
def test_rows_of_all_statements_come_in_order_however_the_bytes_come(piece):
    data = LET_IN + VERSION + row("a", None) + row("", "ü") + wire.message(b"C", b"SELECT 2\0") + row("b") + READY
    assert answer(data, piece) == [["a", None], ["", "ü"], ["b"]]


def test_no_rows_are_an_empty_answer():
    assert answer(LET_IN + READY) == []


def test_an_error_is_raised_once_the_server_is_ready_again():
    with pytest.raises(wire.Rejected, match="ERROR:  division by zero") as raised:
        answer(row("1") + error("22012", "division by zero") + READY)
    assert (raised.value.code, raised.value.severity) == ("22012", "ERROR")


def test_a_fatal_error_ends_the_connection():
    with pytest.raises(wire.Rejected, match='FATAL:  database "x" does not exist') as raised:
        answer(error("3D000", 'database "x" does not exist', "FATAL"))
    assert raised.value.code == "3D000"


@pytest.mark.parametrize("method", [3, 5, 10])
def test_a_server_that_wants_a_password_is_out_of_reach(method):
    with pytest.raises(wire.Unreachable, match="password"):
        answer(wire.message(b"R", struct.pack(">i", method)))


def test_a_connection_that_ends_early_is_told():
    with pytest.raises(EOFError, match="closed"):
        answer(LET_IN + b"Z\0\0", closed=True)


def test_a_server_that_is_silent_costs_no_more_than_the_seconds_given():
    started = time.monotonic()
    with pytest.raises(socket.timeout):
        answer(LET_IN, seconds=0.2)
    assert time.monotonic() - started < 5


def test_an_answer_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr(wire, "MOST_BYTES", 1000)
    with pytest.raises(wire.Garbled, match="no end"):
        answer(row("x" * 600) * 2 + READY, piece=400)


@pytest.mark.parametrize("pid", [0, 1, 999999999])
def test_a_process_that_is_not_the_containers_is_left_alone(pid):
    with pytest.raises(wire.Unreachable):
        wire.ask(pid, "f" * 64, "postgres", "postgres", "SELECT 1", 5)
