# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.vellaric.postgres.plugins.plugin_utils import diagnosis
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import given_plain
from ansible_collections.vellaric.postgres.plugins.plugin_utils.typed import Odd


def _value(value: Any) -> Any:
    """Return what a host answered so that nothing in it is taken for a template, wherever it goes."""
    try:
        # From ansible-core 2.19 on, no text is a template that is not marked as one.
        from ansible.template import trust_as_template  # noqa: F401
    except ImportError:
        from ansible.utils.unsafe_proxy import wrap_var

        return wrap_var(value)
    return value


def _diagnosis(answers: list[Any]) -> Any:
    try:
        return _value(diagnosis.diagnosis(answers))
    except Odd as error:
        raise AnsibleFilterError(str(error)) from error


def _lines(told: dict[str, Any], host: str = "") -> Any:
    return _value(diagnosis.lines(told, host))


class FilterModule:
    """A diagnosis as one, and as text. Documented in files of the filters' names."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "postgres_diagnosis": given_plain(_diagnosis),
            "postgres_diagnosis_lines": given_plain(_lines),
        }
