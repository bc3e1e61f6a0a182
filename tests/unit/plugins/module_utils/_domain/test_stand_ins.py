# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import stand_ins


def wanted(reference, build="fallback"):
    return stand_ins.Wanted(reference, "missing", build, "ours")


@pytest.mark.parametrize(
    ("reference", "stand_in"),
    [
        ("postgres:15-alpine", "ours:15-bookworm"),
        ("postgres:17.2", "ours:17-trixie"),
        ("mirror.example.com:5000/library/postgres:18", "ours:18-forky"),
        # No release of Debian has it; another image may hold what a stand-in has not; a digest names one image only.
        ("postgres:16", ""),
        ("timescale/timescaledb:15", ""),
        ("postgres:15@sha256:0123", ""),
        ("postgres:latest", ""),
    ],
)
def test_what_stands_in_for_an_image(reference, stand_in):
    assert wanted(reference).stand_in == stand_in
    assert wanted(reference).taken == [reference] + ([stand_in] if stand_in else [])
    assert wanted(reference, "never").taken == [reference]
    assert wanted(reference, "always").taken == ([stand_in] if stand_in else [])


def test_an_image_of_ours_is_built_and_asked_of_no_registry():
    pooler = wanted("vellaric/pgbouncer:trixie")
    assert pooler.built_only and pooler.taken == ["vellaric/pgbouncer:trixie"] and not pooler.note
    assert pooler.recipe.suite == "trixie" and pooler.recipe.program == "pgbouncer"
    assert wanted("vellaric/pgbouncer:trixie", "always").taken == ["vellaric/pgbouncer:trixie"]
    assert not wanted("vellaric/pgbouncer:1.25.1").built_only and not wanted("postgres:15").built_only


def test_who_gets_another_libc_is_told():
    assert "musl" in wanted("postgres:15-alpine").note and "musl" not in wanted("postgres:15").note


@pytest.mark.parametrize(
    ("stderr", "silent"),
    [
        ("Error response from daemon: Get https://x/v2/: dial tcp: lookup x: no such host", True),
        ("net/http: request canceled while waiting for connection (Client.Timeout exceeded)", True),
        ("Error response from daemon: manifest for postgres:99 not found", False),
        ("pull access denied, repository does not exist or may require docker login", False),
    ],
)
def test_a_registry_that_says_no_has_answered(stderr, silent):
    assert stand_ins.nobody_answered(stderr) is silent


def test_the_image_that_is_there_is_taken_and_nobody_is_asked_for_a_stand_in():
    there = {"postgres:17": "postgres:17", "postgres:15": "ours:15"}
    assert stand_ins.instead({"version": 17}, there) == {"version": None, "image": "postgres:17"}
    found = stand_ins.instead({"version": "15", "pull": "always"}, there)
    assert found == {"version": None, "image": "ours:15", "pull": "never"}


@pytest.mark.parametrize(
    "declared",
    [
        {"version": "18"},
        {"version": "17", "partial": True},
        {"version": "17", "state": "absent"},
        {"image": "other:17"},
        # Whoever reads the declaration refuses it.
        {"version": "17\r\nX: y"},
    ],
)
def test_else_a_declaration_is_left_as_it_is(declared):
    assert stand_ins.instead(declared, {"postgres:17": "ours:17"}) == declared
    assert "17" not in "".join(stand_ins.pulled([declared]))
