# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.vellaric.postgres.plugins.plugin_utils import declarations
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import given_plain


class FilterModule:
    """What roles make of declared databases. Each filter is documented in a file of its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        filters: dict[str, Callable[..., Any]] = {
            "postgres_declarations": declarations.with_defaults,
            "postgres_declaration_mistakes": declarations.mistakes,
            "postgres_credential_requests": declarations.credential_requests,
            "postgres_official_images": declarations.official_images,
            "postgres_credentials_settled": declarations.settled,
            "postgres_credentials_resolved": declarations.latest,
            "postgres_credentials_accepted": declarations.accepted,
            "postgres_credentials_in_vain": declarations.in_vain,
            "postgres_credentials_deleted": declarations.deleted,
            "postgres_completed": declarations.completed,
            "postgres_connections": declarations.connections,
        }
        return {name: given_plain(function) for name, function in filters.items()}
