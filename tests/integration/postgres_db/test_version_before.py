# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that earlier versions made, taken on by this one: nothing but their record changes."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile

import pytest
from ansible_collections.vellaric.postgres.tests.integration import harness
from ansible_collections.vellaric.postgres.tests.integration.harness import verbs

pytestmark = pytest.mark.skipif(not harness.THOROUGH, reason="what it shows of records is in test_faults_host.py")

# A commit of the main branch, and what of the record this version writes otherwise.
VERSIONS = {
    "schema 1": ("f96d4e466d7d15226b8249301e8afb2f6f168a22", ["write_record"]),
    "no operator": ("b3f2f3632b4b17216c41d663a55cc708a819a329", []),
    "no role": ("4d428c1f3e0da36ccbba63b2fccec3af9e8dbf50", []),
}


def unpacked(commit, root):
    """Put an earlier version where Python finds it, and return what PYTHONPATH is then to be."""
    archive = subprocess.run(
        ["git", "-C", str(harness.REPOSITORY), "archive", commit, "plugins"], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"this checkout has no history: {archive.stderr.decode()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as content:
        content.extractall(root / "ansible_collections" / "vellaric" / "postgres")
    return str(root)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_of_an_earlier_version_is_as_declared(host, tmp_path, version):
    commit, expected = VERSIONS[version]
    declared = {
        "settings": {"work_mem": "8MB"},
        "users": [{"name": "reader", "role": "readonly", "password": "A" * 24}],
    }
    arguments = host.arguments("a", **declared)
    made = host.start(arguments=arguments, env={"PYTHONPATH": unpacked(commit, tmp_path)})
    output, errors = made.communicate()
    assert made.returncode == 0 and json.loads(output)["changed"], errors
    before = host.inspect("a")
    assert "io.vellaric.postgres.role" not in before["Config"]["Labels"]
    assert host.one("a")["pending"] == []
    assert verbs(host.converge("a", **declared)) == expected
    after = host.inspect("a")
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert host.info(name=host.name("a"), gather=["findings"])[0]["findings"] == []
