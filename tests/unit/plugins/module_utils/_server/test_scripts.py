# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._server import scripts


def script(sql, name="a.sql"):
    return scripts.Script(name, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET a = 'COMMIT; now';",
        "SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a;",
        "-- BEGIN;\nSELECT 1 /* COMMIT; */",
        "DO $$ BEGIN PERFORM 1; END $$;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $b$ SELECT 1; $b$;",
    ],
)
def test_what_is_one_transaction_may_have(sql):
    scripts.check([script(sql)], atomic=True)


@pytest.mark.parametrize(
    "sql",
    ["BEGIN;", "select 1; commit", "  start  transaction;", "/* x */ ROLLBACK;", "END;", "PREPARE TRANSACTION 'x'"],
)
def test_what_ends_or_begins_one_is_refused(sql):
    with pytest.raises(DatabaseError) as caught:
        scripts.check([script("SELECT 1;"), script(sql, "b.sql")], atomic=True)
    assert caught.value.message.startswith("b.sql has ") and "Nothing was changed" in caught.value.message
    scripts.check([script(sql)], atomic=False)


def test_nothing_and_what_is_no_text_is_refused():
    for sql in ("", "  -- nothing\n", "SELECT 1\0"):
        with pytest.raises(DatabaseError):
            scripts.check([script(sql)], atomic=False)


def test_statements_are_shown_on_a_line_each_without_passwords():
    found = scripts.shown(
        [script("ALTER ROLE a\n  PASSWORD 'secret;';\nSELECT 1"), script("SELECT '" + "x" * 300 + "'")]
    )
    assert found[:2] == ["ALTER ROLE a PASSWORD '***';", "SELECT 1"]
    assert len(found[2]) == 160 and found[2].endswith("...")


def test_errors_name_the_script_and_its_line_and_not_the_statement():
    stderr = (
        'psql:<stdin>:4: ERROR:  syntax error at or near "x"\n'
        "LINE 1: CREATE ROLE a PASSWORD 'secret' x\n"
        "                                        ^\n"
    )
    files = [script("SELECT 1;\nSELECT 2;\n"), script("SELECT 3;\nwrong", "b.sql")]
    assert scripts._failure(stderr, files) == 'b.sql, line 2: ERROR:  syntax error at or near "x"'
