# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each playbook says on which hosts it acts, what it needs and what it returns, and the README says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
ROWS = re.findall(r"^\| (`vellaric\.postgres\..*?) \| (.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
ON = {name: on for names, on in ROWS for name in re.findall(r"`(?:vellaric\.postgres\.)?(\w+)`", names)}


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_playbook_says_on_which_hosts_it_acts(path):
    head = path.read_text().partition("\n- ")[0]
    assert re.search(r"^# ansible-playbook vellaric\.postgres\." + path.stem, head, re.MULTILINE)
    on = re.search(r"^# On:    (.*)\.$", head, re.MULTILINE).group(1)
    assert on.replace(" (--limit)", "") == ON[path.stem].replace("`", "")
    # One that looks for the host that has a database leaves the others alone; the others are all meant.
    looks = "tasks/find.yml" in path.read_text()
    assert looks is ("the host that has" in on)
    for word in ("Needs", "Returns"):
        assert re.search(rf"^# {word}:", head, re.MULTILINE)
