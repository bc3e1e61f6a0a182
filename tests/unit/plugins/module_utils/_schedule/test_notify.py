# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told what of a scheduled run, and what is kept of it."""

from __future__ import annotations

import os
import sys

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import notify, results
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import recipients as receivers

WHAT = "Backup of production"


def one(result="ok", reason=None, **more):
    return {
        "name": "shop",
        "environment": "production",
        "outcome": result,
        "reason": reason,
        "started_at": "2026-01-15T10:00:00Z",
        "duration_seconds": 1.5,
        "backup": "b.sql.gz",
        "size_bytes": 7,
        "last_success_at": "2026-01-15T10:00:02Z",
        **more,
    }


def status(result="ok", error=None, **databases):
    return {
        "schedule": "production",
        "action": "backup",
        "started_at": "2026-01-15T10:00:00Z",
        "finished_at": "2026-01-15T10:00:02Z",
        "outcome": result,
        "error": error,
        "pid": 1,
        "databases": databases,
    }


def test_payload():
    failed = status("failed", shop=one("failed", "disk is full"), forum=one())
    content = notify.payload(failed, {}, "db-1", WHAT)
    assert content["text"] == "Backup of production on db-1 failed. shop: disk is full"
    assert (content["event"], content["failed"], content["schedule"]) == ("failed", ["shop"], "production")
    assert notify.payload(status("failed", "no engine"), {}, "db-1", WHAT)["text"].endswith("failed. no engine")
    both = status("failed", "no engine", shop=one("failed", "no engine"), forum=one("failed", "full"))
    assert notify.payload(both, {}, "db-1", WHAT)["text"].endswith("failed. forum: full; no engine")
    assert notify.payload(status(), failed, "db-1", WHAT)["event"] == "recovered"
    assert notify.payload(status(), status(), "db-1", WHAT)["event"] == "succeeded"
    assert notify.payload(status(), {}, "db-1", WHAT)["event"] == "succeeded"


@pytest.mark.parametrize(
    ("when", "event", "told"),
    [("failure", "failed", 1), ("failure", "recovered", 1), ("failure", "succeeded", 0), ("always", "succeeded", 1)],
)
def test_when(when, event, told, tmp_path):
    path = tmp_path / "told"
    receiver = receivers.Receiver(command=("/usr/bin/tee", "-a", str(path)), when=when)
    assert notify.send(receiver, {**notify.payload(status(), {}, "db-1", WHAT), "event": event}) == []
    assert len(path.read_text().splitlines() if path.exists() else []) == told


def test_a_command_is_told_without_a_shell(tmp_path):
    path = tmp_path / "told"
    script = "import os,sys;open(sys.argv[1],'w').write(sys.argv[2]+os.environ['VELLARIC_FAILED']+sys.stdin.read())"
    receiver = receivers.Receiver(command=(sys.executable, "-c", script, str(path), "$(id); "))
    failed = status("failed", shop=one("failed", "nul \0 in it"))
    assert notify.send(receiver, notify.payload(failed, {}, "db-1", WHAT)) == []
    assert path.read_text().startswith("$(id); shop{")


@pytest.mark.parametrize(
    ("command", "trouble"),
    [
        (("/bin/sh", "-c", "echo broken >&2; exit 3"), "it ended with exit code 3: broken"),
        (("/bin/sleep", "60"), "it took longer than 1 s"),
        (("/nowhere/page",), "No such file or directory"),
    ],
)
def test_a_command_that_cannot_be_told(command, trouble):
    receiver = receivers.Receiver(command=command, timeout=1)
    troubles = notify.send(receiver, notify.payload(status("failed"), {}, "db-1", WHAT))
    assert len(troubles) == 1 and trouble in troubles[0] and "backup_notify_command" in troubles[0]


def test_a_url_that_cannot_be_told_is_not_named():
    receiver = receivers.Receiver(command=("/nowhere",), url="http://127.0.0.1:1/hooks/secret-token", timeout=2)
    troubles = notify.send(receiver, notify.payload(status("failed"), {}, "db-1", WHAT))
    assert len(troubles) == 2 and "(127.0.0.1)" in troubles[1] and "secret" not in str(troubles)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"command": "page --all"}, "backup_notify_command is a list"),
        ({"command": ["page"]}, "backup_notify_command is a list"),
        ({"command": ["/usr/bin/page", 3]}, "backup_notify_command is a list"),
        ({"url": "file:///etc/passwd"}, "backup_notify_url is not"),
        ({"url": "https://"}, "backup_notify_url is not"),
        ({"url": "https://a b/"}, "backup_notify_url is not"),
        ({"when": "never"}, "backup_notify_when is 'never': one of failure, always"),
        ({"timeout": -1}, "backup_notify_timeout is -1"),
    ],
)
def test_refusals(declared, message):
    with pytest.raises(DatabaseError, match=message):
        receivers.from_declaration(declared)


def test_nobody():
    receiver = receivers.from_declaration({"command": [], "url": ""})
    assert receiver == receivers.Receiver() and notify.send(receiver, {"event": "failed"}) == []


def test_a_run_that_was_killed_has_failed():
    running = status("running", shop=one("running"), forum=one())
    settled = results.settled(running, lambda pid: False)
    assert (settled["outcome"], results.failed(settled)) == ("failed", ["shop"])
    assert "interrupted" in settled["error"] and "interrupted" in settled["databases"]["shop"]["reason"]
    assert results.settled(running, lambda pid: True) == running
    assert results.settled({}, lambda pid: False) == {}


def test_what_a_run_did_not_come_to():
    before = status(shop=one(), forum=one())
    left = results.unreached(before, ["shop"], status("failed", "no engine"))
    assert list(left) == ["shop"]
    assert (left["shop"]["outcome"], left["shop"]["reason"], left["shop"]["size_bytes"]) == (
        "failed",
        "no engine",
        None,
    )
    assert left["shop"]["last_success_at"] == one()["last_success_at"]


def test_only_runs_of_ours_are_alive():
    assert not results.is_alive(None) and not results.is_alive(2**30) and not results.is_alive("x")
    assert results.is_alive(os.getpid()) == (b"backup" in open("/proc/self/cmdline", "rb").read())


def test_status_files(tmp_path):
    assert results.read(str(tmp_path), "production") == {}
    results.write(str(tmp_path), status(shop=one()))
    assert results.read(str(tmp_path), "production")["databases"] == {"shop": one()}
    for damaged in ("", "[]", "{", '{"schema": 9, "databases": {}}', '{"schema": 1}'):
        (tmp_path / "status/production.json").write_text(damaged)
        assert results.read(str(tmp_path), "production") == {}


def test_metrics():
    statuses = [status("failed", shop=one("failed", "x", last_success_at=None), forum=one(name="forum"))]
    text = results.metrics(statuses, lambda moment: 1700000000)
    labels = 'action="backup",container="shop",environment="production",name="shop"'
    assert f"vellaric_backup_last_run_failed{{{labels}}} 1" in text
    assert f"vellaric_backup_last_success_timestamp_seconds{{{labels}}}" not in text
    assert text.count("# TYPE vellaric_backup_size_bytes gauge") == 1
    assert results.metrics([], int) == ""
