# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command at the other end of a stream that is silent, or ends, without the engine saying what became of it."""

from __future__ import annotations

import http.client
import socket
import struct
import time
import types

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._host import execution
from ansible_collections.vellaric.postgres.plugins.module_utils._host.execution import Execution, Lost, State

RUNS, GONE, ENDED = State(None, True), State(None, False), State(0, False)


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(execution, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(execution, "GRACE_SECONDS", 0.2)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def said(text, stream=1):
    return struct.pack(">BxxxL", stream, len(text)) + text


def running(ends, *states):
    """A command of which the engine says these, the last one from then on."""
    answers = list(states)

    def state():
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Execution("shop", ends[0], state)


def test_one_that_is_silent_and_runs_is_waited_for(ends):
    command = running(ends, RUNS)
    with pytest.raises(socket.timeout):
        command.finish(time.monotonic() + 0.5)
    ends[1].sendall(said(b"done\n"))
    assert command.line(time.monotonic() + 1) == "done"


def test_one_that_has_ended_without_an_end_of_its_stream(ends):
    ends[1].sendall(said(b"all\n") + said(b"warned", 2))
    finished = running(ends, RUNS, ENDED).finish(time.monotonic() + 60)
    assert (finished.exit_code, finished.stdout, finished.stderr) == (0, "all\n", "warned")


@pytest.mark.parametrize("closed", [False, True])
def test_one_whose_process_is_gone_without_the_engine_knowing(ends, closed):
    if closed:
        ends[1].close()
    started = time.monotonic()
    with pytest.raises(Lost, match="lost a command in shop.*containerd"):
        running(ends, RUNS, GONE).finish(started + 3600)
    assert time.monotonic() - started < 10


def test_one_whose_end_the_engine_learns_late(ends):
    ends[1].close()
    assert running(ends, GONE, GONE, GONE, ENDED).finish(time.monotonic() + 60).exit_code == 0


def test_one_that_closes_its_outputs_and_goes_on_is_waited_for(ends):
    ends[1].close()
    assert running(ends, *[RUNS] * 25, ENDED).finish(time.monotonic() + 60).exit_code == 0


def test_an_engine_that_does_not_answer_once_is_asked_again(ends):
    failure = DatabaseError("no answer")
    assert running(ends, failure, failure, RUNS, failure, ENDED).finish(time.monotonic() + 60).exit_code == 0
    with pytest.raises(Lost, match="does not answer any more.*no answer"):
        running(ends, failure).finish(time.monotonic() + 3600)


def test_an_output_without_an_end_is_left(ends, monkeypatch):
    monkeypatch.setattr(execution, "MOST_BYTES", 1000)
    ends[1].sendall(said(b"x" * 2000))
    with pytest.raises(DatabaseError, match="does not stop writing"):
        running(ends, RUNS).finish(time.monotonic() + 60)


def test_the_answer_that_the_stream_is_of_is_closed_before_it(ends):
    """Python 3.13 says on the standard error what went wrong when a forgotten one is closed: behind a module's JSON."""
    ours, theirs = ends
    theirs.sendall(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\n")
    answer = http.client.HTTPResponse(ours)
    answer.begin()
    stream = answer.fp.raw
    stream._response = types.SimpleNamespace(raw=types.SimpleNamespace(_fp=answer))
    Execution("shop", stream, lambda: ENDED).close()
    assert answer.isclosed() and stream.closed
    # As the garbage collector does.
    answer.close()
