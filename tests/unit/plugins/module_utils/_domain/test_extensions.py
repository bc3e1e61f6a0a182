# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import extensions


def words(wanted, installed):
    return [text for text, _statement in extensions.changes(wanted, installed) if text]


def there(version="1.0", declared=True):
    return {"version": version, "declared": declared}


def test_options_are_read_and_written_back():
    option = ["pg_trgm", "postgis=3.4.2", "uuid-ossp"]
    assert extensions.from_option(option) == {"pg_trgm": None, "postgis": "3.4.2", "uuid-ossp": None}
    assert extensions.to_option(extensions.from_option(option)) == option
    assert extensions.from_option(None) == {}


@pytest.mark.parametrize("item", ["", "=1", "pg_trgm=", 'a"b', "a b", "a=1;x", "-a"])
def test_what_is_no_extension_is_refused(item):
    with pytest.raises(ValueError, match="NAME=VERSION"):
        extensions.from_option([item])


@pytest.mark.parametrize(
    ("names", "declared", "value"),
    [
        (["pg_trgm"], None, None),
        (["pg_trgm"], "auto_explain", None),
        (["pg_stat_statements"], None, "pg_stat_statements"),
        (["pg_stat_statements"], "auto_explain, pg_stat_statements", None),
        (["pg_cron", "pg_partman"], "auto_explain", "auto_explain,pg_cron,pg_partman_bgw"),
    ],
)
def test_libraries_are_added_to_those_declared(names, declared, value):
    assert extensions.preloaded(dict.fromkeys(names), declared) == value


def test_from_what_is_there_to_what_is_declared():
    assert words({"a": None}, {}) == ["create a"]
    assert words({"a": None}, {"a": there("1.1")}) == []
    assert words({"a": "1.1"}, {"a": there("1.1")}) == []
    assert words({"a": "1.1"}, {"a": there()}) == ["update a from 1.0 to 1.1"]
    assert words({"a": None}, {"a": there(declared=False)}) == ["take a over"]
    assert words({}, {"a": there(), "by_hand": there(declared=False)}) == ["drop a"]
