# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What psql says while rows are counted: only that somebody has a lock may pass."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._server import contents


@pytest.mark.parametrize(
    "said, found",
    [
        ("", False),
        ('psql:<stdin>:9: ERROR:  could not obtain lock on relation "a"\n', False),
        ("psql:<stdin>:12: ERROR:  55P03: canceling statement due to lock timeout\nLOCATION:  x, y.c:1\n", False),
        ("psql:<stdin>:12: WARNING:  01000: hi\n", False),
        ("psql:<stdin>:12: FEHLER:  55P03: x\npsql:<stdin>:12: FEHLER:  XX001: invalid page\n", True),
    ],
)
def test_only_locks_may_keep_rows_from_being_counted(said, found):
    assert (contents.failure(said) is not None) == found
