# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All faults of databases and of hosts, in the order in which they are caused."""

from __future__ import annotations

import faults_of_care
import faults_of_clients
import faults_of_start
from causing import BROKEN_ENGINE, FAULTS, FIREWALL, NO_ENGINE, ON_HOSTS, STOPPED_ENGINE, UNKNOWN_NAME, Place, up

__all__ = [
    "BROKEN_ENGINE",
    "FAULTS",
    "FIREWALL",
    "NO_ENGINE",
    "ON_HOSTS",
    "STOPPED_ENGINE",
    "UNKNOWN_NAME",
    "Place",
    "faults_of_care",
    "faults_of_clients",
    "faults_of_start",
    "up",
]
