# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a file on the controller outlives the run: the files of an execution environment do not."""

from __future__ import annotations

import os

# The private data directory of a job of AWX or Automation Controller, which is removed after it.
JOB_DIRECTORY = "AWX_PRIVATE_DATA_DIR"
# Where ansible-runner mounts that directory in an execution environment.
RUNNER_ROOT = "/runner"
# Set by ansible-runner for every run: below its mount point in an execution environment, whatever engine runs that.
# In a pod of AWX's container groups there is no other mark: containerd makes no file.
RUNNER_ARTIFACTS = "AWX_ISOLATED_DATA_DIR"
# Podman and Docker put these into their containers.
_CONTAINER_MARKS = ("/run/.containerenv", "/.dockerenv")


def here(path: str) -> bool:
    """Say whether a file is gone after this run."""
    job = os.environ.get(JOB_DIRECTORY)
    in_container = any(os.path.exists(mark) for mark in _CONTAINER_MARKS) and bool(job or os.path.isdir(RUNNER_ROOT))
    in_container = in_container or _is_below(os.environ.get(RUNNER_ARTIFACTS, ""), RUNNER_ROOT)
    return vanishes(path, job, _mount_point(path) if in_container else None)


def vanishes(path: str, job_directory: str | None, mount_point: str | None) -> bool:
    """Say so. mount_point: of the path's file system in an execution environment, None outside of one.

    What is mounted there for the purpose lasts: anything but the environment's own file system and the job's directory.
    """
    if mount_point is None:
        return job_directory is not None and job_directory != "" and _is_below(path, job_directory)
    return mount_point in ("/", "/tmp") or _is_below(mount_point, RUNNER_ROOT)


def _mount_point(path: str) -> str:
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def _is_below(path: str, root: str) -> bool:
    root = root.rstrip("/")
    return path == root or path.startswith(root + "/")
