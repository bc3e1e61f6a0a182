# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_backup_schedules
short_description: What a declaration of scheduled backups amounts to
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Checks what role P(vellaric.postgres.backup#role) was told, and returns the schedules that come of it. Nothing on a
    host is touched before all of it is right.
options:
  _input:
    description:
      - C(environments), C(databases), C(scheduler), C(data_root), C(docker_host), C(wait_timeout),
        C(textfile_directory) and C(notify), as the role's variables have them, and in C(program) those that are written
        beside the schedules, by their names.
    type: dict
    required: true
seealso:
  - plugin: vellaric.postgres.postgres_backup_archive
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Show what is scheduled unless something else is declared
  ansible.builtin.debug:
    msg: "{{ declared | vellaric.postgres.postgres_backup_schedules | map(attribute='name') }}"
  vars:
    declared:
      scheduler: systemd
      data_root: /var/vellaric/postgres
      docker_host: unix:///var/run/docker.sock
      wait_timeout: 7200
"""

RETURN = r"""
_value:
  description:
    - For each schedule its C(name), C(timer), C(action) (V(backup) or V(verify)), C(calendar), C(cron) (its five
      fields, V(null) with systemd), C(what) for a person, C(environment) and C(database) (V(null) for all of the
      environment).
  type: list
  elements: dict
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import cron, recipients, schedule


def schedules(declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        recipients.from_declaration(declared.get("notify") or {})
        schedule.refuse_program(declared.get("program") or {})
        known = schedule.from_declaration(declared).schedules()
    except DatabaseError as error:
        raise AnsibleFilterError(error.message) from None
    except (KeyError, AttributeError) as error:
        raise AnsibleFilterError(f"What is declared of the backups is incomplete: {error}") from None
    of_cron = declared["scheduler"] == "cron"
    return [
        {
            **dataclasses.asdict(own),
            "timer": own.timer,
            "what": own.what,
            "cron": cron.parse(own.calendar).expression if of_cron else None,
        }
        for own in known
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgres_backup_schedules": schedules}
