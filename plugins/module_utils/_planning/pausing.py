# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan that lets a pooler's clients wait, or go on, and does nothing else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._domain import pooler, pooler_facts
from .._domain.errors import Refused
from .pooler_steps import PoolerPause, PoolerResume
from .steps import Plan

if TYPE_CHECKING:
    from .._domain.facts import Observed
    from .._domain.pooler_facts import PoolerFacts
    from .._domain.spec import DatabaseSpec
    from .steps import Step


def plan(spec: DatabaseSpec, seen: Observed) -> Plan:
    """Pause or resume; the other options have no part in it. Raises Refused where there is nothing to be paused."""
    found = _found(spec, seen)
    before = {"pooler": {"paused": sorted(found.paused)}}
    names: tuple[str, ...] = (spec.name,)
    steps: tuple[Step, ...] = ()
    if spec.state == "resumed" and found.paused:
        steps = (PoolerResume(spec.pooler_container, found.paused),)
    if spec.state == "paused" and spec.name not in found.paused:
        steps = (PoolerPause(spec.pooler_container, spec.name),)
        names = tuple(sorted({*found.paused, spec.name}))
    after = {"pooler": {"paused": list(names) if spec.state == "paused" else []}}
    return Plan(steps=steps, record=seen.record, sides=lambda: (before, after if steps else before))


def _found(spec: DatabaseSpec, seen: Observed) -> PoolerFacts:
    """Return what is there of the pooler, which answers where it runs."""
    cannot = f"{spec.container} cannot be {spec.state}"
    if seen.record is None:
        raise Refused(f"{cannot}: there is no such database")
    found, declared = pooler_facts.of(seen), pooler.from_option(seen.record.declared.get("pooler"))
    if found is None or declared is None:
        raise Refused(f"{cannot}: it has no pooler, whose clients could wait. Declare one (pooler: true)")
    container = found.container
    if spec.state == "paused" and declared.mode == "session":
        raise Refused(
            f"{cannot}: in mode session, its pooler gives each client a connection for as long as that stays, and would"
            " wait until the last one has left"
        )
    if container is None or not container.running:
        if spec.state == "resumed":
            # What is paused is so only while it runs.
            return found
        what = "is missing" if container is None else f"does not run ({container.status})"
        raise Refused(f"{cannot}: {spec.pooler_container} {what}. Start it: state: started, or playbook start")
    if found.silent is not None:
        raise Refused(
            f"{cannot}: the console of {spec.pooler_container} does not answer ({found.silent}). Restart it:"
            f" docker restart {spec.pooler_container}"
        )
    return found
