# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.vellaric.postgres.plugins.plugin_utils import rotation
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import given_plain


class FilterModule:
    """What a rotation of passwords goes by. Each filter is documented in a file of its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        filters: dict[str, Callable[..., Any]] = {
            "postgres_rotation_requests": rotation.requests,
            "postgres_rotation_wanted": rotation.wanted,
            "postgres_rotation_ending": rotation.ending,
            "postgres_rotation_done": rotation.done,
        }
        return {name: given_plain(function) for name, function in filters.items()}
