# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator should hear of scheduled backups."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._findings import safety

PART = {
    "calendar": "daily",
    "unit": "vellaric-backup@production.timer",
    "active": True,
    "next_run_at": "2026-06-16T00:00:00Z",
    "last_run_at": "2026-06-15T00:00:00Z",
    "last_outcome": "ok",
    "last_reason": None,
    "last_success_at": "2026-06-15T00:00:10Z",
    "notification_error": None,
}
FAILED = {"last_outcome": "failed", "last_reason": "the disk is full"}


def found(backup=None, verify=None, environment="production", last=None, last_verified=None):
    scheduled = {**PART, **(backup or {}), "verify": {**PART, **(verify or {})}}
    backups = {"schedule": scheduled, "last": last, "last_verified": last_verified}
    facts = {"shown": {"environment": environment}, "backups": backups}
    return [(one.severity, one.code, one.message + one.advice) for one in safety.schedule_failed(facts, {}, "")]


def test_all_is_well():
    assert found() == []
    assert list(safety.schedule_failed({"shown": {}, "backups": {"schedule": None}}, {}, "")) == []
    assert list(safety.schedule_failed({"shown": {}}, {}, "")) == []
    assert found({"calendar": None, "active": None, "unit": None, "last_outcome": "skipped"}) == []


def test_a_backup_that_failed():
    ((severity, code, text),) = found(FAILED)
    assert (severity, code) == ("critical", "scheduled_backup_failed")
    assert "the disk is full" in text and "systemctl start vellaric-backup@production.service" in text
    assert found(FAILED, environment="staging")[0][0] == "warning"
    assert found(FAILED, last={"created_at": "2026-06-14T00:00:00Z"})[0][1] == "scheduled_backup_failed"
    assert found(FAILED, last={"created_at": "2026-06-15T08:00:00Z"}) == [], "somebody has taken one since"
    assert "playbook backup" in found({**FAILED, "unit": None})[0][2]


def test_a_verification_that_failed():
    ((severity, code, text),) = found(verify={**FAILED, "unit": None})
    assert (severity, code) == ("critical", "scheduled_verification_failed") and "playbook verify" in text
    assert found(verify=FAILED, last_verified={"verified_at": "2026-06-15T08:00:00Z"}) == []


@pytest.mark.parametrize("active", [True, None])
def test_a_timer_that_somebody_stopped(active):
    assert found({"active": active}) == []
    ((severity, code, text),) = found({"active": False})
    assert (severity, code) == ("warning", "schedule_not_active") and "is not active" in text


def test_nobody_could_be_told():
    ((severity, code, text),) = found({"notification_error": "it answered 404"})
    assert (severity, code) == ("warning", "notification_failed") and "404" in text
