# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import socket

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.port_choice import Holder, by_others
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.record import Instance
from ansible_collections.vellaric.postgres.plugins.module_utils._host import ports
from ansible_collections.vellaric.postgres.tests.unit import builders


@pytest.fixture
def recorded(monkeypatch):
    tables = [str(builders.FIXTURES / name) for name in ("proc_net_tcp", "proc_net_tcp6", "proc_net_none")]
    monkeypatch.setattr(ports, "_TABLES", tables)


@pytest.mark.usefixtures("recorded")
def test_ports_that_are_listened_on_are_read_from_the_kernel():
    # 1539 is a connection that is closing and 153A one that is open: neither is listened on.
    assert ports.listening() == {0x07E8, 0x1538, 0x1766, 0x50, 0x153B}


def test_a_real_socket_is_seen_while_it_listens_and_no_longer():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert port not in ports.listening()
        bound.listen()
        assert port in ports.listening()
    assert port not in ports.listening()


def test_published_ports_of_a_recorded_list():
    assert ports.published(builders.fixture("engine-20.10/list.json")) == {
        5990: Holder("container unitfix-development-postgres", "unitfix-development-postgres"),
    }


def test_ports_that_are_not_published_take_nothing():
    listed = [
        {"Names": ["/exposed"], "Ports": [{"PrivatePort": 5432, "Type": "tcp"}]},
        {"Names": ["/udp"], "Ports": [{"PrivatePort": 53, "PublicPort": 53, "Type": "udp", "IP": "0.0.0.0"}]},
        {"Names": ["/still"], "Ports": []},
        {"Names": ["/older"], "Ports": None},
        {"Names": ["/both"], "Ports": [{"PublicPort": 80, "Type": "tcp", "IP": ip} for ip in ("0.0.0.0", "::")]},
    ]
    assert ports.published(listed) == {80: Holder("container both", "both")}


@pytest.mark.usefixtures("recorded")
def test_what_takes_a_port_is_named_by_who_holds_it():
    spec = builders.declared()
    records = [builders.record_of(spec, port=6000), builders.record_of(spec, port=5990)]
    taken = ports.taken(builders.fixture("engine-20.10/list.json"), records)
    # 5990 is listened on too, by the engine's proxy; the container says more.
    assert taken[5990].words == "container unitfix-development-postgres"
    assert taken[6000].words == "database app-development-postgres"
    assert taken[0x1538].words == "a process that listens on it"
    assert 5433 not in taken


@pytest.mark.usefixtures("recorded")
def test_every_instance_of_a_database_keeps_its_port_and_that_of_another_is_not_its_own():
    record = builders.record_of(builders.declared(), port=6000)
    pooler = Instance("pooler", "pooler", f"{record.container}-pool", 6432, True)
    record = dataclasses.replace(record, instances=(*record.instances, pooler))
    taken = ports.taken([], [record])
    assert taken[6432] == Holder(f"the pooler of database {record.container}", pooler.container)
    assert by_others(taken, record.container)[6432] == taken[6432] and 6000 not in by_others(taken, record.container)
    elsewhere = ports.taken([], [], [record])
    assert elsewhere[6432].words == f"the pooler of database {record.container} of another data root"
