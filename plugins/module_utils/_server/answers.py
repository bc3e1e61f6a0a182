# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answers is checked once, where it comes in: whoever is in its container may let it say anything."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Union

from .._domain.errors import DatabaseError

if TYPE_CHECKING:
    Form = Union[tuple[type, ...], list["Form"], dict[str, "Form"], "Each"]

TEXT, TRUTH, NUMBER = (str,), (bool,), (int, float)
OPTIONAL_TEXT = (str, type(None))
# What reading an answer of another form than was asked for comes to.
_MISREAD = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError)


class Odd(DatabaseError):
    """A server answered something else than what it was asked."""


class Each:
    """The form of a mapping whose keys are names: that of all its values."""

    def __init__(self, form: Form) -> None:
        self.form = form


class Maybe(Each):
    """Such a thing, or null."""


@contextlib.contextmanager
def understood(who: str) -> Iterator[None]:
    """Raise Odd for what cannot be read in here. who: the server, for the words."""
    try:
        yield
    except _MISREAD as error:
        raise Odd(
            f"{who} answered something else than what it was asked ({type(error).__name__}): what serves there is not"
            " PostgreSQL as its image has it"
        ) from error


def load(line: str) -> Any:
    """Return the value of a line of JSON. Raises what `understood` knows."""
    return json.loads(line, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def check(value: Any, form: Form) -> None:
    """Raise TypeError where a value has not its form: types, a list of one form, a mapping of forms by key, Each.

    A key that the mapping has not is not looked at; one with a form of Maybe may be missing.
    """
    if isinstance(form, Maybe):
        if value is not None:
            check(value, form.form)
    elif isinstance(form, Each):
        _of_type(value, (dict,))
        for one in value.values():
            check(one, form.form)
    elif isinstance(form, dict):
        _of_type(value, (dict,))
        for key, one in form.items():
            check(value.get(key) if isinstance(one, Maybe) else value[key], one)
    elif isinstance(form, list):
        _of_type(value, (list,))
        for one in value:
            check(one, form[0])
    else:
        _of_type(value, form)


def _of_type(value: object, types: tuple[type, ...]) -> None:
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise TypeError(f"a {type(value).__name__} in the place of {types[0].__name__}")
