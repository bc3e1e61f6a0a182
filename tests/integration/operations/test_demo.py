# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's first command from a fresh clone, twice, and then nothing of it is left."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import harness
import pytest


@pytest.fixture
def clone(host):
    path = f"{host.root}/clone"
    subprocess.run([harness.REPOSITORY / "tests/copy-tree", path], check=True)
    yield path
    # Where the test came to its end, that was done, and would only make a virtual environment once more.
    if Path(path, ".venv").exists():
        make(host, path, "demo-clean")


def make(host, clone, target):
    # Receipts of its own: what the tests have brought to this machine is not the demo's to take away.
    arguments = {
        **{f"database_{name}": host.defaults[name] for name in ("data_root", "backup_root", "port_range")},
        "docker_host_receipt": f"{host.root}/docker_host.json",
        "image_receipt": f"{host.root}/image.json",
    }
    options = " ".join(f"-e {name}={value}" for name, value in arguments.items())
    left_out = ("ANSIBLE_", "MAKE", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return subprocess.run(
        ["make", "-C", clone, target, f"DEMO_NAME={host.name('demo')}", f"DEMO_ARGUMENTS={options}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def content(clone):
    return sorted(path for path in Path(clone).rglob("*"))


def test_demo_from_a_fresh_clone(host, clone):
    before = content(clone)
    first = make(host, clone, "demo")
    assert "runs in a container and serves" in first
    assert "reached over TLSv1.3" in first
    assert re.findall(r"changed=(\d+)", first)[-1] != "0"

    second = make(host, clone, "demo")
    assert "nothing had to be changed" in second
    assert set(re.findall(r"changed=(\d+)", second)) == {"0"}
    container = f"{host.name('demo')}-production-postgres"
    assert harness.inspect(container)["State"]["Running"]

    make(host, clone, "demo-clean")
    assert harness.inspect(container) is None
    assert not os.path.exists(host.data_root)
    assert not os.path.exists(host.defaults["backup_root"])
    assert content(clone) == before
    # The engine and the image were there before: they stay.
    assert harness.docker("image", "inspect", harness.IMAGE)
