# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role has a scenario, and each scenario a host that is reached as root and one that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "extensions/molecule"
SCENARIOS = {path.parent.name: yaml.safe_load(path.read_text()) for path in DIRECTORY.glob("*/molecule.yml")}
SHARED = yaml.safe_load((DIRECTORY / "config.yml").read_text())


def sequence(scenario):
    return SCENARIOS[scenario].get("scenario", SHARED["scenario"])["test_sequence"]


def test_each_role_has_one():
    assert {path.name for path in ROOT.glob("roles/*")} <= set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
class TestScenario:
    def test_its_hosts_are_reached_in_both_ways(self, name):
        platforms = SCENARIOS[name]["platforms"]
        assert {platform.get("user", "root") for platform in platforms} == {"root", "deploy"}
        assert all(platform["name"].startswith(f"molecule-{name.replace('_', '-')}-") for platform in platforms)

    def test_it_checks_before_and_after_and_lets_others_look(self, name):
        steps = sequence(name)
        assert steps[:3] == ["destroy", "create", "prepare"] and steps[-1] == "destroy"
        assert steps.index("check") < steps.index("converge") < len(steps) - steps[::-1].index("check")
        assert "verify" in steps

    def test_its_own_playbooks_are_there(self, name):
        for step in sequence(name):
            action, _space, playbook = step.partition(" ")
            # Else Molecule passes over it.
            assert action != "side_effect" or SCENARIOS[name]["ansible"]["playbooks"]["side_effect"]
            if playbook or action in ("converge", "verify"):
                assert (DIRECTORY / name / (playbook or f"{action}.yml")).exists()

    def test_nothing_of_ours_verifies_what_we_did(self, name):
        for path in DIRECTORY.joinpath(name).glob("*verif*.yml"):
            assert "vellaric.postgres." not in path.read_text()
