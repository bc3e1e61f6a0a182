# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils import ephemeral

JOB = "/tmp/awx_42_abc"


@pytest.mark.parametrize(
    ("path", "job", "mount_point", "gone"),
    [
        # On a laptop.
        ("/home/me/inventory/host_vars/db1/c.yml", None, None, False),
        # A job without an execution environment: only its own directory is removed.
        (JOB + "/project/c.yml", JOB, None, True),
        (JOB + "2/c.yml", JOB, None, False),
        ("/srv/credentials/c.yml", JOB, None, False),
        # In an execution environment: only what is mounted for the purpose lasts.
        ("/runner/project/c.yml", JOB, "/runner", True),
        ("/runner/project/c.yml", None, "/runner/project", True),
        ("/home/runner/c.yml", JOB, "/", True),
        ("/tmp/c.yml", JOB, "/tmp", True),
        ("/srv/credentials/c.yml", JOB, "/srv/credentials", False),
    ],
)
def test_what_outlives_a_run(path, job, mount_point, gone):
    assert ephemeral.vanishes(path, job, mount_point) is gone


def test_here(tmp_path, monkeypatch):
    monkeypatch.delenv(ephemeral.JOB_DIRECTORY, raising=False)
    monkeypatch.delenv(ephemeral.RUNNER_ARTIFACTS, raising=False)
    assert not ephemeral.here(str(tmp_path / "c.yml"))
    # ansible-runner without an execution environment: its directory is the user's own.
    monkeypatch.setenv(ephemeral.RUNNER_ARTIFACTS, str(tmp_path / "artifacts/1"))
    assert not ephemeral.here(str(tmp_path / "c.yml"))
    monkeypatch.setenv(ephemeral.JOB_DIRECTORY, str(tmp_path))
    assert ephemeral.here(str(tmp_path / "not-yet" / "c.yml"))


def test_here_in_a_pod(monkeypatch):
    """Where containerd runs it, nothing else says that this is an execution environment."""
    monkeypatch.setattr(ephemeral, "_CONTAINER_MARKS", ())
    monkeypatch.setenv(ephemeral.JOB_DIRECTORY, JOB)
    monkeypatch.setattr(ephemeral.os.path, "ismount", lambda path: path in ("/", "/srv/credentials"))
    monkeypatch.delenv(ephemeral.RUNNER_ARTIFACTS, raising=False)
    assert not ephemeral.here("/home/runner/c.yml")
    monkeypatch.setenv(ephemeral.RUNNER_ARTIFACTS, "/runner/artifacts/42")
    assert ephemeral.here("/home/runner/c.yml") and ephemeral.here("/runner/project/c.yml")
    assert not ephemeral.here("/srv/credentials/c.yml")
