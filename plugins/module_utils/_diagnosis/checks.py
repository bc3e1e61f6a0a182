# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All checks, in the order in which one thing needs the other. Pure."""

from __future__ import annotations

from . import care_checks, client_checks, container_checks, host_checks, server_checks

CHECKS = (
    *host_checks.CHECKS,
    *container_checks.CHECKS,
    *client_checks.CHECKS,
    *server_checks.CHECKS,
    *care_checks.CHECKS,
)
CLIENT_CHECKS = client_checks.CLIENT_CHECKS
