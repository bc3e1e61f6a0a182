# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection itself would say of what examples declare: fleets of databases, and schedules of backups."""

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import cron, recipients, schedule
from ansible_collections.vellaric.postgres.plugins.plugin_utils import declarations
from ansible_collections.vellaric.postgres.tests.unit.examples import known

# What an example that shows a part leaves out.
_REST = {"environment": "production"}
_HOST = {"scheduler": "systemd", "data_root": "/var/vellaric/postgres", "docker_host": "unix:///var/run/docker.sock"}


def mistakes(values: dict) -> list[str]:
    given = known.without_templates(values)
    defaults = given.get("databases_defaults") or {}
    fleet = given.get("postgres_databases") or []
    whole = [{"name": "shop", **_REST, **defaults}, *declarations.with_defaults(fleet, {**_REST, **defaults})]
    return declarations.mistakes(whole) + _of_schedules(given)


def _of_schedules(given: dict) -> list[str]:
    own = {name.removeprefix("backup_"): value for name, value in given.items() if name.startswith("backup_")}
    try:
        recipients.from_declaration(own.get("notify") or {})
        for one in schedule.from_declaration({**_HOST, "wait_timeout": 7200, **own}).schedules():
            # Words mean the same to systemd, which nobody asks here.
            if one.calendar.isalpha():
                cron.parse(one.calendar)
    except DatabaseError as error:
        return [error.message]
    return []
