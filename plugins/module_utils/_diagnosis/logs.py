# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last lines of a server that has ended say of why. Pure.

They are a hint, and are asked only where the server does not run: while it serves, its clients write in there, too.
Servers write what keeps them from starting in the language of their image, which is English unless somebody chose
another; without a hint, what can be seen decides.
"""

from __future__ import annotations

import re

_MOST = 6
# By what is to be fixed; the first that matches counts, from the last line on.
_REASONS = (
    ("shared_memory", r"could not resize shared memory segment"),
    ("disk", r"No space left on device"),
    ("read_only", r"Read-only file system"),
    ("memory", r"Cannot allocate memory|could not map anonymous shared memory"),
    ("version", r"database files are incompatible with server|was initialized by PostgreSQL version"),
    ("certificate", r"could not load (?:server certificate|private key|root certificate)|private key file .* has"),
    ("running", r"lock file \"postmaster\.pid\" already exists"),
    ("address", r"could not bind IPv|could not create any TCP/IP sockets"),
    ("half_made", r"initdb: error: directory .* exists but is not empty"),
    (
        "data",
        r"has wrong ownership|has invalid permissions|could not locate a valid checkpoint|invalid checkpoint record"
        r"|is not a database cluster directory|is missing or empty|could not (?:open|read|access) (?:file|directory)"
        r" \"(?:/var/lib/postgresql|global|base|pg_|PG_VERSION)|could not open control file",
    ),
    (
        "configuration",
        r"unrecognized configuration parameter|invalid value for parameter|is outside the valid range for parameter"
        r"|configuration file \".*\" contains errors|syntax error in file|could not access file \".*\": No such"
        r"|could not load .*pg_hba|could not open configuration file|requires a (?:numeric|Boolean|integer) value"
        r"|invalid connection type|invalid authentication method|parameter \".*\" cannot be changed",
    ),
    ("superuser_password", r"superuser password is not specified"),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _REASONS)
_MATTERS = re.compile(
    r"\b(?:FATAL|PANIC|ERROR|error|fatal|HINT|DETAIL)\b|could not |No space|terminated by signal|denied"
)
_SYSTEMD = re.compile(
    r"docker\.(?:service|socket)\b|(?:Failed to start|Start|Stopp|Stopping|Closed|Listening|Dependency)"
)
_SERVES = re.compile(r"ready to accept connections")
# What a server that goes on tells of, and what no client makes it write without being asked to.
_TROUBLE = re.compile(
    r"PANIC:|No space left on device|could not resize shared memory segment|out of memory|invalid page in block"
    r"|was terminated by signal|could not (?:write|fsync|extend) file"
)


def reason(lines: tuple[str, ...]) -> tuple[str, str] | None:
    """Return (kind, line) of why the server has ended, as its last start says; None where nothing known is in there."""
    since = max((number for number, line in enumerate(lines) if _SERVES.search(line)), default=-1)
    later = lines[since + 1 :]
    # What was logged first of a failed start is the reason, what follows tells of it once more.
    for kind, pattern in _COMPILED:
        for line in reversed(later):
            if pattern.search(line):
                return kind, line.strip()
    return None


def of_engine(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the last few lines that the engine itself wrote of trouble, each once; where there is none, the last few.

    What systemd tells of its service says only that there is trouble.
    """
    own = (line.strip() for line in lines if not _SYSTEMD.match(line) and "level=info" not in line)
    return tuple(dict.fromkeys(line for line in own if line))[-_MOST:] or that_matter(lines)


def around(lines: tuple[str, ...], line: str) -> tuple[str, ...]:
    """Return the last such line, with those beside it that belong to it."""
    last = max((number for number, one in enumerate(lines) if one.strip() == line), default=None)
    if last is None:
        return (line,)
    return tuple(one.strip() for one in lines[max(0, last - 1) : last + 2] if _MATTERS.search(one))


def that_matter(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the last few lines that tell of something wrong; where none does, the last few."""
    found = [line for line in lines if _MATTERS.search(line)]
    return tuple((found or list(lines))[-_MOST:])


def trouble(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the last few lines in which a server that runs tells of trouble with its host."""
    return tuple(line for line in lines if _TROUBLE.search(line))[-_MOST:]
