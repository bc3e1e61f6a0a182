# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host import cgroups

GROUPS_1 = """\
12:perf_event:/
8:pids:/docker/abc
4:memory:/docker/abc
2:cpu,cpuacct:/docker/abc
1:name=systemd:/docker/abc
0::/docker/abc
"""
MOUNTS_1 = """\
24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
32 24 0:28 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
33 24 0:29 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids
34 24 0:30 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw
"""


def write(root, files):
    for path, content in files.items():
        os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
        with open(f"{root}/{path}", "w", encoding="ascii") as stream:
            stream.write(content)


def test_version_1(tmp_path):
    write(
        tmp_path,
        {
            "cpu,cpuacct/docker/abc/cpuacct.usage": "2500000000\n",
            "memory/docker/abc/memory.usage_in_bytes": "300\n",
            "memory/docker/abc/memory.stat": "cache 5\ntotal_inactive_file 100\nhierarchical_memory_limit 1000\n",
            "memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            "pids/docker/abc/pids.current": "9\n",
        },
    )
    groups = cgroups.parse_groups(GROUPS_1)
    mounts = cgroups.parse_mounts(MOUNTS_1.replace("/sys/fs/cgroup", str(tmp_path)))
    sample = cgroups._version_1(groups, mounts)
    assert (sample.cpu_seconds, sample.memory, sample.memory_limit) == (2.5, 200, 1000)
    assert (sample.processes, sample.oom_kills) == (9, 2)
    stat = tmp_path / "memory/docker/abc/memory.stat"
    stat.write_text("total_inactive_file 400\nhierarchical_memory_limit 9223372036854771712\n")
    sample = cgroups._version_1(groups, mounts)
    assert (sample.memory, sample.memory_limit) == (0, None)


def test_version_2(tmp_path):
    group = "system.slice/docker-abc.scope"
    write(
        tmp_path,
        {
            f"{group}/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
            f"{group}/memory.current": "300\n",
            f"{group}/memory.max": "max\n",
            f"{group}/memory.stat": "anon 5\ninactive_file 100\n",
            f"{group}/memory.events": "low 0\noom 1\noom_kill 2\n",
            f"{group}/pids.current": "9\n",
        },
    )
    groups = cgroups.parse_groups(f"0::/{group}\n")
    mounts = cgroups.parse_mounts(f"34 24 0:30 / {tmp_path} rw,nosuid - cgroup2 cgroup2 rw\n")
    sample = cgroups._version_2(groups, mounts)
    assert (sample.cpu_seconds, sample.memory, sample.memory_limit) == (2.5, 200, None)
    assert (sample.processes, sample.oom_kills) == (9, 2)
    (tmp_path / group / "memory.max").write_text("1000\n")
    assert cgroups._version_2(groups, mounts).memory_limit == 1000


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/docker/abc", "/", "/m/docker/abc"),
        ("/docker/outer/docker/abc", "/docker/outer", "/m/docker/abc"),
        ("/docker/outer", "/docker/outer", "/m/"),
        ("/docker/outermost", "/docker/outer", "/m/docker/outermost"),
    ],
)
def test_a_mounted_part_of_the_tree(path, root, expected):
    assert cgroups.directory({"x": path}, {"x": (root, "/m")}, "x") == expected


def test_a_process_that_is_gone_has_no_sample():
    assert cgroups.sample(2**22 + 1) is None


def test_one_that_runs_has_one():
    sample = cgroups.sample(os.getpid())
    assert sample is None or (sample.memory >= 0 and sample.cpu_seconds > 0)


def test_the_use_of_processors():
    def sample(moment, used):
        return cgroups.Sample(moment, used, 0, None, None, None)

    assert cgroups.cpu_percent(sample(10.0, 5.0), sample(10.5, 5.25)) == 50.0
    assert cgroups.cpu_percent(sample(10.0, 5.0), sample(11.0, 7.0)) == 200.0
    assert cgroups.cpu_percent(sample(10.0, 5.0), sample(11.0, 4.0)) == 0.0
    assert cgroups.cpu_percent(sample(10.0, 5.0), sample(10.0, 5.0)) == 0.0


def test_the_memory_of_the_host():
    with open("/proc/meminfo", encoding="ascii") as stream:
        total = next(int(line.split()[1]) for line in stream if line.startswith("MemTotal:"))
    assert cgroups.host_memory() == total * 1024
