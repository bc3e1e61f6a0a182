# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with YAML and JSON in examples: plays, tasks, variables, inventories, what CI and AWX read."""

from __future__ import annotations

import json
import re

import yaml
from ansible.playbook.block import Block
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables
from ansible_collections.vellaric.postgres.tests.unit.examples import commands, declared, known, templates
from ansible_collections.vellaric.postgres.tests.unit.examples.sources import ROOT, Example

_KEYWORDS = {*Task.fattributes, *Block.fattributes, "local_action"}
_PLAY_KEYWORDS = {*Play.fattributes, "hosts"}
_OF_ROLES = ("ansible.builtin.include_role", "ansible.builtin.import_role")
# Names of the reader's own, which begin as ours do.
THEIRS = re.compile(r"databases_of_\w+|database_hosts")


class _Loader(yaml.SafeLoader):
    """Takes what is vaulted for a text, and refuses a key that is there twice."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _value in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{', '.join(map(str, twice))} is there twice")
        return super().construct_mapping(node, deep)


_Loader.add_constructor("!vault", lambda loader, node: node.value)


def mistakes(example: Example) -> list[str]:
    try:
        documents = list(yaml.load_all(example.text, _Loader))
    except yaml.YAMLError as error:
        return [f"is no YAML: {error}"]
    found = [text for document in documents for text in _of_document(document, example)]
    return found + _of_templates(documents, example.around) + of_names(example.text)


def mistakes_in_json(example: Example) -> list[str]:
    try:
        document = json.loads(example.text)
    except ValueError as error:
        return [f"is no JSON: {error}"]
    names = [name for name in _keys(document) if re.fullmatch(r"[a-z_]+", name)]
    return [f"nothing is called {name}" for name in names if name not in known.words()]


def _keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for part in value.values() for name in _keys(part))]
    return [name for part in value for name in _keys(part)] if isinstance(value, list) else []


def of_names(text: str) -> list[str]:
    """Return what is called vellaric.postgres.NAME, and is not there."""
    there = {*known.PLAYBOOKS, *known.ROLES, *known.PLUGINS}
    return [
        f"there is no {known.OURS}{name}"
        for name in re.findall(rf"\b{re.escape(known.OURS)}(\w+)", text)
        if name not in there
    ]


def _of_document(document: object, example: Example) -> list[str]:
    if isinstance(document, list):
        return [text for item in document for text in _of_play_or_task(item, example)]
    if not isinstance(document, dict):
        return [f"is neither a list nor a mapping: {document!r}"]
    if "plugin" in document:
        return _of_inventory_plugin(document)
    if "collections" in document:
        return [f"{item} has no name" for item in document["collections"] if item.get("name") != known.OURS[:-1]]
    if "runs" in document or "jobs" in document:
        return _of_runs(document)
    if "postgres_hosts" in document:
        group = document["postgres_hosts"]
        odd = set(group) - {"hosts", "vars", "children"}
        return [f"a group has no {name}" for name in odd] + of_variables(group.get("vars") or {})
    return of_variables(document)


def of_variables(values: dict) -> list[str]:
    """Return what is wrong with variables: names that nobody knows, values that no role takes."""
    there = {*variables.known(), *variables.RETURNED, "postgres_credentials", "postgres_databases"}
    found = []
    for name, value in values.items():
        if name not in there and not name.startswith("ansible_") and not THEIRS.fullmatch(name):
            found.append(f"there is no variable {name}")
        if name == "postgres_credentials":
            entries = value.values()
            found += [
                f"a credential has no {key}" for entry in entries for key in set(entry) - {"username", "password"}
            ]
    return found + declared.mistakes(values) + known.mistakes_in_variables(values)


def _of_inventory_plugin(document: dict) -> list[str]:
    name = document["plugin"].rpartition(".")[2]
    path = ROOT / "plugins/inventory" / f"{name}.py"
    if not path.exists():
        return [f"there is no inventory plugin {document['plugin']}"]
    text = known.read(path)
    # Of Ansible's fragments for all inventory plugins.
    general = {"plugin", "keyed_groups", "groups", "compose", "strict", "cache", "cache_plugin", "cache_connection"}
    return [
        f"the inventory plugin has no option {option}"
        for option in document
        if option not in general and not re.search(rf"^  {option}:", text, re.MULTILINE)
    ]


def _of_runs(document: object) -> list[str]:
    """CI: each command that it runs."""
    if isinstance(document, list):
        return [text for item in document for text in _of_runs(item)]
    if not isinstance(document, dict):
        return []
    found = []
    for key, value in document.items():
        if key == "run" and isinstance(value, str):
            found += commands.mistakes(Example("run", "sh", value, value))
        elif key == "arguments" and isinstance(value, str):
            command = f"ansible-playbook {value} {known.OURS}site"
            found += commands.mistakes(Example("arguments", "sh", command, command))
        else:
            found += _of_runs(value)
    return found


def _of_play_or_task(item: dict, example: Example) -> list[str]:
    if "hosts" not in item and not any(key.endswith("import_playbook") for key in item):
        return _of_task(item, example)
    if "hosts" not in item:
        return []
    found = [f"a play has no {key}" for key in item if key not in _PLAY_KEYWORDS]
    found += of_variables({name: value for name, value in (item.get("vars") or {}).items() if variables.family(name)})
    for role in item.get("roles") or []:
        name = role if isinstance(role, str) else role.get("role", "")
        found += _of_role(name, None, {} if isinstance(role, str) else role.get("vars") or {})
    for key in ("pre_tasks", "tasks", "post_tasks", "handlers"):
        found += [text for task in item.get(key) or [] for text in _of_task(task, example)]
    return found


def _of_task(task: dict, example: Example) -> list[str]:
    inner = [part for key in ("block", "rescue", "always") for part in task.get(key) or []]
    if inner:
        return [text for part in inner for text in _of_task(part, example)]
    modules = [key for key in task if key not in _KEYWORDS and not key.startswith("with_")]
    if len(modules) != 1:
        return [f"a task has one module, not {modules}"]
    module = modules[0]
    found = [text for value in _conditions(task) for text in templates.mistakes("{{ " + value + " }}", example.around)]
    if found:
        return found
    if module in _OF_ROLES:
        given = task[module]
        return _of_role(given.get("name", ""), given.get("tasks_from"), task.get("vars") or {})
    if "." not in module:
        return [f"{module} is a module without its collection's name, or no keyword of a task"]
    return known.mistakes_in_options(module, task[module]) + _of_results(task, module, example)


def _conditions(task: dict) -> list[str]:
    """Return what is a template without braces."""
    arguments = task.get("ansible.builtin.assert") or {}
    given = [task.get(key) for key in ("when", "until", "failed_when", "changed_when")] + [arguments.get("that")]
    return [text for one in given for text in (one if isinstance(one, list) else [one]) if isinstance(text, str)]


def _of_role(name: str, tasks_from: str | None, given: dict) -> list[str]:
    role = name.removeprefix(known.OURS)
    if role not in known.ROLES or not name.startswith(known.OURS):
        return [f"there is no role {name}"]
    found = []
    if tasks_from and not (ROOT / "roles" / role / "tasks" / f"{tasks_from}.yml").exists():
        found.append(f"role {role} has no {tasks_from}")
    return found + of_variables({key: value for key, value in given.items() if "_" in key})


def _of_results(task: dict, module: str, example: Example) -> list[str]:
    """What is asked of a result that is registered has to be in what the module returns."""
    name = task.get("register")
    if not name or not module.startswith(known.OURS):
        return []
    try:
        returned = known.documented(module)[1]
    except LookupError:
        return []
    found = []
    for chain in re.findall(rf"\b{name}((?:\.\w+|\[\d+\])+)", example.around):
        there = returned
        for key in re.findall(r"\.(\w+)", chain):
            if not isinstance(there, dict) or not there:
                break
            if key in ("changed", "failed", "skipped", "results"):
                break
            if key not in there:
                found.append(f"{module} returns no {name}{chain}")
                break
            there = there[key].get("contains")
    return found


def _of_templates(value: object, around: str) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.items() for text in _of_templates(list(part), around)]
    if isinstance(value, list):
        return [text for part in value for text in _of_templates(part, around)]
    if not known.templated(value):
        return []
    found = templates.mistakes(value, around)
    names = [name for name in re.findall(r"(?<![.'\"\w])[a-z_]+\b", value) if variables.family(name)]
    there = {*variables.known(), *variables.RETURNED}
    return found + [
        f"there is no variable {name}"
        for name in names
        if name not in there and not THEIRS.fullmatch(name) and name not in known.words()
    ]
