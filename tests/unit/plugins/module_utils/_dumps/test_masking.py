# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns masking SQL sets."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import masking


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


def test_where_values_are_read():
    script = masking.parts([("t", '"Ä""B"'), ('"a.b".t', "EMAIL")])
    assert "to_regclass('public.t')" in script and "attname = 'Ä\"B'" in script
    assert "to_regclass('\"a.b\".t')" in script and "attname = 'email'" in script
    line = '[["s.p", "c", "p", false], ["s.t", "c", "r", false], ["s.f", "c", "f", false], ["s.g", "c", "r", true]]'
    found = masking.read_parts(line)
    assert [(part.name, part.why) for part in found] == [
        ("s.t", None),
        ("s.f", "it is a foreign table"),
        ("s.g", "the server computes it"),
    ]
    copied = masking.copy_out({"/d/1": found[0], "/d/2": found[1]})
    assert "COPY s.t (c) TO '/d/1'" in copied and "s.f" not in copied


def test_each_column_once():
    assert masking.columns(("UPDATE t SET a = 1", "UPDATE t SET a = 2, b = 3")) == [("t", "a"), ("t", "b")]
