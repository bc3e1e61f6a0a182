# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the collection, and its kinds. Imports nothing."""

from __future__ import annotations

from typing import Any, TypeVar

_T = TypeVar("_T")


class DatabaseError(Exception):
    """Something that a user or a host can cause: the message says what was wrong and what fixes it.

    details: further keys for the task's result, such as the last log lines of a container. Not those that Ansible gives
    a meaning of its own (stdout, stderr, rc, ...): where it does not find there what it expects, it tells only that.
    """

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class Refused(DatabaseError):
    """The declaration cannot be met without risk to data, or not at all; nothing has been changed."""


class InvalidOption(DatabaseError, ValueError):
    """A value that an option does not accept: the message names the option and what it accepts."""


class Undecided(DatabaseError):
    """A question could not be answered here, for want of a program or a permission: neither yes nor no is true."""


def sure(value: _T | None) -> _T:
    """Return a value that is there, as what came before has made sure of. Raises TypeError: a fault of ours."""
    if value is None:
        raise TypeError("what should be known by now is not")
    return value
