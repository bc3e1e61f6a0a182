# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several data roots on one host: their databases know nothing of each other, but the ports are everybody's."""

from __future__ import annotations

import pytest
from harness import Host, result


@pytest.fixture
def other(host):
    """A second data root with the same ports to choose from."""
    second = Host()
    second.defaults["port_range"] = host.defaults["port_range"]
    yield second
    second.close()


def test_a_database_that_stands_still_keeps_its_port_from_those_of_another_root(host, other):
    host.run("a")
    host.run("a", state="stopped")
    port = host.record("a")["port"]
    message = other.refused("b", port=port)
    assert f"Port {port}" in message and f"{host.container('a')} of another data root" in message
    assert other.check("b")["database"]["port"] != port
    other.run("b")
    assert other.record("b")["port"] != port
    host.run("a", state="started")
    assert host.query("a", "SELECT 1") == [(1,)]


def test_two_runs_below_two_roots_choose_different_ports_at_the_same_moment(host, other):
    # Refused when the port has been written down: there is no container yet by which the other run could know.
    fails = {"settings": {"shared_preload_libraries": "nowhere"}, "wait_timeout": 20}
    started = [each.start(arguments=each.arguments("a", **fails)) for each in (host, other)]
    for process in started:
        process.communicate()
    assert host.record("a")["port"] != other.record("a")["port"]
    again = [each.start(arguments=each.arguments("a")) for each in (host, other)]
    assert all(result(process)["changed"] for process in again)
    assert host.query("a", "SELECT 1") == other.query("a", "SELECT 1") == [(1,)]
