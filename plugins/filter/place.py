# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.vellaric.postgres.plugins.plugin_utils import place


class FilterModule:
    """Which host is meant. Documented in a file of the filter's name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgres_place": place.place}
