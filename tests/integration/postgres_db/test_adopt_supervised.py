# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that something else keeps: refused where that is known, and no row is lost where it comes to light."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import pytest
from adopted import DATA, adoptable
from harness import IMAGE, THOROUGH, Host, docker, inspect

DRIVER = [sys.executable, str(Path(__file__).with_name("supervised.py"))]
# What clients are told they have written, in whichever server came up; it takes a moment to.
WRITE = (
    "for turn in $(seq 100); do docker exec {0} psql -XAtq -h 127.0.0.1 -U app -d app_db -c"
    " 'INSERT INTO kept SELECT 1001' 2>/dev/null && echo acknowledged && exit; sleep 0.1; done; echo silent"
)
MOMENTS = {
    ("copy", "the same"): ("psql:3",),
    ("copy", "another"): ("start:1",),
    ("move", "the same"): ("start:1",),
    ("move", "another"): (),
}


@pytest.mark.parametrize("label", ["com.docker.swarm.service.name=shop", "com.hashicorp.nomad.alloc_id=1"])
def test_what_is_kept_by_a_known_supervisor_is_refused(shared, label):
    name = shared.container("kept")
    docker("rm", "-fv", name, check=False)
    docker("run", "-d", "--name", name, "--label", label, "-e", "POSTGRES_PASSWORD=x", IMAGE)
    for check in (True, False):
        message = shared.refused("kept", adopt=True, check=check)
        assert "keeps it" in message and "by hand" in message
    assert inspect(name)["State"]["Running"] and not shared.directory("kept").exists()
    docker("rm", "-fv", name)


def test_what_another_container_runs_on_is_refused(host, template):
    adoptable(host, template, "move", None)
    data = Path(host.root) / "a-data"
    sidecar = f"{host.prefix}-sidecar"
    docker("run", "-d", "--name", sidecar, "-v", f"{data}:/data", "--entrypoint", "sleep", IMAGE, "60")
    assert f"{sidecar} runs on its data" in host.refused("a", adopt=True)
    # One that may only read it, and one that looks after everything, are no servers of it.
    docker("rm", "-f", sidecar)
    for mount in (f"{data}:/data:ro", f"{host.root}:/data"):
        docker("run", "-d", "--name", sidecar, "-v", mount, "--entrypoint", "sleep", IMAGE, "60")
        host.check("a", adopt=True)
        docker("rm", "-f", sidecar)


def supervise(host, moment, command):
    """Run the adoption with a supervisor; returns (its result or its message, whether a row was acknowledged)."""
    process = host.start(arguments=host.arguments("a", adopt=True), command=[*DRIVER, moment, command])
    stdout, stderr = process.communicate()
    reached = "before " in stderr
    answer = json.loads([line for line in stdout.splitlines() if line.startswith("{")][-1])
    assert "Traceback" not in stdout + stderr, stdout + stderr
    return answer, reached, "acknowledged" in stderr


@pytest.mark.parametrize("kind", ["the same", "another"])
@pytest.mark.parametrize("method", ["copy", "move"])
def test_a_supervisor_that_starts_a_server_on_the_data(template, method, kind):
    """Whatever it starts at whatever moment: the row that was acknowledged is where the run says that the data is."""
    for moment in map(str, itertools.count(1, 2)) if THOROUGH else MOMENTS[method, kind]:
        host = Host()
        volume_name = f"{host.prefix}-vol"
        other = f"{host.prefix}-other"
        try:
            foreign = adoptable(host, template, method, volume_name)
            identity = inspect(foreign.name)["Id"]
            data = volume_name if method == "copy" else Path(host.root) / "a-data"
            again, name = f"docker start {identity}", identity
            if kind == "another":
                given = "-e POSTGRES_PASSWORD=x -e POSTGRES_USER=app -e POSTGRES_DB=app_db"
                again, name = f"docker run -d --name {other} {given} -v {data}:{DATA} {IMAGE}", other
            answer, reached, acknowledged = supervise(host, moment, f"{again} && {WRITE.format(name)}")
            if not reached:
                break
            check_nothing_is_lost(host, answer, identity, other, acknowledged)
        finally:
            host.close()
            docker("volume", "rm", "-f", volume_name, check=False)


def runs(container):
    details = inspect(container)
    return details is not None and details["State"]["Running"]


def check_nothing_is_lost(host, answer, identity, other, acknowledged):
    """At most one server runs on what the data was, and it, or what the message names, has the row."""
    running = [each for each in (identity, other) if runs(each)]
    if answer.get("failed"):
        if "Nothing was changed" in answer["msg"]:
            # The old one served all the time.
            return
        assert len(running) <= 1, answer["msg"]
        if acknowledged:
            assert running or "Its data is in" in answer["msg"], answer["msg"]
        if running and acknowledged and "Its data is in" not in answer["msg"]:
            query = "SELECT count(*) FROM kept WHERE number = 1001"
            options = ["-XAtq", "-h", "127.0.0.1", "-U", "app", "-d", "app_db", "-c", query]
            assert int(docker("exec", running[0], "psql", *options)) == 1, answer["msg"]
        return
    assert not running
    if acknowledged:
        assert host.query("a", "SELECT count(*) FROM kept WHERE number = 1001") == [(1,)], answer
