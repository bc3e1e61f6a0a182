# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump that goes through the filter, for the tests of what becomes of it."""

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import dump_filter, dump_rules


def filtered(pieces, major=15, policy=dump_rules.FOREIGN, **options):
    """What is passed on, and the filter; what is asked of the superuser is kept in `asked`."""
    work = dump_filter.Filter(policy, major, **options)
    work.asked, passed = [], []
    for piece in [*pieces, None]:
        for part in work.pieces(piece or b"", last=piece is None):
            (work.asked if isinstance(part, dump_filter.Asked) else passed).append(part)
    return b"".join(passed), work


def without_blank_lines(text):
    return [line for line in text.splitlines() if line.strip()]
