# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of databases that are replaced, and the SQL that gives a fresh one what pg_dump says nothing of."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._server import replacement
from ansible_collections.vellaric.postgres.plugins.module_utils._server.statements import split

NOW = datetime.datetime(2026, 1, 24, 14, 22, 51)
GLOBALS = '''CREATE ROLE "odd ""role""";
ALTER ROLE "odd ""role""" WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$x';
CREATE ROLE app;
ALTER ROLE app WITH LOGIN PASSWORD 'SCRAM-SHA-256$y';
ALTER ROLE "odd ""role""" SET work_mem TO '8MB';
GRANT app TO "odd ""role""" WITH ADMIN OPTION GRANTED BY postgres;
'''


def test_names_fit_and_are_told_from_those_of_others():
    longest = "x" * 46
    assert len(replacement.kept_name(longest, NOW)) <= 63 and len(replacement.fresh_name(longest)) <= 63
    there = ["shop", "shop.20260124142251", "shop.20250101000000", "shop.restoring", "shop-2.20260101000000"]
    assert [name for name, since in replacement.kept("shop", there)] == ["shop.20250101000000", "shop.20260124142251"]
    assert replacement.kept("shop", there)[-1][1] == NOW
    assert replacement.maintenance("postgres") == "template1" and replacement.maintenance("shop") == "postgres"


def test_both_names_change_in_one_transaction():
    script = replacement.swap("shop", "shop.restoring", "shop.20260124142251")
    assert script.startswith("BEGIN;\n") and script.endswith("COMMIT;\n") and script.count("COMMIT;") == 1
    assert script.count("RENAME TO") == 2
    assert replacement.swap("shop", "shop.restoring", None).count("RENAME TO") == 1


def test_missing_roles_alone_are_made():
    names, script, left_out = replacement.missing_roles(GLOBALS, ["app", "postgres"], credentials=True)
    assert names == ['odd "role"']
    assert 'CREATE ROLE "odd ""role""";' in script and "SCRAM-SHA-256$x" in script
    assert "SCRAM-SHA-256$y" not in script and "CREATE ROLE app" not in script
    assert "GRANT" not in script and left_out == ['odd "role" in app']


def test_missing_roles_have_each_other():
    script, left_out = replacement.missing_roles(GLOBALS, ["postgres"], credentials=True)[1:]
    assert 'GRANT app TO "odd ""role""" WITH ADMIN OPTION;' in script and not left_out


def test_roles_of_another_database_bring_no_passwords():
    script = replacement.missing_roles(GLOBALS, ["app"], credentials=False)[1]
    assert "SCRAM" not in script and "LOGIN" not in script and "SET work_mem" in script


@pytest.mark.parametrize("quote", ["'", "E'"])
def test_what_a_role_says_of_itself_is_no_statement(quote):
    """Whoever can log in may give himself settings, whose values go over several lines."""
    value = "x\nCREATE ROLE evil;\nALTER ROLE reader WITH SUPERUSER;\nGRANT postgres TO evil;\nGRANT evil TO reader;\n"
    said = f"ALTER ROLE reader SET application_name TO {quote}{value}';"
    text = f"CREATE ROLE postgres;\nCREATE ROLE reader;\n{said}\nCOMMENT ON ROLE reader IS {quote}it''s {value}';\n"
    assert replacement.missing_roles(text, ["postgres", "reader"], credentials=True) == ([], "\n", [])
    names, script, left_out = replacement.missing_roles(text, ["postgres"], credentials=True)
    assert (names, left_out) == (["reader"], []) and split(script) == ["CREATE ROLE reader;", said]


@pytest.mark.parametrize(
    "role, member", [("root", "made"), ("root", "there"), ("postgres", "made"), ("pg_read_server_files", "made")]
)
def test_nobody_becomes_a_superuser_by_membership(role, member):
    text = (
        "CREATE ROLE made;\nCREATE ROLE root;\nALTER ROLE root WITH SUPERUSER LOGIN;\n"
        f"GRANT {role} TO {member} WITH ADMIN OPTION, INHERIT TRUE GRANTED BY postgres;\nGRANT made TO there;\n"
    )
    script, left_out = replacement.missing_roles(text, ["postgres", "there"], credentials=True)[1:]
    assert left_out == [f"{member} in {role}"] and script.count("GRANT") == 1 and "GRANT made TO there;" in script


def test_who_granted_is_left_out_but_not_of_a_name():
    text = 'CREATE ROLE a;\nGRANT a TO "b GRANTED BY c" WITH ADMIN OPTION, INHERIT FALSE GRANTED BY "x ; y";\n'
    script = replacement.missing_roles(text, ["b GRANTED BY c"], credentials=True)[1]
    assert split(script)[1:] == ['GRANT a TO "b GRANTED BY c" WITH ADMIN OPTION, INHERIT FALSE;']


@pytest.mark.parametrize(
    "line",
    [
        "CREATE ROLE \\!id;",
        "CREATE ROLE x\\;",
        "ALTER ROLE made WITH LOGIN \\! touch /tmp/x\n;",
        "ALTER ROLE made WITH LOGIN PASSWORD E'\\';",
        "ALTER ROLE made SET work_mem TO (SELECT pg_reload_conf());",
        "ALTER ROLE made SET work_mem TO 'x' \\g |id\n;",
        "ALTER ROLE made SET search_path TO E'\\'' \\! id\n'';",
        "ALTER ROLE made WITH LOGIN /* */ SUPERUSER;",
        "GRANT made TO \\!id;",
    ],
)
def test_what_pg_dumpall_does_not_write_is_not_run(line):
    """A backup of another host's comes with a file of anybody's."""
    names, script, _left_out = replacement.missing_roles(f"CREATE ROLE made;\n{line}\n", ["postgres"], credentials=True)
    assert (names, script) == (["made"], "CREATE ROLE made;\n")


def test_settings_keep_their_values():
    database = {
        "settings": [
            {"role": None, "settings": ['search_path=public, "Odd; schema"', "app.greeting=it's, =quoted"]},
            {"role": "source", "settings": ["statement_timeout=1h"]},
        ],
        "grants": [
            {"role": None, "privilege": "CONNECT", "grantable": False},
            {"role": "source", "privilege": "CREATE", "grantable": False},
            {"role": "reader", "privilege": "CONNECT", "grantable": True},
        ],
        "comment": "It's",
        "connection_limit": 50,
    }
    script = replacement.settings("fresh", database, "owner", "source")
    assert "set_config('search_path', 'public, \"Odd; schema\"', false)" in script
    assert "SET \"app.greeting\" = 'it''s, =quoted';" in script
    assert 'ALTER ROLE "owner" IN DATABASE "fresh" SET "statement_timeout" = \'1h\';' in script
    assert script.count("GRANT") == 2 and 'GRANT CONNECT ON DATABASE "fresh" TO "reader" WITH GRANT OPTION;' in script
    assert "IS 'It''s';" in script and "CONNECTION LIMIT 50;" in script
