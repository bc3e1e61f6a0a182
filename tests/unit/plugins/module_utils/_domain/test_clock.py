# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

from ansible_collections.vellaric.postgres.plugins.module_utils._domain import clock


def test_moments_as_they_are_written():
    moment = datetime.datetime(2025, 12, 24, 14, 22, 50, 9999)
    assert clock.iso(moment) == "2025-12-24T14:22:50Z"
    assert clock.iso_milliseconds(moment) == "2025-12-24T14:22:50.009Z"
    assert clock.iso_milliseconds(moment.replace(microsecond=0)) == "2025-12-24T14:22:50.000Z"
    assert clock.utc_now().tzinfo is None
