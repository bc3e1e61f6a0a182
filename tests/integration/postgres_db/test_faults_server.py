# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers and servers that were stopped, changed, killed or hung, that do not start, or find no space."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from harness import Failed, Host, derived_image, docker, eventually, inspect, result, verbs


@pytest.fixture(scope="module")
def living(shared):
    """A database for the tests of this file that bring it back to where it was."""
    shared.run("living")
    shared.query("living", "CREATE TABLE kept AS SELECT 42 AS answer")
    return "living"


@pytest.fixture(autouse=True)
def nothing_lost(request):
    yield
    if "living" in request.fixturenames:
        shared = request.getfixturevalue("shared")
        assert shared.run("living")["actions"] == []
        assert shared.query("living", "TABLE kept") == [(42,)]


def took(seconds_at_most, began):
    spent = time.monotonic() - began
    assert spent < seconds_at_most, spent


def test_a_container_removed(shared, living):
    before = shared.record(living)
    docker("rm", "-fv", shared.container(living))
    row = shared.one(living)
    assert row["status"] == "error" and "its container is missing" in row["status_reason"]
    assert "its container is missing" in shared.refused(living, state="stopped")
    assert verbs(shared.converge(living)) == ["create"]
    assert shared.record(living) == before


def test_a_container_removed_is_created_again_without_a_password(shared, living):
    docker("rm", "-fv", shared.container(living))
    assert verbs(shared.run(living, username=None, password=None)) == ["create"]


@pytest.mark.parametrize("command", ["stop", "kill", "pause"])
def test_a_container_stopped_killed_or_paused(shared, living, command):
    docker(command, shared.container(living))
    row = shared.one(living)
    assert row["status"] == {"stop": "stopped", "kill": "error", "pause": "error"}[command]
    assert verbs(shared.converge(living)) == ["start"]
    assert shared.one(living)["status"] == "active"


def test_a_paused_container_can_be_stopped_and_replaced(shared, living):
    docker("pause", shared.container(living))
    assert verbs(shared.run(living, state="stopped")) == ["stop"]
    assert shared.one(living)["container_status"] == "exited"
    shared.run(living)
    docker("pause", shared.container(living))
    assert "replace" in verbs(shared.run(living, shm_size="64m"))
    assert "replace" in verbs(shared.run(living))


def test_a_container_updated_by_hand(shared, living):
    docker("update", "--memory", "300m", "--memory-swap", "300m", "--restart", "no", shared.container(living))
    answer = shared.converge(living, memory="256m")
    assert verbs(answer) == ["write_record", "update"]
    assert inspect(shared.container(living))["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert inspect(shared.container(living))["HostConfig"]["Memory"] == 256 << 20
    shared.run(living)


def test_a_container_renamed(shared, living):
    docker("rename", shared.container(living), shared.name("mislaid"))
    try:
        message = shared.refused(living)
        assert shared.name("mislaid") in message and "Two servers" in message
    finally:
        docker("rename", shared.name("mislaid"), shared.container(living))


def test_a_restart_loop_after_a_change_by_hand(shared, living):
    conf = shared.directory(living) / "conf" / "postgresql.conf"
    for state in ("stopped", "started"):
        conf.write_text("shared_buffers = nonsense\n")
        docker("restart", shared.container(living))
        eventually(lambda: inspect(shared.container(living))["State"]["Status"] == "restarting", 30)
        if state == "stopped":
            assert verbs(shared.run(living, state="stopped")) == ["stop"]
            assert inspect(shared.container(living))["State"]["Status"] == "exited"
        assert verbs(shared.run(living)) == ["write_files", "start"]


def test_an_image_whose_container_ends_at_once(host, image_tag):
    derived_image(image_tag, 'ENTRYPOINT ["sh", "-c", "echo the disk is on fire >&2; exit 3"]')
    began = time.monotonic()
    with pytest.raises(Failed) as failure:
        host.run("a", image=image_tag, wait_timeout=300)
    took(20, began)
    assert "exited with code 3" in failure.value.message and "the disk is on fire" in failure.value.message
    assert failure.value.result["log"] == ["the disk is on fire"]
    assert verbs(failure.value.result)[-1] == "write_files"
    row = host.one("a")
    assert row["status"] == "error"
    # Failed once it stays failed, and is not tried over and over by the engine.
    assert host.inspect("a")["RestartCount"] == 0
    assert "reset" in verbs(host.converge("a"))
    assert host.query("a", "SELECT 1") == [(1,)]


def test_a_new_image_that_does_not_serve_is_taken_back(shared, living, image_tag):
    derived_image(image_tag, 'ENTRYPOINT ["sh", "-c", "echo the disk is on fire >&2; exit 3"]')
    for _attempt in range(2):
        message = shared.refused(living, image=image_tag)
        assert "was put back and serves" in message and "the disk is on fire" in message
        assert shared.query(living, "TABLE kept") == [(42,)]
    assert inspect(shared.container(living) + "-previous") is None


def test_an_image_that_is_no_postgresql(host, image_tag):
    derived_image(image_tag, "USER root", "ENV PATH=/bin", "ENTRYPOINT []")
    message = host.refused("a", image=image_tag)
    assert image_tag in message and "not an image of PostgreSQL" in message
    assert host.untouched()


# Accepted by the server's own check, which loads nothing and allocates nothing.
BAD_AT_START = {"shared_preload_libraries": "no_such_library"}


def test_settings_with_which_a_new_server_does_not_start(host):
    began = time.monotonic()
    message = host.refused("a", settings=BAD_AT_START, wait_timeout=300)
    took(30, began)
    assert 'could not access file "no_such_library"' in message
    assert host.converge("a", settings={})["database"]["status"] == "active"


def test_settings_with_which_a_server_does_not_start_again(shared, living):
    began = time.monotonic()
    message = shared.refused(living, settings=BAD_AT_START, wait_timeout=300)
    took(30, began)
    assert "did not start as declared" in message and "was put back and serves" in message
    assert "no_such_library" in message
    assert shared.one(living)["settings"] == {}


def test_a_container_killed_during_initialisation(host):
    for delay in (0.0, 0.4):
        process = host.start(arguments=host.arguments("a"))
        eventually(lambda: (host.inspect("a") or {"State": {}})["State"].get("Running"), 60)
        time.sleep(delay)
        docker("kill", host.container("a"), check=False)
        try:
            result(process)
        except Failed as failure:
            assert "ended with exit code 137" in failure.message or host.container("a") in failure.message
        host.run("a")
        assert host.query("a", "SELECT 1") == [(1,)]
        assert host.run("a")["actions"] == []
        host.run("a", state="absent", purge=True)


def test_a_server_that_hangs_costs_no_more_than_its_time(shared, living):
    docker("kill", "-s", "STOP", shared.container(living))
    try:
        began = time.monotonic()
        message = shared.refused(living, wait_timeout=3)
        took(20, began)
        assert "was not ready after 3 s" in message
        began = time.monotonic()
        assert shared.one(living)["container_status"] == "running"
        took(10, began)
    finally:
        docker("kill", "-s", "CONT", shared.container(living))
    eventually(lambda: shared.run(living, wait_timeout=10)["actions"] == [])


def test_a_killed_server_process_recovers(shared, living):
    """The server ends all sessions when one of its processes is killed, and recovers; so does what we say of it."""
    docker("exec", shared.container(living), "sh", "-c", "kill -9 $(pgrep -f checkpointer | head -1)", check=False)
    shared.run(living)


@pytest.fixture
def small():
    """A host whose directories are on a file system of their own, too small for a server's."""
    host = Host()
    os.makedirs(host.data_root, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", host.data_root], check=True)
    yield host
    docker("rm", "-fv", host.container("a"), check=False)
    subprocess.run(["umount", "-l", host.data_root], check=False)
    host.close()


def test_a_full_disk(small):
    message = small.refused("a")
    assert "No space left on device" in message
    # Full to the last byte, so that not even a record can be written.
    with open(f"{small.data_root}/.filler", "wb") as stream, pytest.raises(OSError):
        while True:
            stream.write(bytes(1 << 20))
    message = small.refused("b")
    assert "No space left on device" in message
    os.unlink(f"{small.data_root}/.filler")
    subprocess.run(["mount", "-o", "remount,size=400m", small.data_root], check=True)
    assert "reset" in verbs(small.run("a"))
    assert small.query("a", "SELECT 1") == [(1,)]
    assert small.run("a")["actions"] == []
    # No half-written files are left of what failed.
    assert not [name for _d, _s, names in os.walk(small.directory("a")) for name in names if name.endswith(".partial")]
