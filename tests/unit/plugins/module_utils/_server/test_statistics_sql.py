# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.vellaric.postgres.plugins.module_utils._server import statistics


def test_all_sections_in_one_script():
    text = statistics.script(statistics.SECTIONS, 7, 2.5, {"version": 150020, "statements": '"my schema"'})
    for name in statistics.SECTIONS:
        assert text.count(f"SELECT '{name} ' ||") == 1
    assert "SET statement_timeout = 2500;" in text and "SET lock_timeout = 1000;" in text
    assert 'FROM "my schema".pg_stat_statements AS s' in text
    assert "LIMIT 7" in text
    # Nothing is left to be filled in: what braces there are belong to empty JSON objects.
    assert set(text.replace("'{}'", "").replace("'{\"", "")).isdisjoint("{}")


def test_what_the_version_does_not_have_is_not_asked():
    old = statistics.script(["checks"], 5, 1, {"version": 140010, "statements": None})
    assert "datcollversion" not in old and "pg_collation_actual_version" in old
    assert "datcollversion" in statistics.script(["checks"], 5, 1, {"version": 150000, "statements": None})


def test_queries_are_left_out_without_the_extension():
    text = statistics.script(["queries", "activity"], 5, 1, {"version": 150000, "statements": None})
    assert "pg_stat_statements AS" not in text and "SELECT 'activity '" in text


def test_only_what_depends_on_the_server_needs_to_know_it():
    assert statistics.needs_about(["queries"]) and statistics.needs_about(["statistics", "checks"])
    assert not statistics.needs_about(["statistics", "settings", "sizes", "activity", "replication"])


def test_answers_are_read_by_their_names():
    lines = ["6", "", "statistics " + json.dumps({"a b": "c d"}), "unknown {}", 'activity {"x": []}']
    assert statistics.parse(lines) == {"statistics": {"a b": "c d"}, "activity": {"x": []}}
