# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of an action plugin, checked as those of a module are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import options
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import plain


class Invalid(ValueError):
    """Options that the plugin does not take. The message says which, one to a line."""


def checked(
    spec: Mapping[str, Any],
    given: Any,
    elsewhere: tuple[str, ...] = (),
    task_vars: Mapping[str, Any] | None = None,
    **constraints: Any,
) -> dict[str, Any]:
    """Return the options, complete and of their types. Raises Invalid.

    given: the task's arguments; vault-encrypted texts are decrypted, which the validator of ansible-core 2.17 cannot
    do. elsewhere: options whose values are looked at elsewhere. task_vars: of a task that reads or writes files of the
    controller, which no host chooses by what it answers. constraints: such as mutually_exclusive.
    """
    told = variables.told_by_host(task_vars or {})
    if told:
        raise Invalid("\n".join(told))
    arguments = plain(given, str)
    wrong = options.mistakes({name: argument for name, argument in spec.items() if name not in elsewhere}, arguments)
    if not wrong:
        found = ArgumentSpecValidator(dict(spec), **constraints).validate(arguments)
        wrong = [_said(error) for error in found.errors]
    if wrong:
        raise Invalid("\n".join(wrong))
    return dict(found.validated_parameters)


def _said(error: Any) -> str:
    """The validator names what it does not know, and leaves it to a module to say so."""
    return f"Unsupported parameters: {error.msg}" if isinstance(error, UnsupportedError) else str(error.msg)
