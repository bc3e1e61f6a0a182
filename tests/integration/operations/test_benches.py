# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every bench runs, on as little as it takes: what nobody runs does not run any more when it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import harness
import pytest

BENCH = Path(harness.__file__).parent.parent / "bench"
SMALL = {
    "gather.py speed": "--databases 2",
    "gather.py cost": "--databases 2 --calls 1",
    "declared.py idle": "--databases 2",
    "declared.py create": "--databases 2",
    "declared.py update": "",
    "backup.py": "--megabytes 5 --rounds 1",
    "restore.py": "--megabytes 5 --rounds 1",
    "pooler.py": "--seconds 1 --clients 20 --users 2",
}
# With these, each file and what they share is run; the others take two minutes more.
QUICK = ("gather.py speed", "backup.py", "restore.py")


def test_none_is_forgotten():
    assert {words.split()[0] for words in SMALL} == {path.name for path in BENCH.glob("*.py")}


@pytest.mark.parametrize("bench", SMALL if harness.THOROUGH else QUICK)
def test_it_runs_and_says_what_it_measured(bench):
    finished = subprocess.run(
        [sys.executable, str(BENCH / bench.split()[0]), *bench.split()[1:], *SMALL[bench].split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert len(re.findall(r"[0-9]\.[0-9]+ (?:s|%)", finished.stdout)) >= 2, finished.stdout
