# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container made by hand is taken over by playbook, and is a database like any other from then on."""

from __future__ import annotations

from harness import IMAGE, docker, eventually, inspect

from playbooks import Fleet, changes


def test_a_container_made_by_hand_is_taken_over(host):
    fleet = Fleet(host)
    name = host.container("shop")
    docker("run", "-d", "--name", name, "-e", "POSTGRES_PASSWORD=old", "-e", "POSTGRES_USER=shop", IMAGE)
    volume = inspect(name)["Mounts"][0]["Name"]
    try:
        query = ["psql", "-XAtq", "-h", "127.0.0.1", "-U", "shop", "-c"]
        eventually(lambda: docker("exec", name, *query, "SELECT 1", check=False) == "1", 180)
        docker("exec", name, *query, "CREATE TABLE kept AS SELECT 42 AS answer")
        docker("exec", name, *query, "CREATE ROLE other LOGIN")
        predicted = fleet.play("adopt", "--check", "--diff", database_image=IMAGE)
        assert changes(predicted) > 0 and "other can no longer log in" in predicted and "set up its roles" in predicted
        assert inspect(name)["Config"]["Image"] == IMAGE and not host.directory("shop").exists()
        output = fleet.play("adopt", database_image=IMAGE)
        assert f"{volume}: left there for you to remove" in output
        credentials = {"user": host.record("shop")["username"], "password": fleet.password()}
        assert host.query("shop", "TABLE kept", **credentials) == [(42,)]
        assert changes(fleet.play("create", database_image=IMAGE)) == 0
    finally:
        docker("rm", "-f", name, check=False)
        docker("volume", "rm", "-f", volume)
