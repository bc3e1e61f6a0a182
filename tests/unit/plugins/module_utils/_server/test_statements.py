# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where statements begin and end: not within quotes or comments, whatever is in those."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._server import statements
from hypothesis import given
from hypothesis import strategies as st

INSIDE = "x\nGRANT a TO b;\n"


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT '{INSIDE}it''s';",
        f"SELECT E'{INSIDE}\\'; \\\\';",
        f"SELECT '\\', '{INSIDE}';",
        f'SELECT "{INSIDE}a""b";',
        f"SELECT $a$ {INSIDE} $$ ' $a$;",
        f"SELECT /* {INSIDE} /* ; */ ' */ 1;",
        f"SELECT 1 -- it's; \n + '{INSIDE}';",
        # As psql reads them: a semicolon ends nothing in parentheses, nor in the body of a function.
        "CREATE RULE r AS ON INSERT TO t DO ALSO ( INSERT INTO a DEFAULT VALUES;\nSELECT 1;\n);",
        "CREATE OR REPLACE FUNCTION f() RETURNS int\n BEGIN ATOMIC\n SELECT CASE WHEN a THEN 1 END;\nSELECT 2;\nEND;",
        "create /* or */ procedure p(a int DEFAULT 1) BEGIN ATOMIC INSERT INTO a VALUES ('END;');\nEND;",
        "CREATE TABLE t (begin int, function int);",
        "SELECT $$a$$E'\\'; \\' ';",
        "SELECT caf\xe9$$;",
    ],
)
def test_what_is_quoted_ends_nothing(statement):
    text = f"-- It's a comment;\n\\restrict ab'c\n{statement}\nCREATE ROLE a; CREATE ROLE b;\n\n"
    assert statements.split(text) == ["\\restrict ab'c", statement, "CREATE ROLE a;", "CREATE ROLE b;"]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pieces_make_no_difference(size):
    text = "CREATE FUNCTION f() BEGIN ATOMIC SELECT E'\\'; '; SELECT 1;\nEND;\nSELECT (a; b) $$;$$ E'\\';';\n"
    text += "SELECT 1e;\n"
    whole, found, buffer, scanner = text.encode(), [], bytearray(), statements.Scanner()
    for position in range(0, len(whole), size):
        buffer += whole[position : position + size]
        while (end := scanner.end(buffer, last=position + size >= len(whole))) is not None:
            found.append(bytes(buffer[:end]).decode().strip())
            del buffer[:end]
            if not buffer:
                break
    assert found == statements.split(text) and len(found) == 3


def test_what_does_not_end_is_a_statement_to_the_end():
    assert statements.split("SELECT 'a;\nGRANT a TO b;\n") == ["SELECT 'a;\nGRANT a TO b;"]
    assert statements.split("SELECT 1") == ["SELECT 1"] and statements.split("\n-- ;\n") == []


@given(st.lists(st.text(), max_size=4))
def test_any_text_can_be_a_literal(texts):
    written = [f"SELECT E'{text}';" for text in (t.replace("\\", "\\\\").replace("'", "''") for t in texts)]
    assert statements.split("\n".join(written)) == written
