# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that loads dumps: its way in, and what is run for it."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils.errors import Refused
from ansible_collections.vellaric.postgres.plugins.module_utils.server import loader


def test_the_way_in_is_for_one_role_into_one_database():
    hba = "local all postgres peer map=superuser\n"
    opened = loader.with_way_in(hba, "shop.restoring")
    assert opened.endswith('local "shop.restoring" vellaric_loader scram-sha-256\n')
    assert loader.with_way_in(opened, "shop.restoring") == opened
    assert loader.without_way_in(opened) == hba == loader.without_way_in(hba)
    # As an earlier version left it.
    assert loader.without_way_in(hba + "# While a dump from elsewhere is loaded\nlocal x y z\n") == hba


def test_a_table_whose_triggers_are_off_is_the_loading_roles():
    script = loader.statement("ALTER TABLE ONLY public.t DISABLE TRIGGER ALL;")
    assert "to_regclass('public.t')" in script and "relowner = 'vellaric_loader'" in script
    assert "DISABLE TRIGGER ALL;" not in script


def test_the_validator_of_a_wrapper_is_no_function_of_the_owners():
    script = loader.statement("CREATE FOREIGN DATA WRAPPER w VALIDATOR public.v OPTIONS (a 'b');")
    assert script.index("to_regproc('public.v')") < script.index("CREATE FOREIGN DATA WRAPPER")
    assert "to_regproc" not in loader.statement("CREATE CAST (a AS b) WITH INOUT;")


def test_owners_are_set_of_objects_only():
    assert 'ALTER TABLE "a;b" OWNER TO x;' in loader.set_owners([('TABLE "a;b"', "x")])
    with pytest.raises(Refused):
        loader.set_owners([("TABLE a OWNER TO y; DROP TABLE b; ALTER TABLE a", "x")])
    assert loader.set_owners([]) == ""


def test_views_are_refreshed_one_by_one():
    found = loader.refresh(["REFRESH MATERIALIZED VIEW public.a;", 'REFRESH MATERIALIZED VIEW "x y" WITH DATA;'])
    assert list(found) == ["public.a", '"x y"']
    assert found["public.a"] == ["REFRESH MATERIALIZED VIEW public.a;", "ANALYZE public.a;"]
