# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with templates in examples: their syntax; filters, tests, lookups and variables that there are not."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

import jinja2
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables
from ansible_collections.vellaric.postgres.tests.unit.examples import known
from jinja2 import defaults, nodes

# What Ansible sets: https://docs.ansible.com/ansible/latest/reference_appendices/special_variables.html
_SET = {
    *("ansible_check_mode", "ansible_facts", "ansible_host", "ansible_play_batch", "ansible_play_hosts"),
    *("group_names", "groups", "hostvars", "inventory_dir", "inventory_hostname", "item", "omit", "playbook_dir"),
    *("lookup", "q", "query", "now", "undef", "dict"),
}
# What a task before the one that is shown has set, where the example is of a filter, and what the reader has vaulted.
_BEFORE = {
    *("answer", "declared", "entries", "file", "found", "prediction", "presence", "requests", "resolved", "seen"),
    "stored",
}
_VAULTED = re.compile(r"vaulted_\w+|\w+_password")
# Filters that are given the name of a test or of a filter, and in which place.
_NAMING = {"map": ("filters", 0), "select": ("tests", 0), "reject": ("tests", 0)}
_NAMING.update(selectattr=("tests", 1), rejectattr=("tests", 1))


@functools.lru_cache(maxsize=None)
def _there(kind: str) -> frozenset[str]:
    """Return the names of filters or tests that every Ansible has."""
    of_jinja = {"filters": defaults.DEFAULT_FILTERS, "tests": defaults.DEFAULT_TESTS}[kind]
    directory = Path(importlib.util.find_spec("ansible").origin).parent / "plugins" / kind[:-1]
    return frozenset({*of_jinja, *(path.stem for path in directory.glob("*.yml"))})


def mistakes(text: str, around: str) -> list[str]:
    """around: all of the text that a template stands in, where its variables may be named."""
    # GitHub's own have a dollar before them.
    if "${{" in text:
        given = re.findall(r"\binputs\.([\w-]+)", text)
        return [f"there is no input {name}" for name in given if not re.search(rf"^ +{name}:", around, re.MULTILINE)]
    try:
        tree = jinja2.Environment().parse(text)
    except jinja2.TemplateError as error:
        return [f"is no template: {error}"]
    found = [f"there is no {kind[:-1]} {name}" for kind, name in _named(tree) if not _is_there(kind, name)]
    read = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    written = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    for name in sorted(read - written - _SET - _BEFORE):
        # Names that begin as ours do are looked up elsewhere.
        known_of = variables.family(name) or name.startswith("postgres_") or _VAULTED.fullmatch(name)
        if not known_of and not re.search(rf"^[- ]*(?:register: {name}$|{name}:)", around, re.MULTILINE):
            found.append(f"nothing sets the variable {name}")
    return found


def _named(tree: nodes.Template):
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        yield ("filters" if isinstance(node, nodes.Filter) else "tests"), node.name
        kind, place = _NAMING.get(node.name, ("", 0))
        if kind and len(node.args) > place and isinstance(node.args[place], nodes.Const):
            yield kind, node.args[place].value
    for node in tree.find_all(nodes.Call):
        if getattr(node.node, "name", "") in ("lookup", "query", "q") and isinstance(node.args[0], nodes.Const):
            yield "lookups", node.args[0].value


def _is_there(kind: str, name: str) -> bool:
    if name.startswith(known.OURS):
        return name.removeprefix(known.OURS) in known.PLUGINS
    if kind == "lookups":
        return known.is_lookup(name)
    return name.removeprefix("ansible.builtin.") in _there(kind)
