# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import outcomes

SHOP = "shop-production-postgres"


def outcome(*verbs, pending=(), **given):
    actions = [{"verb": verb, "summary": f"{verb} it", "impact": "none"} for verb in verbs]
    held = [{"verb": "replace", "summary": f"replace it for {why}", "impact": "recreate"} for why in pending]
    database = {"host": "10.0.0.1", "port": 5432}
    return {"container_name": SHOP, "actions": actions, "pending": held, "database": database, **given}


def shown(check_mode=False, **answers):
    return outcomes.lines(answers, check_mode)


def test_a_host_with_nothing_to_do_takes_a_line_for_each_database():
    assert shown(docker1={"databases": [outcome()], "undeclared": []}) == [
        "DATABASE                  ADDRESS        DONE     PENDING",
        f"{SHOP}  10.0.0.1:5432  nothing  -",
    ]


@pytest.mark.parametrize(
    ("verbs", "word"),
    [
        (["reserve", "create", "initialise", "role"], "created"),
        (["reserve", "create", "role"], "created"),
        (["update"], "changed"),
        (["create", "start"], "changed"),
        (["trash"], "deleted"),
        (["undelete", "create", "role"], "brought back"),
        (["adopt", "write_files"], "adopted"),
    ],
)
def test_what_was_done_is_a_word_and_the_steps_are_below(verbs, word):
    heading, row, blank, steps = shown(docker1={"databases": [outcome(*verbs)]})
    assert row.split()[2:] == [*word.split(), "-"] and not blank
    assert steps == f"{SHOP}: " + ", ".join(f"{verb} it" for verb in verbs)
    assert shown(True, docker1={"databases": [outcome(*verbs)]})[-1].startswith(f"{SHOP}: would {verbs[0]} it")


def test_what_is_pending_and_what_failed_is_said():
    done = outcome("update", pending=["image"])
    failed = outcome(error="no room", database=None)
    lines = shown(docker1={"databases": [done]}, docker2={"databases": [failed]})
    assert lines[1].split() == [SHOP, "docker1", "10.0.0.1:5432", "changed", "recreate"]
    assert lines[2].split() == [SHOP, "docker2", "-", "failed", "-"]
    assert lines[4:] == [
        f"{SHOP} on docker1: update it; held back: replace it for image",
        f"{SHOP} on docker2: failed: no room",
    ]
    assert outcomes.failures({"databases": [done, failed]}) == {SHOP: "no room"}
    assert outcomes.failures({}) == outcomes.failures(None) == {}


def test_what_nobody_declared_is_reported():
    lines = shown(docker1={"databases": [], "undeclared": ["left-production-postgres"]})
    assert lines[0] == "No database is declared."
    assert lines[1].startswith("Not declared, and left alone: left-production-postgres. Add")


def test_a_host_that_said_nothing_is_named():
    lines = shown(docker1={"databases": [outcome()]}, docker2={})
    assert lines[-1] == "docker2: nothing was done there, see above."


@pytest.mark.parametrize(
    "odd",
    [
        {"databases": "all"},
        {"databases": [None, 1, []]},
        {"databases": [{"container_name": {"a": 1}, "actions": "x", "pending": [3], "database": [], "error": 7}]},
        {"databases": [outcome(database={"host": ["x"], "port": "\x1b[2J"})], "undeclared": {"a": 1}},
    ],
)
def test_what_a_host_answers_is_shown_as_text_or_not_at_all(odd):
    assert "\x1b" not in "".join([*shown(docker1=odd), *outcomes.failures(odd), *outcomes.failures(odd).values()])


def test_files_with_new_credentials_are_to_be_committed():
    def answer(path, changed=True, file=None):
        return {"changed": changed, "path": path, "file": file or path}

    stored = {"docker1": answer("/b.yml"), "docker2": answer("/c.yml", changed=False)}
    stored["docker5"] = answer("/on/another/host.yml", file="/tmp/copy.yml")
    assert outcomes.to_commit({**stored, "docker3": {}, "docker4": answer("/a.yml")}) == [
        "/a.yml",
        "/b.yml",
    ]
