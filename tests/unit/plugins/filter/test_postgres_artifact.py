# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.filter.postgres_artifact import handed_on


@pytest.mark.parametrize("text", ["*", "&", "!", "=", "<<"])
def test_what_cannot_be_read_is_quoted(text):
    assert handed_on({"a": [{"value": text}]}) == {"a": [{"value": f"'{text}'"}]}


def test_all_else_stays():
    value = {"a": [1, None, True, 0.5, "", "**", "* ", "text", {"*": "a=b"}], "b": {}}
    assert handed_on(value) == value


def test_what_acts_on_a_terminal_or_is_no_number_is_not_handed_on():
    value = {"\x1b[2J": ["\x9b", float("nan"), float("inf"), 1.5]}
    assert handed_on(value) == {"\ufffd[2J": ["\ufffd", None, None, 1.5]}
