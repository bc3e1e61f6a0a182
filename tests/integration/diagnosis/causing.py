# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of databases: how each is caused on a real one, and what a diagnosis has to name. The table in docs/ has them.

A fault is a context manager that takes the place (see Place), and puts everything back at its end.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness

DOMAIN = "db.example.com"
FEW_CONNECTIONS = 12
SETTINGS = {"max_connections": FEW_CONNECTIONS, "work_mem": "8MB", "autovacuum": "off"}
# Of what a database has that the faults are caused in.
DECLARED = {"settings": SETTINGS, "address": DOMAIN, "sslmode": "verify-full", "memory": "256m"}


class Place:
    """The database `short` of a host. ask: options for the module that belong to the fault."""

    def __init__(self, host: harness.Host, short: str) -> None:
        self.host = host
        self.short = short
        self.ask: dict[str, Any] = {}

    @property
    def container(self) -> str:
        return self.host.container(self.short)

    @property
    def directory(self) -> Path:
        return self.host.directory(self.short)

    @property
    def data(self) -> Path:
        return next(self.directory.glob("pgdata/*/docker"))

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.host.psql(self.short, statement)

    def declare(self, **options: Any) -> dict[str, Any]:
        return self.host.run(self.short, **{**DECLARED, **options})

    def diagnose(self, **options: Any) -> dict[str, Any]:
        given = {
            "name": self.host.name(self.short),
            "environment": self.host.environment,
            "data_root": self.host.data_root,
            "backup_root": self.host.defaults["backup_root"],
            "password": harness.PASSWORD,
            **self.ask,
            **options,
        }
        given = {key: value for key, value in given.items() if value is not None}
        return self.host._result("postgres_db_diagnosis", given)

    def serves(self) -> bool:
        try:
            return self.host.query(self.short, "SELECT 1") == [(1,)]
        except harness.psycopg.Error:
            return False


Cause = Callable[[Place], "contextlib.AbstractContextManager[None]"]


@dataclasses.dataclass(frozen=True)
class Fault:
    """symptom: a heading of docs/troubleshooting.md; caused: in words; check, state: what has to be named first; fix:
    a part of the command that has to be told; often: whether it is caused in every run of the tests."""

    name: str
    symptom: str
    caused: str
    check: str
    state: str
    fix: str
    cause: Cause
    often: bool


FAULTS: dict[str, Fault] = {}


@dataclasses.dataclass(frozen=True)
class OnHost:
    """A fault of a whole host, which test_diagnose_hosts.py causes on one of its own."""

    symptom: str
    caused: str
    check: str
    fix: str


NO_ENGINE = OnHost("The engine is broken", "the host has none", "engine", "vellaric.postgres.prepare")
STOPPED_ENGINE = OnHost("The engine is broken", "it was stopped", "engine", "systemctl start docker")
BROKEN_ENGINE = OnHost("The engine is broken", "its `daemon.json` is damaged", "engine", "journalctl -u docker")
UNKNOWN_NAME = OnHost("Connections are refused", "clients do not know the name", "client_reach", "getent hosts")
FIREWALL = OnHost("Connections are refused", "a firewall drops what clients send", "client_reach", "nc -zv")
ON_HOSTS = (NO_ENGINE, STOPPED_ENGINE, BROKEN_ENGINE, UNKNOWN_NAME, FIREWALL)


def fault(
    symptom: str, caused: str, check: str, fix: str, state: str = "fails", often: bool = False
) -> Callable[[Callable[[Place], Iterator[None]]], Cause]:
    def register(function: Callable[[Place], Iterator[None]]) -> Cause:
        cause = contextlib.contextmanager(function)
        FAULTS[function.__name__] = Fault(function.__name__, symptom, caused, check, state, fix, cause, often)
        return cause

    return register


def up(place: Place) -> None:
    """Bring it back to what is declared, and wait until it serves."""
    place.declare()
    harness.eventually(place.serves, 60)
