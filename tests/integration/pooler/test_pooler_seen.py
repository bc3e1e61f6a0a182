# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a database's pooler, and each finding on it, caused."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from harness import docker, eventually
from pooled import Pooled


@pytest.fixture(scope="module")
def pooled(shared):
    pooled = Pooled(shared, "seen")
    pooled.run(settings={"max_connections": "40"}, pooler={"pool_size": 1, "max_clients": 20})
    yield pooled
    docker("rm", "-fv", pooled.container, check=False)


def seen(pooled, **options):
    row = pooled.host.info(name=pooled.name, gather=["pooler", "findings"], **options)[0]
    found = {one["code"]: one for one in row["findings"] if one["code"].startswith("pooler")}
    return row.get("pooler_statistics"), found, row["missing"]


def test_clients_that_work_and_clients_that_wait(pooled):
    with pooled.connect(), pooled.connect(session=True):
        known, found, missing = seen(pooled)
        assert found == {} and missing == {}
        assert (known["clients_active"], known["clients_waiting"], known["clients_limit"]) == (2, 0, 20)
        assert known["paused"] == [] and known["version"].count(".") == 2
        assert {pool["database"] for pool in known["pools"]} == {pooled.name, f"{pooled.name}_session"}
        assert list(seen(pooled, thresholds={"connections_warning": 10})[1]) == ["pooler_clients_near_limit"]
        assert [pool["mode"] for pool in known["pools"] if pool["database"] == pooled.name] == ["transaction"]
    with pooled.connect() as holder, pooled.connect() as other:
        holder.execute("BEGIN")
        holder.execute("SELECT 1")
        waiting = threading.Thread(target=lambda: other.execute("SELECT 1"))
        waiting.start()
        eventually(lambda: (seen(pooled)[0] or {})["maxwait_seconds"] > 0.2)
        known, found, _missing = seen(pooled, thresholds={"pooler_wait_warning_seconds": 0.1})
        assert known["clients_waiting"] == 1 and known["pools"][0]["server_connections_active"] == 1
        assert list(found) == ["pooler_clients_waiting"]
        assert "1 client waits" in found["pooler_clients_waiting"]["message"]
        holder.execute("COMMIT")
        waiting.join()


def test_one_that_is_paused_by_hand(pooled):
    pooled.console(f'PAUSE "{pooled.name}"')
    try:
        known, found, _missing = seen(pooled)
        assert known["paused"] == [pooled.name] and found["pooler_paused"]["severity"] == "warning"
        assert "playbook resume" in found["pooler_paused"]["advice"]
        waiting = threading.Thread(target=pooled.answers)
        waiting.start()
        eventually(lambda: (seen(pooled)[0] or {})["maxwait_seconds"] > 0.2)
        found = seen(pooled, thresholds={"pooler_wait_warning_seconds": 0.1})[1]
        assert found["pooler_paused"]["severity"] == "critical", found
    finally:
        pooled.console(f'RESUME "{pooled.name}"')
    waiting.join()
    assert seen(pooled)[1] == {}


def test_one_that_may_open_more_than_the_server_has(pooled):
    """Somebody has changed the server behind the declaration's back."""
    pooled.host.psql(pooled.short, "ALTER SYSTEM SET max_connections = 12")
    docker("restart", pooled.host.container(pooled.short))
    try:
        eventually(lambda: seen(pooled)[1])
        message = seen(pooled)[1]["pooler_too_large"]["message"]
        assert "gives its users 9" in message, message
    finally:
        pooled.host.psql(pooled.short, "ALTER SYSTEM RESET max_connections")
        docker("restart", pooled.host.container(pooled.short))
    eventually(pooled.answers)


def test_one_that_does_not_run_or_hangs_delays_nobody(pooled):
    docker("pause", pooled.container)
    try:
        began = time.monotonic()
        known, found, missing = seen(pooled, timeout=2)
        assert time.monotonic() - began < 6 and known is None and "pooler" in missing
    finally:
        docker("unpause", pooled.container)
    docker("stop", pooled.container)
    known, found, missing = seen(pooled)
    assert known is None and "does not run (exited)" in missing["pooler"]
    assert found["pooler_not_running"]["severity"] == "critical"
    with pytest.raises(psycopg.OperationalError):
        pooled.connect()
    docker("rm", "-f", pooled.container)
    assert "is missing" in seen(pooled)[1]["pooler_not_running"]["message"]
    # What the finding says puts it right.
    pooled.host.run(pooled.short, state="started", partial=True)
    assert pooled.answers() and seen(pooled)[1] == {}
