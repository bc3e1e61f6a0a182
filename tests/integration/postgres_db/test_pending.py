# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was held back is shown by postgres_db_info, too, for as long as it is true and no longer."""

from __future__ import annotations

from harness import docker, verbs


def pending(host, short="a"):
    return host.one(short)["pending"]


def test_what_is_held_back_is_shown_until_it_is_done(host):
    host.run("a")
    assert pending(host) == []
    wanted = {"settings": {"max_connections": 90}, "shm_size": "300m"}
    held = host.run("a", max_impact="none", **wanted)
    assert {step["verb"] for step in held["pending"]} == {"replace", "restart"} and held["pending"] == pending(host)
    assert all(step["reason"] and step["impact"] in ("restart", "recreate") for step in held["pending"])
    # The replacement restarts the server, too.
    assert verbs(host.run("a", **wanted))[-1] == "replace"
    assert pending(host) == []


def test_what_somebody_else_does_is_seen(host):
    host.run("a")
    personal = host.directory("a") / "postgresql.conf"
    personal.write_text("max_connections = 70\n")
    host.run("a", max_impact="none")
    assert [step["verb"] for step in pending(host)] == ["restart"]
    # What is not ours to do again has been done: the server was restarted by hand.
    docker("restart", "-t", "60", host.container("a"))
    host.run("a", state="present")
    assert pending(host) == []
    host.run("a", settings={"max_connections": 80}, max_impact="none")
    docker("stop", "-t", "60", host.container("a"))
    # It is stopped: to start it gives it what it is to have, without another interruption.
    assert pending(host) == []


def test_what_cannot_be_brought_about_says_why(host):
    host.run("a")
    docker("rm", "-f", host.container("a"))
    record = host.directory("a") / "database.json"
    record.write_text(record.read_text().replace('"image": "', '"image": "vellaric-test/none-'))
    (found,) = pending(host)
    assert found["impact"] == "refused" and "pull is never" in found["summary"] and found["reason"]
