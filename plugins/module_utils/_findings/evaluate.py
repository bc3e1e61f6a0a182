# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules over the facts of a database, the worst first. Pure.

A rule is a function of the facts, the thresholds and the time (ISO 8601, UTC) that yields Findings. A fact that could
not be had is None or absent, upon which rules that need it say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from . import capacity, health, pooling, safety, trust
from .finding import SEVERITIES
from .thresholds import DEFAULTS

if TYPE_CHECKING:
    from .finding import Facts
    from .thresholds import Limits

RULES = (*health.RULES, *capacity.RULES, *pooling.RULES, *safety.RULES, *trust.RULES)


def findings(facts: Facts, thresholds: Mapping[str, float | None], now: str) -> list[dict[str, str]]:
    """Return the findings of a database as module postgres_db_info returns them.

    facts: what was gathered, by its name in the result; besides, shown (the description of the database), silent (why
    its server does not answer), checks, trust, disk, backup_disk, newer_image, opened, unconfined, strays,
    drift, pooler_silent (why its pooler tells nothing) and samples (earlier statistics).
    """
    limits = cast("Limits", {**DEFAULTS, **thresholds})
    found = [finding for rule in RULES for finding in rule(facts, limits, now)]
    return worst_first(
        [
            {
                "severity": finding.severity,
                "code": finding.code,
                "database": facts["shown"]["container_name"],
                "message": finding.message,
                "advice": finding.advice,
            }
            for finding in found
        ]
    )


def worst_first(found: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(found, key=lambda finding: SEVERITIES.index(finding["severity"]))
