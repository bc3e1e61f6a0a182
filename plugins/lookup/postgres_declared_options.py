# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_declared_options
short_description: The options of a database that variables declare
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Returns the options of M(vellaric.postgres.postgres_db) that are given as variables of the play, each under the
    name of the option with something before it, such as C(database_memory).
  - Role P(vellaric.postgres.database#role) does this itself.
options:
  _terms:
    description: What the names of the variables begin with, such as V(database).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Bring the database to what the variables declare
  vellaric.postgres.postgres_db:
    databases: "{{ query('vellaric.postgres.postgres_declared_options', 'database') }}"
"""

RETURN = r"""
_raw:
  description: For each term, the options that are given, by name.
  type: list
  elements: dict
  sample: [{name: shop, environment: production, memory: 2g}]
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.spec import ARGUMENTS
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import plain


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        return [self._given(str(term), variables or {}) for term in terms]

    def _given(self, prefix: str, there: dict[str, Any]) -> dict[str, Any]:
        given = {name: there[f"{prefix}_{name}"] for name in ARGUMENTS if f"{prefix}_{name}" in there}
        omitted = there.get("omit")
        templated = self._templar.template(given)
        return {name: plain(value, str) for name, value in templated.items() if value != omitted or value is None}
