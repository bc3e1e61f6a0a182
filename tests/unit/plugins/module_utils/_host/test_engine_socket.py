# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers as an engine of version 20.10 gives them; the engine itself is a matter of the integration tests."""

from __future__ import annotations

import socket
import threading

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._host import engine_socket

HEADERS = b"Api-Version: 1.41\r\nContent-Type: application/json\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\n"


def answer(status, body, length=None):
    size = len(body) if length is None else length
    return b"HTTP/1.1 " + status + b"\r\n" + HEADERS + b"Content-Length: %d\r\n\r\n" % size + body


@pytest.fixture
def ask(tmp_path):
    """Ask a socket whose other end says what is given; the bytes of the questions are in `ask.questions`."""
    path = str(tmp_path / "engine.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def asked(says, *arguments, seconds=5, **more):
            def serve():
                connection = listener.accept()[0]
                with connection:
                    asked.questions.append(connection.recv(65536))
                    if says is None:
                        connection.recv(1)
                    else:
                        connection.sendall(says)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            try:
                return engine_socket.get(path, "inspect image x", *(arguments or ("/x",)), seconds, **more)
            finally:
                thread.join(5)

        asked.questions = []
        yield asked


def test_the_answer_is_decoded(ask):
    assert ask(answer(b"200 OK", '[{"Names": ["/ä"]}]\n'.encode())) == [{"Names": ["/ä"]}]


def test_an_answer_in_pieces_is_put_together(ask):
    head = b"HTTP/1.1 200 OK\r\n" + HEADERS + b"Transfer-Encoding: chunked\r\n\r\n"
    assert ask(head + b'5\r\n{"a":\r\n4\r\n [1]\r\n1\r\n}\r\n0\r\n\r\n') == {"a": [1]}


def test_what_is_asked_is_a_path_with_its_parameters(ask):
    ask(answer(b"200 OK", b"[]"), "/v1.41/containers/json", all=1, filters='{"label": ["a"]}')
    assert ask.questions[0].startswith(
        b"GET /v1.41/containers/json?all=1&filters=%7B%22label%22%3A+%5B%22a%22%5D%7D HTTP/1.1\r\nHost: localhost\r\n"
    )


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        ("registry.example.com:5000/a/b:1.0", b"registry.example.com:5000/a/b:1.0"),
        ("postgres@sha256:" + "0" * 64, b"postgres@sha256:" + b"0" * 64),
        ("a b?c=d#e\r\nX: y", b"a%20b%3Fc%3Dd%23e%0D%0AX:%20y"),
    ],
)
def test_a_name_stays_within_its_path(ask, reference, written):
    ask(answer(b"200 OK", b"{}"), f"/images/{reference}/json")
    assert ask.questions[0].split(b"\r\n")[0] == b"GET /images/" + written + b"/json HTTP/1.1"


def test_what_is_not_there_is_none_where_it_may_be_missing(ask):
    missing = answer(b"404 Not Found", b'{"message":"No such image: x"}')
    assert ask(missing, may_be_missing=True) is None
    with pytest.raises(DatabaseError, match=r"^Could not inspect image x: the engine said: No such image: x$"):
        ask(missing)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (answer(b"500 Internal Server Error", b'{"message":"no space left"}'), "the engine said: no space left"),
        (answer(b"403 Forbidden", b'"no"'), "the engine said: Forbidden"),
        (answer(b"502 Bad Gateway", b"<html>"), "the engine said: Bad Gateway"),
        (answer(b"200 OK", b'{"cut": ', length=99), "IncompleteRead"),
        (answer(b"200 OK", b"<html>"), "the answer on .*/engine.sock is not one of a Docker Engine"),
        (answer(b"200 OK", b'["\xff"]'), "is not one of a Docker Engine"),
        (answer(b"200 OK", b"null"), "is not one of a Docker Engine"),
        (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0"),
        (b"", "closed connection without response"),
    ],
)
def test_whatever_else_is_said_is_an_error_that_says_so(ask, says, words):
    with pytest.raises(DatabaseError, match=words) as raised:
        ask(says)
    assert raised.value.message.startswith("Could not inspect image x: ")


def test_it_is_not_waited_for_without_an_end(ask):
    with pytest.raises(DatabaseError, match="inspect image x: timed out"):
        ask(None, seconds=0.2)


def test_where_nobody_listens(tmp_path):
    with pytest.raises(DatabaseError, match="inspect image x: .*No such file"):
        engine_socket.get(str(tmp_path / "nowhere.sock"), "inspect image x", "/x", 5)
