# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version that is meant when none is given is chosen in one place; what cannot read it there says the same."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.parsers import DEFAULT_VERSION

ROOT = Path(__file__).parents[3]


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


def test_role_image_and_the_survey_have_the_same_default():
    assert read("roles/image/defaults/main.yml")["image_version"] == DEFAULT_VERSION
    specs = read("roles/image/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert specs["image_version"]["default"] == DEFAULT_VERSION
    assert f"default: {DEFAULT_VERSION}\n" in (ROOT / "playbooks/vars/awx.yml").read_text()


def test_no_playbook_or_task_chooses_one_itself():
    places = [*ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/vars/*.yml")]
    chosen = [str(path) for path in places if f"'{DEFAULT_VERSION}'" in path.read_text()]
    assert not chosen
