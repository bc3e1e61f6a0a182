# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of module_utils stand above each other as docs/design.md has them, and no import runs down."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UTILS = ROOT / "plugins/module_utils"
ROOMS = re.findall(r"^\| `(_[a-z]+)/` \|", (ROOT / "docs/design.md").read_text(encoding="utf-8"), re.MULTILINE)
MODULES = sorted(path for path in UTILS.rglob("*.py") if path.name != "__init__.py")
CONTROLLER = sorted((ROOT / "plugins/plugin_utils").rglob("*.py"))
MOST_LINES = 400


def imported_rooms(path):
    """The rooms that a module imports from, wherever in it; not those that only its types come from."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.split(".")[0] for name in names)


def lines_of_code(path):
    """How many lines have code: no blank ones, comments or docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    found, statement = set(), True
    for token in tokens:
        docstring = token.type == tokenize.STRING and statement
        if token.type not in skipped:
            if not docstring:
                found.update(range(token.start[0], token.end[0] + 1))
            statement = False
        elif token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            statement = True
    return len(found)


def test_every_module_is_in_a_room_of_the_table():
    assert {path.relative_to(UTILS).parts[0] for path in MODULES} == set(ROOMS)
    assert all(len(path.relative_to(UTILS).parts) == 2 for path in MODULES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(UTILS)))
def test_no_import_runs_down(path):
    own = ROOMS.index(path.relative_to(UTILS).parts[0])
    assert [room for room in imported_rooms(path) if ROOMS.index(room) >= own] == []


@pytest.mark.parametrize("path", [*MODULES, *CONTROLLER], ids=lambda path: path.name)
def test_no_file_is_too_long(path):
    assert lines_of_code(path) <= MOST_LINES


def test_unit_tests_have_the_name_of_what_they_test_or_the_design_says_of_what_they_are():
    design = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    for directory in ("module_utils", "plugin_utils"):
        tests = ROOT / "tests/unit/plugins" / directory
        for path in tests.rglob("test_*.py"):
            module = ROOT / "plugins" / directory / path.relative_to(tests).with_name(path.name[len("test_") :])
            modules = [one.stem for one in module.parent.glob("*.py")]
            named = any(f"{module.stem}_".startswith(f"{name}_") for name in modules)
            assert named or path.name in design or path.name.startswith("test_report_"), path
