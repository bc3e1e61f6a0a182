# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts answered as a diagnosis: held to its types, and shown without what acts on a terminal."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.diagnosis import diagnosis, lines
from ansible_collections.vellaric.postgres.plugins.plugin_utils.typed import Odd


def check(code="disk", state="holds", **more):
    return {"check": code, "name": f"{code} is well", "state": state, "evidence": "seen", "log": [], **more}


def answer(*checks, **more):
    return {
        "container_name": "a",
        "managed": True,
        "diagnosed_at": "2026-01-31T00:00:00Z",
        "checks": list(checks),
        **more,
    }


def test_one_of_two_places():
    told = diagnosis([answer(check()), answer(check("client_reach", "fails", cause="Why.", fix="fix")), {}])
    assert [one["check"] for one in told["checks"]] == ["disk", "client_reach"]
    assert (told["cause"], told["verdict"], told["fix"], told["serves"]) == ("client_reach", "Why.", "fix", False)


def test_a_host_says_nothing_of_the_whole():
    assert diagnosis([answer(check(), verdict="{{ 1 }}", cause="x", serves=False)])["serves"] is True


@pytest.mark.parametrize("odd", [answer({}), answer(check(state="fine")), answer(check(log="x")), {"checks": 3}])
def test_what_is_odd_is_refused(odd):
    with pytest.raises(Odd):
        diagnosis([odd])


def test_lines_for_a_ticket():
    told = diagnosis([answer(check(), check("data", "fails", cause="Gone.", fix="mount -a", log=["\x1b[2Ja  b"]))])
    shown = lines(told, "docker1")
    assert shown[0] == "a on docker1, 2026-01-31T00:00:00Z" and shown[1] == "Gone." and shown[2] == "fix:  mount -a"
    assert "holds    disk is well: seen" in shown and "FAILS    data is well: seen" in shown
    assert shown[-1] == "         log:  \N{REPLACEMENT CHARACTER}[2Ja b"
