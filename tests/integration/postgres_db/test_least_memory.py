# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least memory that is named when less is refused: with it the server serves and recovers."""

from __future__ import annotations

import contextlib
import re

from harness import docker, eventually

# More than shared_buffers, in tables small enough to stay there.
TABLES = """DO $$ BEGIN FOR i IN 1..8 LOOP
  EXECUTE format('CREATE TABLE t%s AS SELECT g, repeat(''x'', 60) FROM generate_series(1, 220000) g', i);
END LOOP; END $$"""


def test_less_is_refused_and_the_least_that_is_named_will_do(host):
    message = host.refused("a", memory="64m")
    assert host.untouched()
    least = re.search(r"the server needs (\d+m)", message).group(1)
    host.run("a", memory=least)
    with contextlib.ExitStack() as stack:
        for _number in range(20):
            stack.enter_context(host.connect("a")).execute("SELECT count(*) FROM pg_class")
        host.query("a", TABLES)
        for number in range(1, 9):
            host.query("a", f"SELECT count(*) FROM t{number}")
    docker("kill", host.container("a"))
    host.run("a", memory=least)
    assert host.query("a", "SELECT count(*) FROM t8") == [(220000,)]
    state = host.inspect("a")
    assert state["State"]["OOMKilled"] is False and state["RestartCount"] == 0
    # One that has less already, as by hand, is spoken of and kept running.
    less = "190m"
    docker("update", "--memory", less, "--memory-swap", less, host.container("a"))
    answer = host.run("a", memory=less)
    assert "the server needs" in str(answer["warnings"])
    eventually(lambda: host.query("a", "SELECT 1") == [(1,)])
