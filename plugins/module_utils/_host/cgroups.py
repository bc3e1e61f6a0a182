# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel counts for the processes of a container: read from its control group, version 1 or 2.

The engine's own statistics are the same figures, a second or two later for each container.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping

# https://docs.kernel.org/admin-guide/cgroup-v1/memory.html: "no limit" is the largest multiple of a page.
_NO_LIMIT = 1 << 60


@dataclasses.dataclass(frozen=True)
class Sample:
    """One look. moment: on the monotonic clock, in seconds; cpu_seconds: used since the group was made.

    memory: without what the kernel would give back first, as `docker stats` counts; memory_limit: None for none.
    """

    moment: float
    cpu_seconds: float
    memory: int
    memory_limit: int | None
    processes: int | None
    oom_kills: int | None


def sample(pid: int) -> Sample | None:
    """Return the Sample of the control group of a process, or None where it cannot be read."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as stream:
            groups = parse_groups(stream.read())
        with open("/proc/self/mountinfo", encoding="utf-8") as stream:
            mounts = parse_mounts(stream.read())
        return _version_1(groups, mounts) if "cpuacct" in groups else _version_2(groups, mounts)
    except (OSError, KeyError, ValueError, IndexError):
        return None


def cpu_percent(first: Sample, second: Sample) -> float:
    """Return the use of processors between two Samples; 100 is one processor."""
    elapsed = second.moment - first.moment
    used = max(0.0, second.cpu_seconds - first.cpu_seconds)
    return round(100 * used / elapsed, 1) if elapsed > 0 else 0.0


def host_memory() -> int:
    """Return the memory of the host in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def parse_groups(text: str) -> dict[str, str]:
    """Return the paths of a process's groups by controller (C(/proc/PID/cgroup)); that of version 2 is called ""."""
    groups = {}
    for line in text.splitlines():
        _number, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def parse_mounts(text: str) -> dict[str, tuple[str, str]]:
    """Return (root, mount point) of each hierarchy by controller (C(/proc/self/mountinfo)); version 2 is called ""."""
    mounts = {}
    for line in text.splitlines():
        place, _dash, kind = line.partition(" - ")
        root, point = place.split()[3:5]
        words = kind.split()
        if words[0] == "cgroup":
            mounts.update(dict.fromkeys(words[-1].split(","), (root, point)))
        elif words[0] == "cgroup2":
            mounts[""] = (root, point)
    return mounts


def directory(groups: Mapping[str, str], mounts: Mapping[str, tuple[str, str]], controller: str) -> str:
    """Return where a controller's files of a group are. A container with an engine inside mounts a part of the tree."""
    root, point = mounts[controller]
    path = groups[controller]
    if root != "/" and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    return os.path.join(point, path.lstrip("/"))


def _version_1(groups: Mapping[str, str], mounts: Mapping[str, tuple[str, str]]) -> Sample:
    cpu = directory(groups, mounts, "cpuacct")
    memory = directory(groups, mounts, "memory")
    moment, used = time.monotonic(), int(_read(cpu, "cpuacct.usage"))
    known = _pairs(_read(memory, "memory.stat"))
    limit = int(known["hierarchical_memory_limit"])
    return Sample(
        moment=moment,
        cpu_seconds=used / 1e9,
        memory=max(0, int(_read(memory, "memory.usage_in_bytes")) - int(known["total_inactive_file"])),
        memory_limit=None if limit >= _NO_LIMIT else limit,
        processes=_count(directory(groups, mounts, "pids") if "pids" in mounts else None),
        oom_kills=_optional(_pairs(_read(memory, "memory.oom_control")).get("oom_kill")),
    )


def _version_2(groups: Mapping[str, str], mounts: Mapping[str, tuple[str, str]]) -> Sample:
    group = directory(groups, mounts, "")
    moment, used = time.monotonic(), int(_pairs(_read(group, "cpu.stat"))["usage_usec"])
    limit = _read(group, "memory.max").strip()
    inactive = int(_pairs(_read(group, "memory.stat"))["inactive_file"])
    return Sample(
        moment=moment,
        cpu_seconds=used / 1e6,
        memory=max(0, int(_read(group, "memory.current")) - inactive),
        memory_limit=None if limit == "max" else int(limit),
        processes=_count(group),
        oom_kills=_optional(_pairs(_read(group, "memory.events")).get("oom_kill")),
    )


def _count(group: str | None) -> int | None:
    try:
        return None if group is None else int(_read(group, "pids.current"))
    except OSError:
        return None


def _optional(text: str | None) -> int | None:
    return None if text is None else int(text)


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split(None, 1) for line in text.splitlines() if line)


def _read(group: str, name: str) -> str:
    with open(os.path.join(group, name), encoding="ascii") as stream:
        return stream.read()
