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
    assert not succeeded and "interpreter" in output and "/usr/bin/python-none" in output
    assert "docker command" not in output


def looked(directory, *images, check=False, **options):
    """Run the module on this machine's engine, and return what it said."""
    given = {"images": list(images), "receipt": str(directory / "receipt.json"), **options}
    (directory / "arguments.json").write_text(
        json.dumps({"ANSIBLE_MODULE_ARGS": {**given, "_ansible_check_mode": check}})
    )
    module = "ansible_collections.vellaric.postgres.plugins.modules.postgres_db_image"
    finished = subprocess.run(
        [sys.executable, "-m", module, str(directory / "arguments.json")],
        env=harness.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(finished.stdout)


def test_many_images_are_one_question(tmp_path):
    """What is there is taken, the stand-in where a registry did not give it; one that cannot be had stops no other."""
    nothing = "vellaric/nothing:such"
    answer = looked(
        tmp_path,
        {"reference": "postgres:15-alpine"},
        {"reference": harness.IMAGE, "build": "never"},
        {"reference": nothing, "pull": "never", "build": "never"},
        {"reference": "postgres:17", "build": "always"},
    )
    assert answer["failed"] and answer["msg"].startswith(f"{nothing} is not on this host")
    found = [(one["reference"], one["source"], one["major"], bool(one["error"])) for one in answer["images"]]
    assert found == [
        ("vellaric/postgres:15-bookworm", "present", 15, False),
        (harness.IMAGE, "present", 15, False),
        (nothing, "missing", 0, True),
        ("vellaric/postgres:17-trixie", "present", 17, False),
    ]
    assert answer["images"][0]["id"] == harness.docker("inspect", "-f", "{{.Id}}", "vellaric/postgres:15-bookworm")
    assert not answer["changed"] and not (tmp_path / "receipt.json").exists()


def test_what_is_to_be_had_is_said_before_and_what_no_registry_gives_is_to_be_built(tmp_path):
    wanted = {"reference": "127.0.0.1:1/postgres:18"}
    other = {"repository": "vellaric/test-nothing"}
    [before] = looked(tmp_path, wanted, check=True, **other)["images"]
    assert (before["source"], before["build"]) == ("pending", False)
    answer = looked(tmp_path, wanted, **other)
    [one] = answer["images"]
    assert one["build"] and one["source"] == "missing" and one["stand_in"] == "vellaric/test-nothing:18-forky"
    assert not answer["changed"] and "No registry answered" in str(answer["warnings"])
    refused = looked(tmp_path, {**wanted, "build": "never"}, **other)
    assert refused["failed"] and "No registry answered" in refused["msg"]
    nowhere = looked(tmp_path, wanted, docker_host=f"unix://{tmp_path}/none.sock", **other)
    assert nowhere["failed"] and "vellaric.postgres.prepare" in nowhere["msg"]
