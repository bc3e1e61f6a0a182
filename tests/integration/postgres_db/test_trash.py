# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleted databases: brought back, shown, and removed for good when their time is over."""

from __future__ import annotations

import json
import os
from pathlib import Path

from harness import listener, result, verbs

GONE = {"state": "absent", "username": None, "password": None}
BACK = {"state": "undeleted", "username": None, "password": None, "image": None, "pull": None, "port_range": None}


def deleted(host):
    answer = result(host.start("postgres_db_info", {"data_root": host.data_root}))
    return [entry for entry in answer["deleted"] if entry["name"].startswith(host.prefix)]


def test_brought_back_with_everything(host):
    host.run("a", memory="256m", settings={"work_mem": "9MB"})
    host.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    record = host.record("a")
    host.run("a", **GONE)
    assert [entry["id"] for entry in deleted(host)] == [record["id"]]

    predicted = host.check("a", **BACK)
    assert verbs(predicted) == ["undelete", "create"]
    assert host.untouched()
    assert verbs(host.run("a", **BACK)) == ["undelete", "create"]
    assert host.query("a", "SELECT answer FROM kept") == [(42,)]
    assert host.psql("a", "SHOW work_mem") == "9MB"
    assert host.inspect("a")["HostConfig"]["Memory"] == 256 << 20
    assert host.record("a") == record
    assert verbs(host.run("a", **BACK)) == []
    assert deleted(host) == []
    assert verbs(host.run("a", memory="256m", settings={"work_mem": "9MB"})) == []


def test_the_last_of_several_and_a_port_that_was_given_away(host):
    for answer in (1, 2):
        host.run("a")
        host.query("a", f"CREATE TABLE kept AS SELECT {answer} AS answer")
        port = host.record("a")["port"]
        host.run("a", **GONE)
    with listener(port):
        assert f"Port {port}" in host.refused("a", **BACK)
        assert f"Port {port}" in host.refused("a", check=True, **BACK)
        # Where it was, to be brought back when the port is free.
        assert len(deleted(host)) == 2
        host.run("a", **BACK, port=port + 1)
    assert host.query("a", "SELECT answer FROM kept") == [(2,)]
    assert len(deleted(host)) == 1


def test_nothing_to_bring_back(host):
    assert "neither here nor in the trash" in host.refused("a", **BACK)
    assert host.untouched()


def test_expiry(host):
    host.run("a")
    host.run("a", **GONE)
    host.run("b")
    host.run("b", **GONE)
    entry = Path(deleted(host)[0]["directory"])
    old = entry.with_name(entry.name.replace(entry.name.split("-postgres-")[1][:8], "20200101"))
    os.rename(entry, old)
    assert verbs(host.run("a", **GONE, trash_days=3650)) == []
    assert verbs(host.check("a", **GONE, trash_days=30)) == ["expire"]
    assert verbs(host.run("a", **GONE, trash_days=30)) == ["expire"]
    assert verbs(host.run("a", **GONE, trash_days=30)) == []
    assert not old.exists()
    # Another name's trash is not this one's.
    assert [json.loads((Path(e["directory"]) / "database.json").read_text())["name"] for e in deleted(host)] == [
        host.name("b")
    ]
