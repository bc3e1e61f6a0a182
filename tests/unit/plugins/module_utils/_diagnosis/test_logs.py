# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server's last lines say of why it has ended."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis import logs

READY = "LOG:  database system is ready to accept connections"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("disk", 'PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device'),
        ("shared_memory", 'ERROR:  could not resize shared memory segment "/x" to 8 bytes: No space left on device'),
        ("memory", "FATAL:  could not map anonymous shared memory: Cannot allocate memory"),
        (
            "configuration",
            'LOG:  unrecognized configuration parameter "a" in file "/etc/vellaric/postgresql.conf" line 1',
        ),
        ("configuration", 'FATAL:  could not access file "no_such_library": No such file or directory'),
        ("configuration", 'FATAL:  configuration file "/etc/vellaric/conf/postgresql.conf" contains errors'),
        ("certificate", 'FATAL:  could not load server certificate file "/x/server.crt": no start line'),
        ("data", 'FATAL:  data directory "/var/lib/postgresql/15/docker" has wrong ownership'),
        ("data", 'PANIC:  could not open file "global/pg_control": No such file or directory'),
        ("version", "FATAL:  database files are incompatible with server"),
        ("superuser_password", "Error: Database is uninitialized and superuser password is not specified."),
        ("address", 'LOG:  could not bind IPv4 address "0.0.0.0": Address already in use'),
    ],
)
def test_the_reason(kind, line):
    assert logs.reason(("starting", line, "LOG:  database system is shut down")) == (kind, line)


def test_what_was_before_the_last_start_that_succeeded_is_over():
    assert logs.reason(("PANIC: No space left on device", READY, "LOG:  received fast shutdown request")) is None
    assert logs.reason(()) is None


def test_lines_beside_the_reason_belong_to_it():
    lines = ("LOG: one", "LOG:  invalid value for parameter, could not x", "FATAL:  configuration file contains errors")
    assert logs.around(lines, lines[2]) == lines[1:]
    assert logs.around((), "gone") == ("gone",)


def test_lines_that_matter_are_few_and_where_none_does_the_last():
    assert logs.that_matter(tuple(f"FATAL: {number}" for number in range(50))) == tuple(
        f"FATAL: {number}" for number in range(44, 50)
    )
    assert logs.that_matter(("a", "b")) == ("a", "b")


def test_of_an_engine_its_own_words_count_once():
    told = "unable to configure the Docker daemon with file /etc/docker/daemon.json: unexpected EOF"
    around = ("Starting docker.service - Docker Application Container Engine...", told)
    after = ("docker.service: Failed with result 'exit-code'.", "Failed to start docker.service - Docker.")
    assert logs.of_engine((*around, *after) * 3) == (told,)
    assert logs.of_engine(after) == after[-2:]


def test_clients_that_are_refused_are_no_trouble_of_the_host():
    assert logs.trouble(('FATAL:  password authentication failed for user "a"', "ERROR:  division by zero")) == ()
    assert logs.trouble(("ERROR:  invalid page in block 3 of relation base/1/2",)) != ()
