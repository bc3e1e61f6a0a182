# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import pooler
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import InvalidOption
from hypothesis import given
from hypothesis import strategies as st

SPEC = pooler.PoolerSpec()


def test_none_is_declared_by_default():
    assert pooler.from_option(None) is None and pooler.from_option(False) is None
    assert pooler.from_option(True) == SPEC


def test_the_words_of_a_command_line_are_taken():
    assert pooler.from_option("yes") == SPEC and pooler.from_option("off") is None


@pytest.mark.parametrize(
    "declared", [True, {"pool_size": 5}, {"memory": "64m", "settings": {"server_idle_timeout": "9"}}]
)
def test_a_record_keeps_what_was_declared(declared):
    spec = pooler.from_option(declared)
    assert pooler.to_option(spec) == declared and pooler.from_option(pooler.to_option(spec)) == spec
    assert pooler.to_option(None) is None


def test_what_is_declared():
    declared = {"port": 7000, "bind_address": "0.0.0.0", "mode": "session", "pool_size": 8, "memory": "64m"}
    spec = pooler.from_option({**declared, "settings": {"server_idle_timeout": 30, "dns_zone_check_period": True}})
    assert spec == pooler.PoolerSpec(
        port=7000,
        bind_address="0.0.0.0",
        mode="session",
        pool_size=8,
        memory=64 << 20,
        settings={"dns_zone_check_period": "1", "server_idle_timeout": "30"},
    )


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("yes please", "a mapping of its options"),
        ({"prot": 1}, "its options are port"),
        ({"port": 70000}, "a port is between"),
        ({"mode": "fast"}, "transaction, session, statement"),
        ({"pool_size": 0}, "at least 1"),
        ({"pool_size": True}, "a whole number"),
        ({"memory": "1m"}, "at least 32m"),
        ({"pause_timeout": -1}, "at least 0"),
        ({"image": "not an image"}, "an image is"),
        ({"settings": ["a"]}, "is a mapping"),
        ({"settings": {"auth_type": "trust"}}, "leave it out"),
        ({"settings": {"pool_mode": "session"}}, "use mode"),
        ({"settings": {"listen_port": 1}}, "use port"),
        ({"settings": {"%include": "/etc/shadow"}}, "in lower case"),
        ({"settings": {"server_idle_timeout": "1\nauth_type = trust"}}, "line break"),
        ({"settings": {"server_idle_timeout": None}}, "a value is text"),
    ],
)
def test_what_is_refused(declared, said):
    with pytest.raises(ValueError, match=said):
        pooler.from_option(declared)


def test_sizes_by_default():
    assert pooler.sizes(SPEC, None, 100, 3) == pooler.Sizes(20, 25, 5)
    assert pooler.sizes(SPEC, 4 * 10**9, 100, 3) == pooler.Sizes(9, 14, 5)
    # What tune gives a server of 512 MB.
    assert pooler.sizes(SPEC, 10**9, 28, 3) == pooler.Sizes(5, 10, 5)


def test_what_was_not_declared_gives_way():
    assert pooler.sizes(SPEC, None, 20, 3) == pooler.Sizes(9, 9, 1)
    assert pooler.sizes(dataclasses.replace(SPEC, pool_size=8), None, 20, 3) == pooler.Sizes(8, 9, 1)
    assert pooler.sizes(dataclasses.replace(SPEC, session_connections=4), None, 20, 3) == pooler.Sizes(6, 6, 4)


def test_what_does_not_fit_is_refused_with_the_sum():
    with pytest.raises(InvalidOption, match=r"90 connections .* and 5 for sessions are 95, .* which leaves 90"):
        pooler.sizes(dataclasses.replace(SPEC, server_connections=90, session_connections=5), None, 100, 3)
    with pytest.raises(InvalidOption, match="none is left for a pooler"):
        pooler.sizes(SPEC, None, 12, 3)


_SOME = st.none() | st.integers(1, 200)


@given(_SOME, _SOME, _SOME, st.integers(1, 300), st.integers(0, 20), st.none() | st.integers(1, 64 * 10**9))
def test_never_more_than_the_server_has(pool, server, session, connections, reserved, cpus):
    spec = dataclasses.replace(SPEC, pool_size=pool, server_connections=server, session_connections=session)
    try:
        found = pooler.sizes(spec, cpus, connections, reserved)
    except InvalidOption:
        return
    assert found.total + reserved + pooler.OWN_CONNECTIONS <= connections
    assert 1 <= found.pool_size <= found.server and found.session >= 1
    assert server in (None, found.server) and session in (None, found.session)
