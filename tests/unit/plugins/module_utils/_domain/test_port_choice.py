# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.module_utils._domain import port_choice
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.port_choice import Holder
from hypothesis import given
from hypothesis import strategies as st

NAME = "app-development-postgres"


@given(st.tuples(st.integers(1, 60), st.integers(1, 60)).map(sorted), st.sets(st.integers(1, 60)))
def test_the_first_free_port_is_the_first_and_free(port_range, taken):
    free = [port for port in range(port_range[0], port_range[1] + 1) if port not in taken]
    assert port_choice.first_free(port_range, taken) == (free[0] if free else None)


def test_a_port_is_ones_own_by_its_owner_and_not_by_what_is_said_of_it():
    taken = {
        1: Holder("the container", NAME),
        2: Holder(f"database {NAME} of another data root"),
        3: Holder(f"container {NAME}", "other-development-postgres"),
    }
    assert set(port_choice.by_others(taken, NAME)) == {2, 3}
