# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups are kept. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._domain.errors import DatabaseError

if TYPE_CHECKING:
    from .catalog import Backup

STEPS = ("daily", "weekly", "monthly", "yearly")


@dataclasses.dataclass(frozen=True)
class Retention:
    """How many are kept; one that any of these keeps is kept. None: not by this.

    last: that many of the newest; days: those of that many days; daily and so on: the last one of each of that many
    days, weeks (from Monday), months, years that have one (UTC).
    """

    last: int | None = None
    days: int | None = None
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None
    yearly: int | None = None


def from_option(given: Mapping[str, int | None] | None) -> Retention:
    """Return the Retention of an option. Raises DatabaseError."""
    values = {field.name: (given or {}).get(field.name) for field in dataclasses.fields(Retention)}
    if all(value is None for value in values.values()):
        raise DatabaseError(f"retention says nothing of what is kept: give one of {', '.join(values)}")
    for name, value in values.items():
        if value is not None and value < 0:
            raise DatabaseError(f"retention.{name} is {value}: at least 0")
    return Retention(**values)


def kept(backups: Sequence[Backup], retention: Retention) -> dict[str, list[str]]:
    """Return the reasons for which each backup is kept, by its file name; one that is not in there may go.

    backups: catalog.Backup, the newest last. Damaged ones neither count nor go: what is left of them may be all that
    there is, and somebody should look at them. The newest good one stays whatever the rules say, and so does the
    newest verified one.
    """
    reasons: dict[str, list[str]] = {}

    def keep(backup: Backup, why: str) -> None:
        reasons.setdefault(backup.file_name, []).append(why)

    good = [backup for backup in backups if backup.good]
    for backup in backups:
        if not backup.good:
            keep(backup, "damaged")
    for backup in good[-1:]:
        keep(backup, "newest")
    for backup in [backup for backup in good if backup.verified][-1:]:
        keep(backup, "newest verified")
    for backup in good[max(0, len(good) - (retention.last or 0)) :]:
        keep(backup, "last")
    for backup in good:
        if retention.days is not None and backup.age_seconds <= retention.days * 86400:
            keep(backup, "days")
    for step in STEPS:
        wanted = getattr(retention, step) or 0
        latest = {}
        for backup in good:
            latest[_period(step, backup)] = backup
        for period in sorted(latest)[max(0, len(latest) - wanted) :]:
            keep(latest[period], step)
    return reasons


def removable(backups: Sequence[Backup], retention: Retention) -> list[Backup]:
    """Return the backups that are not kept, the oldest first."""
    reasons = kept(backups, retention)
    return [backup for backup in backups if backup.file_name not in reasons]


def _period(step: str, backup: Backup) -> tuple[int, ...]:
    day = datetime.date.fromisoformat(backup.created_at[:10])
    if step == "weekly":
        return tuple(day.isocalendar()[:2])
    return (day.year, day.month, day.day)[: {"yearly": 1, "monthly": 2, "daily": 3}[step]]
