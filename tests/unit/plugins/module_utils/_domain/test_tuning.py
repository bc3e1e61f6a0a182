# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import tuning
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.settings import MANAGED_SETTINGS
from hypothesis import given
from hypothesis import strategies as st

MB, GB = 1 << 20, 1 << 30
CPU = 1_000_000_000
UNITS = {"kB": 1 << 10, "MB": MB}

memories = st.integers(64 * MB, 8192 * GB)
processors = st.none() | st.integers(CPU // 100, 512 * CPU)
declarations = st.fixed_dictionaries(
    {},
    optional={
        "shared_buffers": st.sampled_from(["16", "128MB", "64GB", "1 TB", "a lot", ""]),
        "max_connections": st.sampled_from(["0", "7", "100000", "10MB"]),
        "work_mem": st.sampled_from(["0", "64kB", "1024", "2GB"]),
        "maintenance_work_mem": st.sampled_from(["0", "1GB", "8192TB"]),
        "max_parallel_workers": st.sampled_from(["0", "1", "1024"]),
        "max_parallel_workers_per_gather": st.sampled_from(["0", "1024"]),
        "huge_pages": st.just("on"),
    },
)


def number(text):
    """A derived value as a number: bytes for a size."""
    for unit, factor in UNITS.items():
        if text.endswith(unit):
            return int(text[: -len(unit)]) * factor
    return int(text)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        # memory, shared_buffers, effective_cache_size, maintenance_work_mem, work_mem, max_connections, WAL, huge_pages
        (64 * MB, ["8MB", "48MB", "4MB", "1MB", "28", "1024MB", "256MB", "245kB", "off"]),
        (512 * MB, ["64MB", "384MB", "32MB", "4247kB", "28", "1024MB", "256MB", "1966kB", "off"]),
        (1023 * MB, ["127MB", "767MB", "63MB", "8495kB", "28", "1024MB", "256MB", "3901kB", "off"]),
        (1 * GB, ["256MB", "768MB", "64MB", "7281kB", "28", "1024MB", "256MB", "7864kB", "off"]),
        (4 * GB, ["1024MB", "3072MB", "256MB", "9446kB", "103", "4096MB", "1024MB", "16MB", "off"]),
        (8 * GB, ["2048MB", "6144MB", "512MB", "9939kB", "203", "4096MB", "1024MB", "16MB", "try"]),
        (64 * GB, ["16384MB", "49152MB", "2048MB", "10414kB", "1603", "4096MB", "1024MB", "16MB", "try"]),
        (1024 * GB, ["262144MB", "786432MB", "2048MB", "53569kB", "5003", "4096MB", "1024MB", "16MB", "try"]),
    ],
)
def test_memory(memory, expected):
    names = ["shared_buffers", "effective_cache_size", "maintenance_work_mem", "work_mem", "max_connections"]
    names += ["max_wal_size", "min_wal_size", "wal_buffers", "huge_pages"]
    found = tuning.derive(memory)
    assert [found.pop(name) for name in names] == expected
    assert found == {"random_page_cost": "1.1", "effective_io_concurrency": "200", "jit": "off"}


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        (None, None),
        (0.5, None),
        (3.99, None),
        (4, ("8", "4", "2", "2")),
        (5.5, ("8", "5", "3", "3")),
        (8, ("8", "8", "4", "4")),
        (32, ("32", "32", "4", "4")),
    ],
)
def test_processors(cpus, expected):
    names = ("max_worker_processes", "max_parallel_workers", "max_parallel_workers_per_gather")
    names += ("max_parallel_maintenance_workers",)
    found = tuning.derive(4 * GB, None if cpus is None else int(cpus * CPU))
    assert tuple(found[name] for name in names if name in found) == (expected or ())


@pytest.mark.parametrize(
    ("memory", "cpus", "declared", "expected"),
    [
        (512 * MB, None, {}, 256 * MB),
        (1 * GB, None, {}, 256 * MB),
        (4 * GB, None, {}, 512 * MB),
        (16 * GB, 8, {}, 2 * GB),
        (64 * GB, 64, {}, 4 * GB),
        # What is declared counts as it is.
        (4 * GB, None, {"maintenance_work_mem": "32MB", "work_mem": "4MB"}, 256 * MB),
        (4 * GB, None, {"work_mem": "64MB"}, 2 * GB),
        # Never more than half of the memory, as far as the default is not more.
        (1 * GB, None, {"work_mem": "1GB"}, 512 * MB),
        (64 * MB, None, {"work_mem": "1GB"}, 256 * MB),
    ],
)
def test_shm_size(memory, cpus, declared, expected):
    assert tuning.shm_size(memory, cpus and cpus * CPU, declared) == expected


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"max_connections": "500"}, {"work_mem": "3145kB"}),
        ({"shared_buffers": "2GB"}, {"work_mem": "6297kB", "huge_pages": "try", "wal_buffers": "16MB"}),
        ({"shared_buffers": "16384"}, {"wal_buffers": "3932kB", "huge_pages": "off"}),
        ({"max_worker_processes": "200"}, {"work_mem": "4MB"}),
        ({"shared_buffers": "whatever the server says of it"}, {"work_mem": "9446kB"}),
        ({"jit": "on"}, {}),
    ],
)
def test_what_depends_on_a_declared_parameter_follows_it(declared, expected):
    found = tuning.derive(4 * GB, declared=declared)
    assert not set(declared) & set(found)
    assert {name: found[name] for name in expected} == expected


@given(memories, memories, processors)
def test_more_memory_never_gives_less(one, other, cpus):
    less, more = (tuning.derive(memory, cpus) for memory in sorted((one, other)))
    assert list(less) == list(more)
    for name in less:
        # One connection's share falls where the connections, or shared_buffers at 1 GiB, take more.
        if name not in ("work_mem", "jit", "huge_pages", "random_page_cost"):
            assert number(less[name]) <= number(more[name]), name
    assert (less["huge_pages"], more["huge_pages"]) != ("try", "off")


@given(memories, processors)
def test_what_is_derived_fits_the_limit(memory, cpus):
    found = tuning.derive(memory, cpus)
    size = {name: number(value) for name, value in found.items() if value[0].isdigit() and name != "random_page_cost"}
    assert size["shared_buffers"] + size["max_connections"] * size["work_mem"] <= memory * 5 // 8
    # Three processes of autovacuum beside it.
    assert size["shared_buffers"] + 3 * size["maintenance_work_mem"] <= memory // 2
    assert 64 << 10 <= size["work_mem"]
    assert 2 * 16 * MB <= size["min_wal_size"] < size["max_wal_size"]
    assert size["wal_buffers"] <= size["shared_buffers"]
    if "max_parallel_workers" in size:
        assert size["max_parallel_workers_per_gather"] <= size["max_parallel_workers"] <= size["max_worker_processes"]
    assert not set(found) & set(MANAGED_SETTINGS)


@given(memories, processors, declarations)
def test_whatever_is_declared_there_is_an_answer(memory, cpus, declared):
    found = tuning.derive(memory, cpus, declared)
    assert not set(found) & set(declared)
    assert set(found) | set(declared) == set(tuning.derive(memory, cpus)) | set(declared)
    assert all(value and not value.startswith(("-", "0")) for value in found.values())
    size = tuning.shm_size(memory, cpus, declared)
    assert 256 * MB <= size <= max(256 * MB, memory // 2) and size & (size - 1) == 0


@pytest.mark.parametrize(
    ("parameters", "most"),
    [
        ({}, 1024),
        ({"max_connections": "20"}, 1024),
        ({"max_connections": "1000"}, 4096),
        ({"max_connections": "x"}, 1024),
    ],
)
def test_the_most_processes_are_well_above_those_of_the_server(parameters, most):
    assert tuning.processes(parameters) == most


def test_the_least_memory_follows_what_is_declared():
    megabytes = {key: round(tuning.least_memory(dict(key)) / tuning.MB) for key in LEAST}
    assert megabytes == LEAST


LEAST = {
    (): 204,
    (("shared_buffers", "16MB"),): 88,
    (("shared_buffers", "16MB"), ("max_connections", "20")): 56,
    (("shared_buffers", "2048"),): 88,
    (("shared_buffers", "1GB"),): 1128,
}


@pytest.mark.parametrize("memory", [64, 100, 256, 512, 1 << 10, 4 << 10, 64 << 10])
def test_what_is_derived_has_memory_enough(memory):
    assert tuning.least_memory(tuning.derive(memory * tuning.MB)) <= memory * tuning.MB
