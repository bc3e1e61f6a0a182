# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guides of the documentation site are those of docs/*.md, all of them, and their links stay within the site."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.vellaric.postgres.tests.docsite import guides


def test_the_site_has_what_the_guides_say():
    there = {path.name: path.read_text(encoding="utf-8") for path in (guides.SITE / "rst").glob("*.rst")}
    assert there == guides.guides(), "python3 tests/docsite/guides.py writes them"


def test_all_guides_are_in_its_contents():
    sections = yaml.safe_load((guides.SITE / "extra-docs.yml").read_text())["sections"]
    listed = [name for section in sections for name in section["toctree"]]
    there = sorted(path.stem for path in guides.GUIDES.glob("*.md"))
    assert sorted(listed) == there, "docs/docsite/extra-docs.yml lists them"


def test_links_between_guides_lead_to_labels_that_are_there():
    pages = guides.guides().values()
    labels = {label for text in pages for label in re.findall(r"^\.\. _(.+):$", text, re.MULTILINE)}
    targets = {target for text in pages for target in re.findall(r":ref:`[^`]*<([^`>]*docsite[^`>]*)>`", text)}
    assert targets and targets <= labels


@pytest.mark.parametrize(
    "markdown, written",
    [
        ("[`x`](connecting.md#urls-by-client)s", ":ref:`x <{}.docsite.connecting.urls-by-client>`\\ s"),
        ("role [`image`](../roles/image/README.md)", "role :ref:`image <{}.image_role>`"),
        ("module [it](../plugins/modules/postgres_db.py)", "module :ref:`it <{}.postgres_db_module>`"),
        ("a `b`, `c`s and **d**", "a ``b``, ``c``\\ s and **d**"),
        ("a * b_ and snake_case", "a \\* b\\_ and snake_case"),
        ("[Ansible](https://example.com)", "`Ansible <https://example.com>`__"),
    ],
)
def test_marks_become_those_of_the_site(markdown, written):
    assert guides.page("x", markdown).splitlines()[-1] == written.format("ansible_collections.vellaric.postgres")


def test_a_list_keeps_its_blocks_and_a_table_its_cells():
    text = guides.page("x", "1. one\n   two\n2. three\n\n| a | b |\n| --- | --- |\n| `c\\|d` | |\n")
    assert "1. one\n   two\n2. three\n" in text
    assert "   * - a\n     - b\n   * - ``c|d``\n     -\n" in text


def test_a_block_of_code_is_one():
    assert ".. code-block:: yaml+jinja\n\n    a:\n      b: 1\n" in guides.page("x", "```yaml\na:\n  b: 1\n```\n")
