# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes from Ansible, made plain once, where it comes in: ours works with values of Python alone. Pure.

Since ansible-core 2.19, what filters and actions are given are containers that template what is in them when it is
looked at, and texts that say where they come from. Each copy of one copies the templating engine with all variables,
and is deprecated.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Mapping
from typing import Any, Callable

# Deeper than anything that has a meaning: what is below is left out, so that reading it has an end.
_DEPTH = 100


def _unchanged(value: Any) -> Any:
    return value


def plain(value: Any, other: Callable[[Any], Any] = _unchanged, depth: int = 0) -> Any:
    """Return a value as mappings, lists, texts and numbers of Python.

    other: what becomes of anything else, such as a vault-encrypted text (which str decrypts) or a date. By default, it
    stays.
    """
    # No text is a container, and true is no number.
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if depth > _DEPTH:
        return None
    if isinstance(value, Mapping):
        return {plain(key, other): plain(item, other, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, types.GeneratorType)):
        return [plain(item, other, depth + 1) for item in value]
    return other(value)


def given_plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is given plain values, for a filter."""

    @functools.wraps(function)
    def filtering(*arguments: Any, **options: Any) -> Any:
        return function(*map(plain, arguments), **plain(options))

    return filtering
