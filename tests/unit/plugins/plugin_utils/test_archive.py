# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of the hosts: the same bytes from the same code, and no Ansible in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.vellaric.postgres.plugins.plugin_utils import archive

CODE = Path(archive.__file__).resolve().parent.parent / "module_utils"


def test_the_same_code_gives_the_same_bytes(tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(CODE, copied)
    for path in copied.rglob("*"):
        os.utime(path, (1, 1))
    (copied / "_dumps/left.pyc").write_bytes(b"")
    assert archive.pack(str(copied)) == archive.pack(str(CODE))
    with (copied / "errors.py").open("a") as stream:
        stream.write("# another version\n")
    assert archive.pack(str(copied)) != archive.pack(str(CODE))


def test_runs_without_ansible(tmp_path):
    program = tmp_path / "backup.pyz"
    program.write_bytes(archive.pack(str(CODE)))
    (tmp_path / "ansible.py").write_text("raise SystemExit('Ansible is imported')")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}

    def run(*arguments):
        command = [sys.executable, str(program), "--directory", str(tmp_path), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    finished = run("list")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "Nothing is scheduled.\n", "")
    finished = run("run", "production")
    assert finished.returncode == 2 and "nothing is scheduled on this host" in finished.stderr
    (tmp_path / "schedule.json").write_text("{}")
    finished = run("check", str(tmp_path / "schedule.json"))
    assert finished.returncode == 2 and "backup_scheduler is None" in finished.stderr
