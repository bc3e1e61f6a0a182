# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import show


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1024, "1 kB"),
        (1536, "1.5 kB"),
        (10 * 1024, "10 kB"),
        (44040192, "42 MB"),
        (1023 << 10, "1 MB"),
        (1 << 20, "1 MB"),
        (int(1.44 * (1 << 30)), "1.4 GB"),
        (int(9.97 * (1 << 30)), "10 GB"),
        (999 << 30, "999 GB"),
        (1 << 40, "1 TB"),
        (5 << 60, "5120 PB"),
    ],
)
def test_sizes(count, expected):
    assert show.size(count) == expected


def test_memory_as_the_seed_writes_it():
    assert show.memory(156 << 20, 512 << 20) == "156MB / 512MB"
    assert show.memory(1536 << 20, 8 << 30) == "1.5GB / 8GB"


@pytest.mark.parametrize(("number", "expected"), [(2.5, "2.5%"), (0, "0.0%"), (187.04, "187.0%")])
def test_percent_as_the_seed_writes_it(number, expected):
    assert show.percent(number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 0s"),
        (754, "12m 34s"),
        (3600, "1h 0m"),
        (18720, "5h 12m"),
        (86399, "23h 59m"),
        (190800, "2d 5h"),
        (86400 * 400, "400d 0h"),
    ],
)
def test_durations_as_the_seed_writes_them(seconds, expected):
    assert show.duration(seconds) == expected


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "statement",
    [
        f"ALTER ROLE app PASSWORD '{SECRET}'",
        f"alter role app with login password   '{SECRET}' valid until 'infinity'",
        f"CREATE USER app ENCRYPTED PASSWORD E'{SECRET}'",
        f"ALTER ROLE app PASSWORD 'it''s {SECRET}' LOGIN",
        f"ALTER ROLE app PASSWORD '{SECRET} that was cut off",
        f"ALTER ROLE app PASSWORD $${SECRET}$$",
        f"ALTER ROLE app PASSWORD $tag${SECRET}$tag$",
        f"ALTER ROLE app\n\tPASSWORD\n'{SECRET}'",
        f"CREATE SUBSCRIPTION s CONNECTION 'host=db password={SECRET} user=app' PUBLICATION p",
        f"SELECT dblink_connect('host=db password=''{SECRET}''')",
        f"CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app', password '{SECRET}')",
        f"SELECT dblink('postgresql://app:{SECRET}@db:5432/app', 'SELECT 1')",
        f"primary_conninfo = 'user=app password={SECRET} host=db'",
        f"STATEMENT:  ALTER ROLE app PASSWORD '{SECRET}';",
        f"ALTER ROLE app PASSWORD 'SCRAM-SHA-256$4096:{SECRET}==$stored:server='",
        f"UPDATE users SET password = E'{SECRET}', name = 'x'",
        f"archive_command = 'AWS_SECRET={SECRET} push %p'",
    ],
)
def test_passwords_are_masked(statement):
    assert SECRET not in show.without_secrets(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM users WHERE name = 'password'",
        "SELECT password_hash FROM users WHERE id = $1",
        "UPDATE orders SET state = 'paid' WHERE id = 7",
        "LOG:  checkpoint complete: wrote 3 buffers (0.0%)",
        "SHOW password_encryption",
    ],
)
def test_other_text_is_left_as_it_is(statement):
    assert show.without_secrets(statement) == statement


def test_a_long_text_takes_no_time():
    started = time.monotonic()
    show.without_secrets("password '" * 2000 + "x" * 100000)
    assert time.monotonic() - started < 1
