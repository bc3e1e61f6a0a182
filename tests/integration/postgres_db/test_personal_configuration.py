# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own postgresql.conf in the database's directory, as the product guide has it."""

from __future__ import annotations

from harness import docker, verbs


def setting(host, name):
    return host.psql("a", f"SHOW {name}")


def test_additions_are_honoured_reported_and_weaker_than_what_is_declared(host):
    host.converge("a", settings={"work_mem": "8MB"})
    personal = host.directory("a") / "postgresql.conf"
    personal.write_text("# mine\nmax_connections = 200\nWork_Mem = '5MB'  # less\nlog_line_prefix 'x '\n")
    # As the guide has it: docker restart is enough.
    docker("restart", host.container("a"))
    answer = host.run("a", settings={"work_mem": "8MB"})
    assert setting(host, "max_connections") == "200"
    assert setting(host, "log_line_prefix").strip() == "x"
    assert setting(host, "work_mem") == "8MB"
    expected = {"max_connections": "200", "work_mem": "5MB", "log_line_prefix": "x "}
    assert answer["database"]["personal_settings"] == expected
    assert host.one("a")["personal_settings"] == expected

    # A run brings a later change about, with the restart that it needs, though the server has not read it yet.
    personal.write_text("max_connections = 150\n")
    assert verbs(host.converge("a", settings={"work_mem": "8MB"})) == ["restart"]
    assert setting(host, "max_connections") == "150"
    # Taken back before anybody restarted: there is nothing to wait for.
    personal.write_text("max_connections = 160\n")
    held = host.run("a", settings={"work_mem": "8MB"}, max_impact="none")
    assert [step["verb"] for step in held["pending"]] == ["restart"]
    personal.write_text("max_connections = 150\n")
    assert verbs(host.converge("a", settings={"work_mem": "8MB"})) == ["reload"]


def test_a_file_with_errors_does_not_take_a_server_down_that_serves(host):
    host.run("a")
    personal = host.directory("a") / "postgresql.conf"
    personal.write_text("work_mem = banana\n")
    assert "work_mem" in host.refused("a", settings={"max_connections": 50})
    assert "work_mem" in host.refused("a", state="restarted")
    assert host.query("a", "SELECT 1") == [(1,)]
    assert "banana" in str(host.run("a")["warnings"])
    personal.unlink()
    assert "restart" in verbs(host.run("a", settings={"max_connections": 50}))


def test_what_carries_the_contracts_cannot_be_taken_away(host):
    host.run("a", sslmode="require")
    (host.directory("a") / "postgresql.conf").write_text("ssl = off\nlisten_addresses = ''\nhba_file = '/tmp/x'\n")
    docker("restart", host.container("a"))
    host.run("a", sslmode="require")
    assert setting(host, "ssl") == "on"
    assert setting(host, "hba_file") == "/etc/vellaric/conf/pg_hba.conf"


def test_a_run_that_was_killed_after_it_took_parameters_out_stands_in_no_way(host):
    """The server lists what waits for its restart as errors, without a file where it was taken out."""
    tuned = {"tune": True, "memory": "320m"}
    host.run("a", **tuned)
    conf = host.directory("a") / "conf/postgresql.conf"
    host.run("b")
    conf.write_text((host.directory("b") / "conf/postgresql.conf").read_text())
    assert host.one("a")["status"] == "active"
    answer = host.converge("a", shm_size="64m")
    assert "replace" in verbs(answer) and host.psql("a", "SHOW shared_buffers") == "128MB"
