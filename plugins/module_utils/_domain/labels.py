# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of this collection's containers: of which database each is, and what it does for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .record import PRIMARY

PREFIX = "io.vellaric.postgres."
ID = PREFIX + "id"
NAME = PREFIX + "name"
ENVIRONMENT = PREFIX + "environment"
# The role of an instance (record.Instance). Containers of the versions before have no such label: each is a primary.
ROLE = PREFIX + "role"
# What was declared when the container was made: its own reference is an id where the tag has moved on.
IMAGE = PREFIX + "image"
MANAGED_BY = "vellaric.postgres"
_MANAGED_BY = PREFIX + "managed-by"
_SCHEMA = PREFIX + "schema"
_SCHEMA_VERSION = "1"


class Owner(NamedTuple):
    """The database that a container is an instance of, and its role there."""

    name: str
    environment: str
    role: str


def of_instance(owner: Owner, database_id: str | None, image: str) -> dict[str, str]:
    """Return the labels of an instance's container. image: as it is declared."""
    return {
        ID: database_id or "",
        NAME: owner.name,
        ENVIRONMENT: owner.environment,
        ROLE: owner.role,
        _MANAGED_BY: MANAGED_BY,
        _SCHEMA: _SCHEMA_VERSION,
        IMAGE: image,
    }


def is_managed(labels: Mapping[str, str] | None) -> bool:
    """Say whether a container with these labels is one of this collection. labels: as the engine gives them."""
    return (labels or {}).get(_MANAGED_BY) == MANAGED_BY


def owner(labels: Mapping[str, str] | None) -> Owner | None:
    """Return whose container has these labels; None where it is not of this collection."""
    if labels is None or not is_managed(labels):
        return None
    return Owner(labels.get(NAME, ""), labels.get(ENVIRONMENT, ""), labels.get(ROLE, PRIMARY))


def own(labels: Mapping[str, str]) -> dict[str, str]:
    """Return those of a container's labels that are ours, as this version would write them."""
    return {ROLE: PRIMARY, **{key: value for key, value in labels.items() if key.startswith(PREFIX)}}
