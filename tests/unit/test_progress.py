# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make` runs its commands with: what they say passes, silence is explained, and a failure is one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent


def progress(*arguments):
    environment = {**os.environ, "VELLARIC_PROGRESS_SECONDS": "0.5"}
    command = [sys.executable, str(TESTS / "progress.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_one_command_passes_as_it_is():
    finished = progress("sh", "-c", "printf ..; sleep 2; printf '..\\nend'; exit 4")
    assert finished.returncode == 4
    before, _line, after = finished.stdout.partition("\n... still running, ")
    assert before == ".." and after.endswith("..\nend")


def test_several_at_the_same_time():
    finished = progress("--each", "slow=echo at work; sleep 2", "broken=echo why >&2; exit 3", "quick=echo done")
    lines = finished.stdout.splitlines()
    assert finished.returncode == 3
    assert {"slow   | at work", "broken | why", "quick  | done"} <= set(lines)
    assert any(line.startswith("... slow, ") and line.endswith("s: at work") for line in lines)
    assert lines[-3].startswith("why") and "broken failed" in lines[-1] and "quick passed" in lines[-1]


def test_a_few_at_a_time(tmp_path):
    command = f"mkdir {tmp_path}/one && sleep 0.2 && rmdir {tmp_path}/one"
    finished = progress("--each", "-j", "1", *(f"{name}={command}" for name in ("first", "second", "third")))
    assert finished.returncode == 0, finished.stdout
    assert re.search(r"^first passed .*, second passed .*, third passed", finished.stdout.splitlines()[-1])
    assert progress("--each", "-j", "2", f"first={command}", f"second={command}").returncode == 1


PLAYBOOK = """
PLAY [Something] ****

TASK [Look] ****
ok: [localhost]

TASK [Go elsewhere] ****
included: /there/tasks.yml for localhost

TASK [Do it] ****
changed: [localhost]

TASK [Say it] ****
ok: [localhost] =>
    msg: |-
        It is done.

        Try next.

TASK [Each] ****
ok: [localhost] => (item=a)
skipping: [localhost] => (item=b)

TASK [Fail] ****
fatal: [localhost]: FAILED!

PLAY RECAP ****
localhost : ok=9
"""


def test_tasks_that_have_nothing_to_tell():
    shown = progress("--tasks", "printf", "%s", PLAYBOOK).stdout
    assert shown == re.sub(r"TASK \[(Look|Go|Each).*?\n\n", "", PLAYBOOK, flags=re.S)
    coloured = "TASK [Look] **\\n\\033[0;32mok: [localhost]\\033[0m\\nPLAY RECAP **"
    assert progress("--tasks", "printf", coloured).stdout == "PLAY RECAP **\n"


def test_a_copy_of_the_tree_needs_no_git(tmp_path):
    subprocess.run([TESTS / "copy-tree", tmp_path / "copy"], check=True)
    again = subprocess.run(
        [tmp_path / "copy/tests/copy-tree", tmp_path / "again"], check=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert again.returncode == 0
    copied = [
        sorted(str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*"))
        for name in ("copy", "again")
    ]
    assert copied[0] == copied[1] and "plugins/modules/postgres_db.py" in copied[0]
    assert not [path for path in copied[0] if path.startswith((".git/", ".venv", ".vault")) or "__pycache__" in path]
