# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role `image` where the environment, or the host, is not as it expects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import harness

PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.include_role": {"name": "vellaric.postgres.image"}}],
    }
]


def play(directory, python, **environment):
    """Run the role on this machine and return (whether it succeeded, its output)."""
    (directory / "play.json").write_text(json.dumps(PLAY))
    (directory / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {harness.COLLECTIONS}\n")
    variables = {"image_reference": harness.IMAGE, "image_pull": "never", "ansible_python_interpreter": python}
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.json"]
    finished = subprocess.run(
        [*map(str, command), "-e", json.dumps(variables)],
        env={**os.environ, "ANSIBLE_CONFIG": str(directory / "ansible.cfg"), **environment},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode == 0, finished.stdout + finished.stderr


def test_the_environment_may_be_that_of_another_engine(tmp_path):
    elsewhere = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nowhere", "DOCKER_CONTEXT": "none"}
    succeeded, output = play(tmp_path, sys.executable, **elsewhere)
    assert succeeded, output


def test_a_python_that_is_missing_is_not_taken_for_a_docker_command_that_is(tmp_path):
    succeeded, output = play(tmp_path, "/usr/bin/python-none")
    assert not succeeded and "Ansible's modules cannot run on this host" in output
    assert "ansible_python_interpreter" in output and "docker command" not in output
