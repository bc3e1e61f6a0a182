# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures
import time

from ansible_collections.vellaric.postgres.plugins.module_utils._operations.turns import Turns


def test_those_that_choose_do_so_in_their_order():
    turns, chosen = Turns("abcd"), []

    def choose(name: str) -> None:
        # The later ones would be first.
        time.sleep(0.01 * (ord("e") - ord(name)))
        turns.wait(name)
        # One that never comes to choose, such as one that is refused, keeps nobody back.
        if name != "b":
            chosen.append(name)
        turns.over(name)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(choose, "abcd"))
    assert chosen == ["a", "c", "d"]


def test_one_without_a_turn_waits_for_none():
    turns = Turns("ab")
    turns.wait("x")
    turns.over("x")
    turns.wait("a")
