# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that loads dumps: its way in, and what is run for it."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import Refused
from ansible_collections.vellaric.postgres.plugins.module_utils._server import loader


def test_the_way_in_is_for_one_role_into_one_database():
    hba = "local all postgres peer map=superuser\n"
    opened = loader.with_way_in(hba, "shop.restoring")
    assert opened.endswith('local "shop.restoring" vellaric_loader scram-sha-256\n')
    assert loader.with_way_in(opened, "shop.restoring") == opened
    assert loader.without_way_in(opened) == hba == loader.without_way_in(hba)
    # As an earlier version left it.
    assert loader.without_way_in(hba + "# While a dump from elsewhere is loaded\nlocal x y z\n") == hba


def test_a_table_whose_triggers_are_off_is_the_loading_roles():
    for foreign in (True, False):
        script = loader.statement("ALTER TABLE ONLY public.t DISABLE TRIGGER ALL;", foreign)[1]
        assert "to_regclass('public.t')" in script and "relowner = 'vellaric_loader'" in script
        assert "DISABLE TRIGGER ALL;" not in script


def test_of_a_foreign_dump_the_superuser_runs_nothing_else():
    with pytest.raises(Refused):
        loader.statement("ALTER TABLE public.t ADD COLUMN y int DEFAULT public.evil(), DISABLE TRIGGER ALL;", True)


def test_the_validator_of_a_wrapper_is_no_function_of_the_owners():
    before, script, _after = loader.statement(
        "CREATE FOREIGN DATA WRAPPER w VALIDATOR public.v OPTIONS (a 'b');", False
    )
    assert "to_regproc('public.v')" in before and "CREATE FOREIGN DATA WRAPPER" in script
    assert script.startswith("\\restrict ")
    assert loader.statement("CREATE CAST (a AS b) WITH INOUT;", False)[0] == ""


def test_what_makes_event_triggers_comes_last():
    later = ["CREATE EVENT TRIGGER a ON x;", "CREATE PUBLICATION p;", "ALTER EVENT TRIGGER a ENABLE ALWAYS;", "COMMENT"]
    assert loader.in_order(later) == [later[1], later[3], later[0], later[2]]


def test_whose_extension_scripts_could_call_something():
    assert "proowner = 'vellaric_loader'" in loader.theirs(True) and "vellaric_loader" not in loader.theirs(False)


def test_a_mapping_is_made_only_of_a_superusers_server():
    text = "CREATE USER MAPPING FOR \"a b\" SERVER \"it's\" OPTIONS (\n    password 'x;''y'\n);"
    script = loader.mappings([text])
    assert "srvname = 'it''s' AND o.rolsuper" in script and "SELECT 'a b at it''s' WHERE NOT EXISTS" in script
    assert 'SELECT \'CREATE USER MAPPING FOR "a b"' in script
    for other in ("CREATE USER MAPPING FOR a SERVER b; DROP TABLE x;", "ALTER USER MAPPING FOR a SERVER b;"):
        with pytest.raises(Refused):
            loader.mappings([other])


def test_functions_are_given_something_by_name_only():
    assert "ALTER FUNCTION public.f(integer) LEAKPROOF;" in loader.give([("FUNCTION public.f(integer)", "LEAKPROOF")])
    with pytest.raises(Refused):
        loader.give([("FUNCTION f(); DROP TABLE x", "LEAKPROOF")])


def test_owners_are_set_of_objects_only():
    assert 'ALTER TABLE "a;b" OWNER TO x;' in loader.set_owners([('TABLE "a;b"', "x")])
    for what in (
        'FUNCTION public.f(integer, "odd, type"[])',
        "OPERATOR public.<> (integer, NONE)",
        "LARGE OBJECT 12",
        "OPERATOR CLASS public.o USING btree",
        "AGGREGATE public.a(*)",
        'SCHEMA "a b"',
    ):
        assert f"ALTER {what} OWNER TO x;" in loader.set_owners([(what, "x")])
    for what in (
        "TABLE a OWNER TO y; DROP TABLE b; ALTER TABLE a",
        "TABLE t ADD COLUMN y int DEFAULT f(), ",
        "TABLE t --\r\\! id\n",
        "FUNCTION f(a integer DEFAULT '1')",
        "ROLE x",
        "SYSTEM x",
    ):
        with pytest.raises(Refused):
            loader.set_owners([(what, "x")])
    assert loader.set_owners([]) == ""


def test_views_are_refreshed_one_by_one():
    found = loader.refresh(["REFRESH MATERIALIZED VIEW public.a;", 'REFRESH MATERIALIZED VIEW "x y" WITH DATA;'])
    assert list(found) == ["public.a", '"x y"']
    assert found["public.a"] == ["REFRESH MATERIALIZED VIEW public.a;", "ANALYZE public.a;"]
