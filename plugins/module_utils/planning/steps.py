# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nouns of change: a step, and the plan that steps make up. Pure."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from ..facts import ContainerConfig
from ..record import Record

# What a step does to those who use the database, from nothing to the longest interruption.
IMPACTS = ("none", "restart", "recreate")


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do. verb names the function of apply, summary says it to a person.

    reason: why it cannot be had with less impact.
    """

    verb: str
    summary: str
    impact: str = "none"
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do, and what the steps need: the record, container and files as they will be.

    spec: the declaration with the logins that take turns among its users.
    certification: what becomes of the certificate. warnings: what a person is to know besides.
    sides: gives what is there and what will be there, for the diff, to those who want to see it (before and after).
    pending: steps that max_impact holds back. final: False where an image has to be fetched, or a server to be
    started, before everything can be known; apply then observes and plans once more.
    """

    steps: tuple = ()
    pending: tuple = ()
    record: Record | None = None
    config: ContainerConfig | None = None
    files: dict = dataclasses.field(default_factory=dict)
    sides: Callable = lambda: ({}, {})
    final: bool = True
    certification: object = None
    warnings: tuple = ()
    spec: object = None

    @functools.cached_property
    def _shown(self):
        return self.sides()

    @property
    def before(self):
        return self._shown[0]

    @property
    def after(self):
        return self._shown[1]

    @property
    def reserves_port(self):
        return bool(self.steps) and self.steps[0].verb == "reserve"
