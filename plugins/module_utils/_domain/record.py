# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a database, `database.json` in its directory: what must outlive the container. Never a secret. Pure."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from .errors import DatabaseError

# 1 had one server for each database, whose port, initialised and libc were the record's own.
SCHEMA = 2
FILE_NAME = "database.json"
PRIMARY = "primary"


@dataclasses.dataclass(frozen=True)
class Instance:
    """A container of a database, and what is its own. Today there is one, which serves: the primary.

    name: unique within the database; role: what it does for it. port: given once and kept for life.
    initialised: set when its server has been ready for the first time, before anybody can log in. Until then its data
    directory holds nothing of value and may be made anew; from then on it is never emptied.
    libc: the C library that the data was made under; it decides how text sorts, and so the order of indexes.
    depends_on: the names of the instances without which it is of no use.
    """

    name: str
    role: str
    container: str
    port: int
    initialised: bool
    libc: str | None = None
    depends_on: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Record:
    """id and created_at are given once and kept for life. id: None in a prediction only.

    declared: what was declared last, in the spelling of the options.
    login: the role that logs in for it, where two take turns (names.alternates); None where it does so itself.
    adopted: of a database that somebody else's container had before, what that was, and where its data is (adoption).
    schema: of the file that it was read from: one of an earlier version is written anew by the next run.
    """

    id: str | None
    name: str
    environment: str
    created_at: str
    username: str
    declared: dict[str, Any]
    instances: tuple[Instance, ...]
    login: str | None = None
    adopted: dict[str, Any] | None = None
    schema: int = SCHEMA

    @property
    def container(self) -> str:
        return container_of(self.name, self.environment)

    @property
    def primary(self) -> Instance:
        return next(instance for instance in self.instances if instance.role == PRIMARY)

    @property
    def others(self) -> tuple[Instance, ...]:
        return tuple(instance for instance in self.instances if instance.role != PRIMARY)

    @property
    def port(self) -> int:
        """The primary's, which is that of the database."""
        return self.primary.port

    @property
    def initialised(self) -> bool:
        """Whether the database has served: the primary says so."""
        return self.primary.initialised

    @property
    def libc(self) -> str | None:
        """The primary's: all servers of a database are made from its data."""
        return self.primary.libc

    @property
    def ports(self) -> dict[str, int]:
        """Those of all instances, by name."""
        return {instance.name: instance.port for instance in self.instances}

    def with_primary(self, **changes: Any) -> Record:
        """Return the record with some fields of its primary changed."""
        instances = tuple(
            dataclasses.replace(instance, **changes) if instance.role == PRIMARY else instance
            for instance in self.instances
        )
        return dataclasses.replace(self, instances=instances)


def container_of(name: str, environment: str) -> str:
    return f"{name}-{environment}-postgres"


def primary(container: str, port: int, initialised: bool, libc: str | None = None) -> Instance:
    return Instance(PRIMARY, PRIMARY, container, port, initialised, libc)


def to_json(record: Record) -> str:
    content = {**dataclasses.asdict(record), "schema": SCHEMA}
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def from_json(text: str | bytes, path: str) -> Record:
    """Read a record. Raises DatabaseError where the file is damaged or of a later version of this collection."""
    try:
        content = json.loads(text)
        schema = content["schema"]
        if schema not in (1, SCHEMA):
            raise DatabaseError(
                f"{path} has schema {schema}, this version of the collection knows {SCHEMA}: update the collection"
            )
        if schema == 1:
            content["instances"] = [_only_instance(content)]
        instances = tuple(Instance(**{**one, "depends_on": tuple(one["depends_on"])}) for one in content["instances"])
        record = Record(**{**content, "instances": instances})
        if PRIMARY not in [instance.role for instance in instances]:
            raise ValueError("it has no primary")
        return record
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(
            f"{path} is not a readable record ({error}); the database itself is untouched. Restore the file from a"
            " copy, or move it away: it is then recreated from the container"
        ) from error


def _only_instance(content: dict[str, Any]) -> dict[str, Any]:
    """Take what schema 1 says of the one server out of a record, and return it as an instance."""
    container = container_of(content["name"], content["environment"])
    own = {key: content.pop(key) for key in ("port", "initialised")}
    return dataclasses.asdict(primary(container, libc=content.pop("libc", None), **own))
