# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pooler by playbooks: its clients are told where it is, wait while it is paused, and go on."""

from __future__ import annotations

import json
import threading

import psycopg
import pytest
from harness import PASSWORD, THOROUGH, USERNAME, Failed, docker, eventually
from pooled import Pooled

from playbooks import Fleet, changes

GIVEN = {"database_username": USERNAME, "database_password": PASSWORD}


@pytest.fixture(scope="module")
def fleet(shared):
    fleet = Fleet(shared)
    fleet.play("create", database_pooler=True, database_sslmode="verify-full", **GIVEN)
    yield fleet
    docker("rm", "-fv", Pooled(shared, "shop").container, check=False)


@pytest.fixture
def pooled(fleet):
    return Pooled(fleet.host, "shop")


def test_clients_wait_until_they_are_let_go_on(fleet, pooled):
    predicted = [action["verb"] for action in pooled.host.check(pooled.short, state="paused")["actions"]]
    assert predicted == ["pooler_pause"] and pooled.paused() == []
    assert changes(fleet.play("pause", "--diff")) == 1 and pooled.paused() == [pooled.name]
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(pooled.answers(connect_timeout=100)))
    waiting.start()
    with pooled.connect(session=True) as client:
        assert client.execute("SELECT 1").fetchone() == (1,), "sessions do not wait"
    assert verbs_of(pooled, state="paused") == [] and not answers
    assert changes(fleet.play("resume")) == 1
    waiting.join()
    assert answers == [True] and pooled.paused() == []
    assert verbs_of(pooled, state="resumed") == []


def verbs_of(pooled, **options):
    return [action["verb"] for action in pooled.host.run(pooled.short, **options)["actions"]]


def test_a_transaction_that_goes_on_is_named_and_nobody_waits(pooled):
    with pooled.connect() as client:
        client.execute("BEGIN")
        client.execute("SELECT 1")
        with pytest.raises(Failed) as caught:
            pooled.host.run(pooled.short, state="paused", pooler={"pause_timeout": 1})
        assert USERNAME in caught.value.message and pooled.paused() == []
        assert pooled.answers() and client.execute("SELECT 2").fetchone() == (2,)


def test_any_other_run_lets_them_go_on(pooled):
    pooled.host.run(pooled.short, state="paused")
    pooled.console(f'PAUSE "{pooled.name}_session"')
    assert "pooler_resume" in verbs_of(pooled, state="started", partial=True)
    assert pooled.paused() == [] and pooled.answers()
    pooled.host.run(pooled.short, state="paused")
    verbs_of(pooled, state="restarted")
    eventually(pooled.answers)


def test_applications_are_told_of_it(fleet, pooled, tmp_path):
    known = pooled.host.one(pooled.short)["pooler"]
    assert known["prepared_statements"] is True
    target = f"@127.0.0.1:{known['port']}/"
    path = tmp_path / "url"
    told = {"database_connection_path": str(path), "database_connection_format": "url"}
    fleet.play("connection", **told, database_connection_via="pooler")
    assert f"{target}{pooled.name}?" in path.read_text()
    # As it is written it serves: the authority of the pooler's certificate is that of the server's.
    with psycopg.connect(path.read_text().strip()) as client:
        assert client.execute("SELECT current_database(), current_user").fetchone() == (pooled.name, USERNAME)
    output = fleet.play("url", database_connection_via="pooler_session")
    assert f"{target}{pooled.name}_session?sslmode=verify-full" in output


@pytest.mark.skipif(not THOROUGH, reason="more forms of the same")
def test_applications_are_told_of_it_in_other_forms(fleet, pooled, tmp_path):
    known = pooled.host.one(pooled.short)["pooler"]
    for kind, via in (("env", "pooler_session"), ("jdbc", "pooler")):
        told = {"database_connection_path": str(tmp_path / kind), "database_connection_format": kind}
        fleet.play("connection", **told, database_connection_via=via)
    assert f"PGPORT={known['port']}\nPGDATABASE={pooled.name}_session\n" in (tmp_path / "env").read_text()
    assert "prepareThreshold" not in (tmp_path / "jdbc").read_text()
    assert "must be one of" in fleet.play("url", succeeds=False, database_connection_via="poller")
    fleet.play("show", output="json", report_dest=str(tmp_path / "shown"))
    (shown,) = json.loads((tmp_path / "shown").read_text())["databases"]
    assert shown["pooler"]["session_database"] == f"{pooled.name}_session"
    assert shown["pooler_statistics"]["paused"] == []


@pytest.mark.skipif(not THOROUGH, reason="another database by another image")
def test_a_version_without_prepared_statements_is_told_of(fleet, tmp_path):
    fleet.play("create", short="old", database_pooler={"image": "vellaric/pgbouncer:bookworm"}, **GIVEN)
    told = {"database_connection_path": str(tmp_path / "jdbc"), "database_connection_format": "jdbc"}
    fleet.play("connection", short="old", **told, database_connection_via="pooler")
    assert "prepareThreshold=0" in (tmp_path / "jdbc").read_text()
    fleet.play("connection", short="old", **told, database_connection_via="pooler_session")
    assert "prepareThreshold" not in (tmp_path / "jdbc").read_text()


def test_what_cannot_be_is_refused(fleet, pooled):
    """At the end: what is left is without a pooler."""
    docker("stop", pooled.container)
    with pytest.raises(Failed, match="does not run"):
        pooled.host.run(pooled.short, state="paused")
    pooled.run(pooler=False)
    assert "has no pooler" in fleet.play("url", succeeds=False, database_connection_via="pooler")
    with pytest.raises(Failed, match="it has no pooler"):
        pooled.host.run(pooled.short, state="resumed")
