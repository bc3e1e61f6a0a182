# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials from creation to deletion: shown once, agreed upon after kills, handed on where files vanish."""

from __future__ import annotations

import json
import re

import psycopg
import pytest

from playbooks import Fleet, changes

ODD = 'p"a$s`w:o@r/d#%;&+='


@pytest.fixture
def fleet(host):
    return Fleet(host).let_kill()


def test_shown_once_at_creation(fleet):
    show = {"show_credentials": True, "database_password": ODD}
    assert not re.search(r"postgresql://\S*:\S*@", fleet.play("create", "--check", **show))
    output = fleet.play("create", **show)
    url = re.search(r"postgresql://\S*:\S*@\S*", output).group(0)
    assert psycopg.connect(url).execute("SELECT 1").fetchone() == (1,)
    output = fleet.play("create", "-vvv", **show)
    assert changes(output) == 0 and ODD not in output and ":p%22a" not in output
    # Neither is it at a later start, which makes a container.
    fleet.host.forget_container("shop")
    assert changes(fleet.play("create", **show)) == 1
    assert ":p%22a" not in fleet.play("create", **show)


def test_creation_and_deletion_killed(fleet):
    """Before and after each task that changes something: a re-run makes store and server agree."""
    entry = fleet.host.container("shop")
    stored = []
    for moment in fleet.moments("create", "Resolve the credentials")[:8]:
        assert fleet.killed("create", VELLARIC_KILL_BEFORE_TASK=str(moment)) != 0
        stored.append(fleet.password() if fleet.credentials.exists() else None)
    fleet.play("create")
    user = fleet.host.record("shop")["username"]
    assert fleet.host.query("shop", "SELECT 1", user=user, password=fleet.password()) == [(1,)]
    # What was stored once stays, whatever came after.
    assert set(stored) == {None, fleet.password()}
    gone = {"database_purge": True, "database_forget_credentials": True}
    for moment in fleet.moments("delete", "Bring the database", **gone):
        assert fleet.killed("delete", VELLARIC_KILL_BEFORE_TASK=str(moment), variables=gone) != 0
        # The credentials go after all else: as long as there is a server, or its data, they are stored.
        there = fleet.host.inspect("shop") is not None or fleet.host.directory("shop").exists()
        assert not there or entry in fleet.credentials.read_text()
    fleet.play("delete", **gone)
    assert not fleet.credentials.exists() and fleet.host.inspect("shop") is None


def test_handed_on_from_job_to_job(fleet, monkeypatch):
    """As AWX runs jobs: each begins with a fresh checkout of the project, and is given the artifacts of the last."""
    monkeypatch.setenv("AWX_PRIVATE_DATA_DIR", str(fleet.root))
    monkeypatch.setenv("ANSIBLE_SHOW_CUSTOM_STATS", "true")
    assert "thrown away" in fleet.play("create", succeeds=False) and fleet.host.inspect("shop") is None
    declared = {"database_credentials_artifact": True, "database_users": [{"name": "report", "role": "readonly"}]}
    first = artifact(fleet.play("create", **declared))
    assert set(first) == {fleet.host.container("shop"), fleet.host.container("shop") + "/report"}
    old = fleet.password()
    assert old not in json.dumps(first)
    fleet.credentials.unlink()
    second = artifact(fleet.play("rotate", postgres_credentials_artifact=first, database_credentials_artifact=True))
    new = fleet.password()
    fleet.credentials.unlink()
    assert changes(fleet.play("create", postgres_credentials_artifact=second, **declared)) == 1
    user = fleet.host.record("shop")["username"]
    assert new == fleet.password() != old
    assert fleet.host.query("shop", "SELECT 1", user=user, password=new) == [(1,)]


def artifact(output):
    stats = output[output.index("CUSTOM STATS:") :]
    return json.loads(re.search(r"RUN: (\{.*\})", stats).group(1))["postgres_credentials_artifact"]
