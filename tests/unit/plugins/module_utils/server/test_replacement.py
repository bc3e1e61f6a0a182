# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of databases that are replaced, and the SQL that gives a fresh one what pg_dump says nothing of."""

from __future__ import annotations

import datetime

from ansible_collections.vellaric.postgres.plugins.module_utils.server import replacement

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
    names, script = replacement.missing_roles(GLOBALS, ["app", "postgres"], credentials=True)
    assert names == ['odd "role"']
    assert 'CREATE ROLE "odd ""role""";' in script and "SCRAM-SHA-256$x" in script
    assert "SCRAM-SHA-256$y" not in script and "CREATE ROLE app" not in script
    assert 'GRANT app TO "odd ""role""" WITH ADMIN OPTION;' in script


def test_roles_of_another_database_bring_no_passwords():
    script = replacement.missing_roles(GLOBALS, ["app"], credentials=False)[1]
    assert "SCRAM" not in script and "LOGIN" not in script and "SET work_mem" in script


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


def test_the_way_in_is_for_one_role_into_one_database():
    hba = "local all postgres peer map=superuser\n"
    opened = replacement.with_loader(hba, "shop")
    assert opened.endswith('local "shop.restoring" vellaric_loader scram-sha-256\n')
    assert replacement.with_loader(opened, "shop") == opened
    assert replacement.without_loader(opened) == hba == replacement.without_loader(hba)
