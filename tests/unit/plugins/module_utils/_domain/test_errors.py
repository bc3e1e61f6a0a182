# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error adds to a task's result cannot be taken for something of Ansible's."""

from __future__ import annotations

import ast
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"
# https://docs.ansible.com/ansible/latest/reference_appendices/common_return_values.html
OF_ANSIBLE = {
    "ansible_facts", "changed", "deprecations", "diff", "failed", "invocation", "msg", "module_stderr", "module_stdout",
    "rc", "results", "skipped", "stderr", "stderr_lines", "stdout", "stdout_lines", "warnings",
}  # fmt: skip


def base_names(node):
    return {base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases}


def errors(trees):
    """The names of the collection's exceptions."""
    known = {"DatabaseError"}
    while True:
        more = {n.name for t in trees for n in ast.walk(t) if isinstance(n, ast.ClassDef) and base_names(n) & known}
        if more <= known:
            return known
        known |= more


def raised(tree, classes):
    """The names of the details of every error that is made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in classes:
                yield from ((keyword.arg, node.lineno) for keyword in node.keywords if keyword.arg)


def test_no_detail_of_an_error_has_a_name_that_ansible_gives_a_meaning():
    trees = {path.name: ast.parse(path.read_text()) for path in sorted((PLUGINS / "module_utils").rglob("*.py"))}
    classes = errors(trees.values())
    assert {"NotReady", "Rejected"} <= classes
    details = [(name, *detail) for name, tree in trees.items() for detail in raised(tree, classes)]
    assert "log" in [detail for _name, detail, _line in details]
    assert [one for one in details if one[1] in OF_ANSIBLE] == []
