# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is refused before anything is touched, and the message names the option."""

from __future__ import annotations

import pytest

REFUSALS = [
    # option in the message, what is declared
    ("name", {"name": "My-Database"}),
    ("name", {"name": "under_score"}),
    ("name", {"name": "-a"}),
    ("name", {"name": "a-"}),
    ("name", {"name": ""}),
    ("name", {"name": "a/../../b"}),
    ("name", {"name": 'a"; DROP DATABASE postgres; --'}),
    ("name", {"name": "a\n"}),
    ("name", {"name": "ä"}),
    ("name", {"name": "postgres"}),
    ("name", {"name": "a" * 50}),
    ("environment", {"environment": "test"}),
    ("environment", {"environment": "Production"}),
    ("environment", {"environment": None}),
    ("state", {"state": "running"}),
    ("port", {"port": 0}),
    ("port", {"port": 65536}),
    ("port", {"port": "http"}),
    ("port_range", {"port_range": "6431-5432"}),
    ("port_range", {"port_range": "5432-"}),
    ("port_range", {"port_range": "0-100"}),
    ("port_range", {"port_range": "a-b"}),
    ("memory", {"memory": "lots"}),
    ("memory", {"memory": "1m"}),
    ("memory", {"memory": "-1g"}),
    ("memory", {"memory": "0"}),
    ("memory", {"memory": "1x"}),
    ("shm_size", {"shm_size": "64 parsecs"}),
    ("cpus", {"cpus": "0"}),
    ("cpus", {"cpus": "-1"}),
    ("cpus", {"cpus": "many"}),
    ("cpus", {"cpus": "nan"}),
    ("trusted_sources", {"trusted_sources": ["10.0.0.1/8"]}),
    ("trusted_sources", {"trusted_sources": ["10.0.0.0/33"]}),
    ("trusted_sources", {"trusted_sources": ["example.com"]}),
    ("trusted_sources", {"trusted_sources": ["all"]}),
    ("trusted_sources", {"trusted_sources": ["0.0.0.0/0 trust\nhost all all all"]}),
    ("bind_address", {"bind_address": "localhost"}),
    ("bind_address", {"bind_address": "10.0.0.256"}),
    ("base_domain", {"base_domain": "exa mple.com"}),
    ("base_domain", {"base_domain": "example..com"}),
    ("address", {"address": "exämple.com"}),
    ("address", {"address": "db 1"}),
    ("sslmode", {"sslmode": "allow"}),
    ("settings", {"settings": {"Work_Mem": "1MB"}}),
    ("settings", {"settings": {"work mem": "1MB"}}),
    ("settings", {"settings": {"hba_file": "/tmp/pg_hba.conf"}}),
    ("settings", {"settings": {"ssl": False}}),
    ("settings", {"settings": {"listen_addresses": "*"}}),
    ("settings", {"settings": {"port": 5433}}),
    ("settings", {"settings": {"no_such_parameter": 1}}),
    ("settings", {"settings": {"work_mem": "much"}}),
    ("settings", {"settings": {"max_connections": -5}}),
    ("settings", {"settings": {"work_mem": None}}),
    ("settings", {"settings": {"work_mem": ["1MB"]}}),
    ("settings", {"settings": {"log_line_prefix": "a\nhba_file = '/tmp/x'"}}),
    ("settings", {"settings": "work_mem"}),
    ("image", {"image": "Not An Image"}),
    ("image", {"image": "postgres:"}),
    ("version", {"version": "15 alpine", "image": None}),
    ("version", {"version": "15"}),
    ("image", {"version": "15"}),
    ("password", {"password": "short"}),
    ("password", {"password": "with a blank in it"}),
    ("password", {"password": "pässword-of-length"}),
    ("password", {"password": "{{ lookup('x') }}-long"}),
    ("username", {"username": "postgres"}),
    ("username", {"username": "pg_monitor"}),
    ("username", {"username": "Upper"}),
    ("username", {"username": 'a" SUPERUSER; --'}),
    ("pull", {"pull": "sometimes"}),
    ("wait_timeout", {"wait_timeout": 0}),
    ("data_root", {"data_root": "relative/path:ro"}),
    ("data_root", {"data_root": "/"}),
    ("backup_root", {"backup_root": "/a:b"}),
    ("docker_timeout", {"docker_timeout": 0}),
    ("max_impact", {"max_impact": "everything"}),
    ("colour", {"colour": "blue"}),
]


@pytest.fixture(scope="module")
def pristine(shared):
    return shared


@pytest.mark.parametrize(("option", "declared"), REFUSALS, ids=[f"{o}-{i}" for i, (o, _d) in enumerate(REFUSALS)])
def test_refused(pristine, option, declared):
    short = None if "name" in declared else "a"
    message = pristine.refused(short, **declared)
    assert option in message, message
    # What was declared cannot forge lines, and a password is never repeated.
    if "password" in declared:
        assert declared["password"] not in message
    assert pristine.untouched()


def test_the_same_in_check_mode(pristine):
    for option, declared in REFUSALS[::7]:
        short = None if "name" in declared else "a"
        assert option in pristine.refused(short, check=True, **declared)


def test_a_new_database_needs_credentials(pristine):
    for missing in ({"password": None}, {"username": None}, {"username": None, "password": None}):
        message = pristine.refused("a", **missing)
        assert "needs a username and a password" in message and "postgres_db_credentials" in message
    assert pristine.untouched()


def test_several_errors_of_a_list_are_found_before_anything_is_done(pristine):
    good, bad = {"name": pristine.name("a")}, {"name": pristine.name("b"), "memory": "lots"}
    assert "memory" in pristine.refused(databases=[good, bad])
    assert pristine.untouched()


def test_what_is_refused_leaves_a_database_as_it_is(host):
    host.run("a")
    before = host.record("a")
    for declared in ({"settings": {"work_mem": "much"}}, {"memory": "lots"}, {"trusted_sources": ["all"]}):
        host.refused("a", **declared)
        assert host.record("a") == before
        assert host.run("a")["actions"] == []
