# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_artifact
short_description: What AWX can hand on from job to job
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Returns a value as it is, but texts that are nothing but C(*), C(&), C(!), C(=) or C(<<) in single quotes, as
    PostgreSQL's configuration has them, control characters as replacement characters, and what is no number as V(null).
  - AWX marks all texts of an artifact as unsafe when it gives them to the next job. Since ansible-core 2.19, none of
    these can be read when it is marked so, and the next job fails before it begins.
options:
  _input:
    description: What a job returns.
    type: raw
    required: true
seealso:
  - module: ansible.builtin.set_stats
"""

EXAMPLES = r"""
- name: Hand the databases of a host on
  ansible.builtin.set_stats:
    data:
      postgres_artifact: "{{ {inventory_hostname: answer.databases} | vellaric.postgres.postgres_artifact }}"
"""

RETURN = r"""
_value:
  description: What can be handed on.
  type: raw
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import given_plain
from ansible_collections.vellaric.postgres.plugins.plugin_utils.typed import handed_on


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgres_artifact": given_plain(handed_on)}
