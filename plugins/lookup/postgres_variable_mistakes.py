# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_variable_mistakes
short_description: What is wrong with the variables of a play
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Looks through the variables of the play for those that the roles and playbooks of this collection do not have,
    though they are called much like one, such as C(database_memroy), and for numbers where a text is wanted.
  - YAML takes C(database_version) without quotes for a number, V(15.10) for V(15.1); what was written cannot be told
    any more. So it is refused.
  - The playbooks and roles do this themselves.
options:
  _terms:
    description:
      - What the names of the variables begin with that the play is about, such as V(database). What begins so and is
        given to the very run (C(-e)) must be a variable of this collection; elsewhere, such as in an inventory, what
        is like one is refused, and the run warns of others that begin with C(database) or C(databases).
    type: list
    elements: str
    required: true
seealso:
  - plugin: ansible.builtin.varnames
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Check the variables
  ansible.builtin.assert:
    that: mistakes | length == 0
    fail_msg: "{{ mistakes | join('. ') }}"
  vars:
    mistakes: "{{ query('vellaric.postgres.postgres_variable_mistakes', 'database', 'backup') }}"
"""

RETURN = r"""
_raw:
  description: What is wrong, in words; an empty list where nothing is.
  type: list
  elements: str
  sample: ["There is no variable database_memroy, did you mean database_memory?"]
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables as ours


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        there = variables or {}
        wrong, odd = ours.unknown(list(there), tuple(terms), frozenset(load_extra_vars(self._loader)))
        for text in odd:
            Display().warning(text)
        wrong += ours.told_by_host(there)
        return wrong + ours.mistakes({name: self._value(there[name]) for name in ours.known() if name in there})

    def _value(self, value: Any) -> Any:
        """Return what a variable comes to; None where it does not come to anything yet."""
        if not isinstance(value, (str, list, dict)):
            return value
        try:
            return self._templar.template(value)
        except AnsibleError:
            # Whoever needs it says what is wrong with it.
            return None
