# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks say is said however quiet Ansible is told to be."""

from __future__ import annotations

from pathlib import Path

PLAYBOOKS = Path(__file__).resolve().parents[2] / "playbooks"


def test_nothing_is_said_by_what_goes_with_what_is_ok():
    """`display_ok_hosts = false`, as docs/first-hour.md sets it, leaves out what debug has to say."""
    found = [path.name for path in PLAYBOOKS.rglob("*.yml") if "ansible.builtin.debug" in path.read_text("utf-8")]
    assert found == []
