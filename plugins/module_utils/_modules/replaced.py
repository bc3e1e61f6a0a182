# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that replace a database, by a restore or an import, return and warn of alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._backups import catalog

if TYPE_CHECKING:
    from .._backups.target import Target
    from .._dumps.swap import Outcome
    from .module import Module


def warn(module: Module, target: Target, outcome: Outcome) -> None:
    for warning in outcome.warnings:
        module.warn(f"{target.container}: {warning}")


def result(target: Target, outcome: Outcome, holds: str) -> dict[str, Any]:
    """Return what a module says of an Outcome. holds: in words, what the database then holds."""
    before = outcome.backup_before
    return {
        "changed": bool(outcome.actions),
        "container_name": target.container,
        "actions": [step.result() for step in outcome.actions],
        "backup_before": catalog.describe(before) if before else None,
        "old_database": outcome.old_database,
        "old_dropped": outcome.old_dropped,
        "interruption_seconds": round(outcome.interruption, 2),
        "clients_waited_seconds": round(sum(wait.seconds for wait in outcome.waits), 2),
        "clients_cut": sum(wait.ended for wait in outcome.waits),
        "diff": {
            "before_header": target.container,
            "after_header": target.container,
            "before": {"database": target.name, "holds": "what it holds now"},
            "after": {"database": target.name, "holds": holds},
        },
    }
