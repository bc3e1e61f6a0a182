# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of caused faults, docs/faults.md: written by the tests that cause all of them, compared by the others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[3] / "docs/faults.md"
HEAD = """# Faults that were caused, and what diagnose said

Each fault was caused on a real database, and playbook [`diagnose`](troubleshooting.md) had to name it first. The
tests in `tests/integration/diagnosis` compare this table for some of them; with `VELLARIC_TEST_THOROUGH=1` they cause
all of them, and write it.

| symptom | what was done | what diagnose says | fix |
| --- | --- | --- | --- |
"""
SYMPTOMS = (
    "It will not start",
    "Connections are refused",
    "Logins are refused",
    "Its certificate is refused",
    "It is slow",
    "It is out of disk",
    "It is out of memory",
    "It cannot be created",
    "Its port is in use",
    "A backup fails or is damaged",
    "The schedule did not run",
    "Drift comes back",
    "The engine is broken",
    "Credentials are lost",
)
# What is a run's own, and what stands in the table for it.
_OWN = (
    (r"/(?:var/)?tmp/(?:vellaric-tests/)?vellaric-test-\w+/data\b", "/var/vellaric/postgres"),
    (r"/(?:var/)?tmp/(?:vellaric-tests/)?vellaric-test-\w+", "/var/vellaric"),
    (r"\bvt\w+-(shop|half|other|gone|another|watchtower)\b", r"\1"),
    (r"vellaric-test/(\w+):\d+", r"\1:latest"),
    (r"\bprocess \d+ \([^)]*\)", "process 4711 (nginx)"),
    (r"\bprocess \d+\b", "process 4711"),
    (r"nc -zv [0-9.]+", "nc -zv 192.0.2.10"),
    (r"pg_terminate_backend\(\d+\)", "pg_terminate_backend(4711)"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:5432"),
    (r"\b\d+(?:\.\d+)?s old", "30h old"),
    (r"every 0\.0001 hours", "every 26 hours"),
    (r"expires in \d+(?:\.\d+)? days?", "expires in 3 days"),
    (r"\d{8}-\d{6}", "20260131-030000"),
    (r"\bdb_user_0123456789ab\b", "db_user"),
    (r"it has \d+ bytes, its manifest says \d+", "it has 4711 bytes, its manifest says 9422"),
    (r" -e database_name=\w+ -e database_environment=development", " ..."),
)


def row(symptom: str, caused: str, answer: dict[str, Any]) -> str:
    words = [f"**{symptom}**", caused, answer["verdict"], answer["fix"]]
    for pattern, instead in _OWN:
        words[2:] = [re.sub(pattern, instead, word) for word in words[2:]]
    return "| " + " | ".join(" ".join(word.split()).replace("|", "\\|") for word in words) + " |"


def rows() -> dict[tuple[str, str], str]:
    """Return the committed rows by symptom and by what was done."""
    found = {}
    for line in FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []:
        match = re.match(r"\| \*\*(.+?)\*\* \| (.+?) \| ", line)
        if match:
            found[match.groups()] = line
    return found


def write(caused: dict[tuple[str, str], str], order: list[tuple[str, str]]) -> None:
    """Write those that were caused anew, and keep the others. order: of all that there are."""
    known = {**rows(), **caused}
    keys = sorted((key for key in order if key in known), key=lambda key: SYMPTOMS.index(key[0]))
    FILE.write_text(HEAD + "".join(f"{known[key]}\n" for key in keys), encoding="utf-8")
