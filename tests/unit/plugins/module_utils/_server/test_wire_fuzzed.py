# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server may lie on its socket: every answer is read in time, in bounds, and to an answer or an error of ours."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from types import SimpleNamespace

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._server import queries, session, wire

MUTATIONS = 10000
READY = wire.message(b"Z", b"I")
SEVERITIES = (b"SERROR", b"VERROR", b"C22012", b"Mdivision by zero")
FIRST = {
    "version": "15.20",
    "superuser_has_password": False,
    "role": {"verifier": None, "login": True, "ends": False, "closed": False, "privileged": False},
    "database": {"owner": "app", "closed": False, "public": False},
    "suspects_files": False,
    "has_users": False,
    "altered": [],
    "loaded_at": 1.5,
}
EXTENSIONS = {"extensions": {"plpgsql": {"version": "1.0", "declared": False}}}


def row(*values):
    body = struct.pack(">h", len(values))
    for value in values:
        body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value.encode())) + value.encode()
    return wire.message(b"D", body)


def lines(*texts):
    return b"".join(row(text) + wire.message(b"C", b"SELECT 1\0") for text in texts) + READY


LET_IN = (
    wire.message(b"R", struct.pack(">i", 0))
    + wire.message(b"S", b"server_version\x0015.20\0")
    + wire.message(b"K", bytes(8))
    + READY
)
ANSWERS = [
    lines(json.dumps(FIRST), json.dumps(EXTENSIONS)),
    lines('statistics {"database_bytes": 1}', 'settings {"version": "15.20"}'),
    wire.message(b"E", b"\0".join(SEVERITIES) + b"\0\0") + READY,
    READY,
]
NUMBERS = [struct.pack(">i", number) for number in (-(1 << 31), -2, -1, 0, 1, 3, 4, 1 << 20, (1 << 31) - 1)]


class Liar:
    """A server on a real socket that says to each who comes what it was told to."""

    def __init__(self, path):
        self.path, self.says = str(path), b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            with client:
                try:
                    client.sendall(self.says)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass
                except OSError:
                    continue

    def close(self):
        self._listener.close()


@pytest.fixture
def liar(tmp_path):
    liar = Liar(tmp_path / "s")
    yield liar
    liar.close()


def mutated(chance, data):
    data = bytearray(data)
    for turn in range(chance.randint(1, 3)):
        where = chance.randrange(len(data))
        how = chance.randrange(6)
        if how == 0:
            data[where] = chance.randrange(256)
        elif how == 1:
            data[where : where + 4] = chance.choice(NUMBERS)
        elif how == 2:
            del data[where : where + chance.randint(1, 40)]
        elif how == 3:
            data[where:where] = data[: chance.randint(1, 200)]
        elif how == 4:
            data[where : where + 1] = chance.choice((b"null", b"[]", b"NaN", b"1e999", b"{", b'"', b"\xff\0"))
        else:
            data[where:where] = chance.choice((READY, LET_IN, row(None), wire.message(b"N", b"\0")))
        data = data or bytearray(b"Z")
    return bytes(data)


def test_what_is_mutated_comes_to_an_answer_or_to_an_error_of_ours(liar):
    chance, started = random.Random(20261129), time.monotonic()
    beginning, came_to = wire.startup("postgres", "shop"), {}
    for turn in range(MUTATIONS):
        liar.says = mutated(chance, LET_IN + chance.choice(ANSWERS))
        try:
            rows = wire.ask_at(liar.path, beginning, "SELECT 1", time.monotonic() + 5)
            assert all(isinstance(value, (str, type(None))) for one in rows for value in one)
            outcome = "answer"
        except (wire.Unreachable, wire.Rejected, wire.Garbled) as error:
            outcome = type(error).__name__
        came_to[outcome] = came_to.get(outcome, 0) + 1
    assert set(came_to) == {"answer", "Unreachable", "Rejected", "Garbled"} and min(came_to.values()) > 50, came_to
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    "said",
    [
        wire.message(b"D", b"\x7f\xff"),
        wire.message(b"D", struct.pack(">h", -1)),
        wire.message(b"D", struct.pack(">hi", 1, 1 << 30)),
        wire.message(b"D", struct.pack(">hi", 1, -2)),
        b"D" + struct.pack(">i", -1),
        b"D" + struct.pack(">i", 0),
        b"N" + struct.pack(">i", 3) * 100,
        b"D" + struct.pack(">i", (1 << 31) - 1),
    ],
    ids=range(8),
)
def test_lengths_and_counts_that_cannot_be(liar, said):
    liar.says = LET_IN + said
    with pytest.raises(wire.Garbled, match="does not speak as PostgreSQL does"):
        wire.ask_at(liar.path, wire.startup("postgres", "shop"), "SELECT 1", time.monotonic() + 5)


@pytest.mark.parametrize("piece", [wire.message(b"N", b"\0"), row("x" * 1000)])
def test_messages_without_an_end(liar, piece, monkeypatch):
    monkeypatch.setattr(wire, "MOST_BYTES", 1 << 20)
    liar.says = LET_IN + piece * ((2 << 20) // len(piece))
    with pytest.raises(wire.Garbled, match="no end"):
        # To read a megabyte message by message takes a machine that is busy its time.
        wire.ask_at(liar.path, wire.startup("postgres", "shop"), "SELECT 1", time.monotonic() + 60)


def test_a_server_that_says_little_by_little_costs_no_more_than_the_time_given(tmp_path):
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def drip():
            try:
                for byte in LET_IN * 100:
                    theirs.send(bytes([byte]))
                    time.sleep(0.02)
            except OSError:
                return

        threading.Thread(target=drip, daemon=True).start()
        started = time.monotonic()
        with pytest.raises(socket.timeout):
            messages = wire._messages(ours, started + 0.3)
            while True:
                next(messages)
        assert time.monotonic() - started < 3


def odd(chance, value):
    """The value with something of another kind somewhere in it."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        if chance.random() < 0.2:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: odd(chance, value[key])}
    return chance.choice([None, 7, -1.5, True, "x", [], ["x"], {}, {"a": 1}, [[1]], "\0\x1b[2J"])


def test_values_of_another_kind_are_told_of_the_server_that_gave_them(monkeypatch):
    chance, told, facts = random.Random(7), 0, SimpleNamespace(name="shop-production-postgres")
    for turn in range(2000):
        answer = [
            json.dumps(odd(chance, one)) if chance.random() < 0.8 else json.dumps(one) for one in (FIRST, EXTENSIONS)
        ]
        if chance.random() < 0.1:
            answer = answer[: chance.randrange(2)]
        monkeypatch.setattr(session, "ask", lambda *given, said=answer, **named: said)
        try:
            session.observe(None, facts, "shop", "app", 5, False)
        except DatabaseError as error:
            assert "shop-production-postgres answered something else" in error.message
            told += 1
        found, reasons = queries.answers(None, facts, "shop", ["statistics", "checks"], 5, 5)
        assert set(reasons) == {"statistics", "checks"} and not found
    assert told > 500
