# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else keeps a container, or works on its data: two servers on one data directory destroy it. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

_ALIVE = ("running", "restarting", "paused")
# What a supervisor writes on the containers that it keeps, by the beginning of a label: who that is, the label that
# names what is kept, and how to take a container out.
_SUPERVISORS = {
    "com.docker.swarm.": (
        "Docker Swarm",
        "com.docker.swarm.service.name",
        "remove the service (docker service rm; its volume stays), or what made it (CapRover, Dokploy, docker stack)",
    ),
    "com.hashicorp.nomad.": ("Nomad", "com.hashicorp.nomad.task_name", "stop its job (nomad job stop)"),
    "io.kubernetes.": ("Kubernetes", "io.kubernetes.pod.name", "delete what makes the pod (kubectl delete)"),
    "com.amazonaws.ecs.": ("Amazon ECS", "com.amazonaws.ecs.task-definition-family", "stop the service of the task"),
    "io.rancher.": ("Rancher", "io.rancher.stack_service.name", "remove the service there"),
    "io.balena.": ("balena", "io.balena.service-name", "take the service out of the release"),
    "com.mesosphere.": ("Mesos", "com.mesosphere.taskId", "stop its task there"),
}


def supervisor(labels: dict[str, str]) -> tuple[str, str] | None:
    """Return (who keeps a container, how to take it out first) as its labels say; None where nobody is known to."""
    for prefix, (who, naming, fix) in _SUPERVISORS.items():
        if any(label.startswith(prefix) for label in labels):
            what = labels.get(naming)
            return (f"{who} ({what})" if what else who), fix
    return None


def mount_of(mounts: Sequence[dict[str, Any]], directory: str) -> str:
    """Return the directory of the host that a container mounts (the engine's Mounts) and that holds another one."""
    sources = [mount.get("Source") or "" for mount in mounts or []]
    return max((source for source in sources if source and _inside(directory, source)), key=len, default=directory)


def rivals(listed: Iterable[dict[str, Any]], data: str, mount: str, ours: tuple[str, ...]) -> list[str]:
    """Return the names of the containers of the engine's list that are alive and may write to a data directory.

    mount: what was mounted to reach it: what mounts more than that, such as a tool that looks after all volumes, is no
    server of it. ours: ids of containers that may.
    """
    found = []
    for entry in listed:
        if entry["Id"] in ours or entry.get("State") not in _ALIVE:
            continue
        sources = [m.get("Source") or "" for m in entry.get("Mounts") or [] if m.get("RW") is not False]
        if any(_inside(source, data) or (_inside(data, source) and _inside(source, mount)) for source in sources):
            found.append(entry["Names"][0].lstrip("/"))
    return sorted(found)


def _inside(path: str, directory: str) -> bool:
    path, directory = os.path.normpath(path), os.path.normpath(directory)
    return path == directory or path.startswith(directory.rstrip("/") + "/")
