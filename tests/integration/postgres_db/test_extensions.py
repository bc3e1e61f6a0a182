# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extensions are declared, created with the library that they need, updated, and dropped again."""

from __future__ import annotations

from harness import verbs


def installed(host):
    rows = host.query("a", "SELECT extname, extversion FROM pg_extension WHERE extname <> 'plpgsql'")
    return dict(rows)


def test_created_with_the_database(host):
    answer = host.converge("a", extensions=["pg_stat_statements", "pg_trgm"])
    assert verbs(answer)[-2:] == ["extensions", "prove_login"]
    assert set(installed(host)) == {"pg_stat_statements", "pg_trgm"}
    # The query of the product guide.
    host.query("a", "SELECT query, mean_exec_time, calls FROM pg_stat_statements ORDER BY mean_exec_time DESC LIMIT 10")
    assert answer["database"]["extensions"] == ["pg_stat_statements", "pg_trgm"]


def test_added_changed_and_removed(host):
    host.run("a", settings={"shared_preload_libraries": "auto_explain"})
    host.psql("a", "SELECT 1")
    added = host.converge("a", settings={"shared_preload_libraries": "auto_explain"}, extensions=["pg_stat_statements"])
    assert verbs(added) == ["write_record", "write_files", "restart", "extensions"]
    assert host.psql("a", "SHOW shared_preload_libraries") == "auto_explain,pg_stat_statements"

    # What needs no library costs no interruption; what is not declared any more goes, with its library.
    changed = host.converge("a", extensions=["pg_trgm=1.5"])
    assert "restart" in verbs(changed)
    assert installed(host) == {"pg_trgm": "1.5"}
    assert host.psql("a", "SHOW shared_preload_libraries") == ""
    updated = host.converge("a", extensions=["pg_trgm=1.6"])
    assert verbs(updated) == ["write_record", "extensions"]
    assert installed(host) == {"pg_trgm": "1.6"}
    assert verbs(host.converge("a")) == ["write_record", "extensions"]
    assert installed(host) == {}


def test_what_was_made_by_hand_stays(host):
    host.run("a")
    host.query("a", "CREATE EXTENSION pg_trgm")
    assert verbs(host.run("a")) == []
    assert set(installed(host)) == {"pg_trgm"}
    assert verbs(host.converge("a", extensions=["pg_trgm"])) == ["write_record", "extensions"]
    host.query("a", "CREATE TABLE t (a text)")
    host.query("a", "CREATE INDEX ON t USING gin (a gin_trgm_ops)")
    assert "depend" in host.refused("a")
    assert set(installed(host)) == {"pg_trgm"}


def test_refused_before_anything_is_touched(host):
    assert "no_such_extension" in host.refused("a", extensions=["no_such_extension"])
    assert "NAME=VERSION" in host.refused("a", extensions=["pg_trgm; DROP TABLE x"])
    assert host.untouched()
