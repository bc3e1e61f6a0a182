# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What examples can use: playbooks with their variables, modules with their options, targets of make, words of code."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables
from ansible_collections.vellaric.postgres.tests.unit.examples.sources import ROOT

OURS = "vellaric.postgres."
_IDENTIFIER = re.compile(r"\b[a-zA-Z]\w*\b")
PLAYBOOKS = {path.stem for path in ROOT.glob("playbooks/*.yml")}
ROLES = {path.name for path in ROOT.glob("roles/*")}
PLUGINS = {path.stem for path in ROOT.glob("plugins/*/*") if path.parent.name not in ("module_utils", "plugin_utils")}

# Variables that playbooks take, by -e.
VARIABLES = {*variables.known(), *variables._SHORT, "name", "environment", "postgres_credentials", "postgres_databases"}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _code(path: Path) -> str:
    """Return a file without its comments, in which examples are."""
    return re.sub(r"^\s*#.*$", "", read(path), flags=re.MULTILINE)


@functools.lru_cache(maxsize=None)
def taken(playbook: str) -> frozenset[str]:
    """Return the words in the code of a playbook, of what it includes and its roles: its variables are among them."""
    texts, seen = [], set()
    waiting = [ROOT / "playbooks" / f"{playbook}.yml"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        text = _code(path)
        texts.append(text)
        for name in re.findall(r"(?:_tasks|vars_files|_playbook): ['\"]?([\w/]+\.yml)", text):
            if (path.parent / name).exists():
                waiting.append(path.parent / name)
        for name in re.findall(rf"{re.escape(OURS)}(\w+)$", text, re.MULTILINE):
            if name in ROLES:
                waiting += (ROOT / "roles" / name).glob("*/*.yml")
    words = set(_IDENTIFIER.findall("\n".join(texts)))
    return frozenset(words | ({"name", "environment"} if "database_name" in words else set()))


@functools.lru_cache(maxsize=None)
def words() -> frozenset[str]:
    """Return every word of the code: variables, options, keys of results, codes of findings."""
    found = set()
    for pattern in ("plugins/**/*.py", "plugins/**/*.yml", "roles/*/*/*", "playbooks/**/*.yml", "tests/demo/*"):
        for path in ROOT.glob(pattern):
            if path.is_file():
                found.update(_IDENTIFIER.findall(_code(path)))
    return frozenset(found)


@functools.lru_cache(maxsize=None)
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][\w-]*):", read(ROOT / "Makefile"), re.MULTILINE))


def mistakes_in_variables(values: dict) -> list[str]:
    """Return what is wrong with the values of variables of roles and playbooks."""
    found = []
    known = variables.known()
    given = {name: value for name, value in values.items() if name in known}
    found += variables.mistakes(without_templates(given))
    specification = {name: _plain(known[name]) for name in given}
    return found + _validated(specification, given)


def _validated(specification: dict, given: dict) -> list[str]:
    found = _unknown(specification, given)
    return found or list(ArgumentSpecValidator(specification).validate(without_templates(given)).error_messages)


def _unknown(specification: dict, given: object) -> list[str]:
    """Return the names that an argument spec does not have, whatever their values stand for."""
    if isinstance(given, list):
        return [text for item in given for text in _unknown(specification, item)]
    if not isinstance(given, dict):
        return []
    aliases = {alias: option for option in specification.values() for alias in option.get("aliases") or []}
    found = []
    for name, value in given.items():
        option = specification.get(name, aliases.get(name))
        if option is None:
            found.append(f"there is no option {name}")
        elif option.get("options"):
            found += _unknown(option["options"], value)
    return found


def _plain(option: dict) -> dict:
    """Return an option as an argument spec has it: nothing is required of what examples show a part of."""
    kept = {key: value for key, value in option.items() if key in ("type", "elements", "choices", "no_log", "aliases")}
    parts = option.get("options") or option.get("suboptions")
    if parts:
        kept["options"] = {name: _plain(part) for name, part in parts.items()}
    return kept


def templated(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def without_templates(value: object) -> object:
    """Leave out what a template stands for: nothing is known of its value."""
    if isinstance(value, dict):
        return {key: without_templates(part) for key, part in value.items() if not templated(part)}
    if isinstance(value, list):
        return [without_templates(part) for part in value if not templated(part)]
    return value


@functools.lru_cache(maxsize=None)
def documented(module: str) -> tuple[dict, dict] | None:
    """Return the options and the results of a module; None of a collection that is not installed."""
    collection, _dot, name = module.rpartition(".")
    path = _plugin(collection, "modules", name)
    if path is None:
        return None
    if not path.exists():
        raise LookupError(f"there is no module {module}")
    texts = _texts(path)
    document = yaml.safe_load(texts["DOCUMENTATION"])
    options = dict(document.get("options") or {})
    fragments = document.get("extends_documentation_fragment") or []
    for fragment in [fragments] if isinstance(fragments, str) else fragments:
        for name, option in _fragment(fragment, collection).items():
            options.setdefault(name, option)
    return options, yaml.safe_load(texts.get("RETURN") or "{}") or {}


def _fragment(name: str, collection: str) -> dict:
    parts = name.split(".")
    if len(parts) < 3:
        place = "ansible.builtin"
    else:
        place, parts = ".".join(parts[:2]), parts[2:]
    path = _plugin(place, "doc_fragments", parts[0])
    if path is None or not path.exists():
        return {}
    attribute = parts[1].upper() if len(parts) > 1 else "DOCUMENTATION"
    return (yaml.safe_load(_texts(path).get(attribute) or "{}") or {}).get("options") or {}


def _plugin(collection: str, kind: str, name: str) -> Path | None:
    """Return the file of a plugin; None where there is no such collection here."""
    if collection == "vellaric.postgres":
        return ROOT / "plugins" / kind / f"{name}.py"
    if collection == "ansible.builtin":
        base = Path(importlib.util.find_spec("ansible").origin).parent
        return base / (kind if kind == "modules" else f"plugins/{kind}") / f"{name}.py"
    installed = Path(importlib.util.find_spec("ansible").origin).parents[1] / "ansible_collections"
    base = installed / collection.replace(".", "/")
    return base / "plugins" / kind / f"{name}.py" if base.exists() else None


def is_lookup(name: str) -> bool:
    collection, _dot, plugin = name.rpartition(".")
    path = _plugin(collection or "ansible.builtin", "lookup", plugin)
    return path is None or path.exists()


def _texts(path: Path) -> dict[str, str]:
    """Return the texts that a file gives names to, in itself or in its class."""
    found = {}
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found[getattr(node.targets[0], "id", "")] = node.value.value
    return found


def mistakes_in_options(module: str, given: object) -> list[str]:
    """Return what is wrong with what a task gives to a module."""
    try:
        there = documented(module)
    except LookupError as error:
        return [str(error)]
    if there is None or not isinstance(given, dict):
        return []
    options = there[0]
    specification = {name: _plain(option) for name, option in options.items()}
    found = _validated(specification, given)
    if module.startswith(OURS):
        lacking = {name for name, option in options.items() if option.get("required")} - set(given)
        found += [f"{module} wants {name}" for name in sorted(lacking)]
    return found
