# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that roles and playbooks take: which there are, and what is wrong with those that are given.

Nobody looks at a variable that there is not: a typo would change nothing, and say so to nobody.
"""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Mapping
from typing import Any

import yaml

from ..module_utils._domain import options

try:
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

_ROLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "roles")
ROLES = ("backup", "database", "databases", "docker_host", "image", "report")

_TEXT, _PATH, _NUMBER, _SWITCH = ({"type": kind} for kind in ("str", "path", "int", "bool"))
_SECRET = {"type": "str", "no_log": True}
_TEXTS = {"type": "list", "elements": "str"}
# What playbooks take beside the variables of roles.
PLAYBOOKS: dict[str, dict[str, Any]] = {
    "awx_credentials_directory": _PATH,
    "awx_credentials_host": _TEXT,
    "awx_fleet_branch": _TEXT,
    "awx_fleet_credential": _TEXT,
    "awx_fleet_url": _TEXT,
    "awx_image": _TEXT,
    "awx_image_credential": _TEXT,
    "awx_instance_groups": _TEXTS,
    "awx_inventory_path": _PATH,
    "awx_machine_credential": _TEXT,
    "awx_organization": _TEXT,
    "awx_playbook": _PATH,
    "awx_prefix": _TEXT,
    "awx_questions": {"type": "list", "elements": "dict"},
    "awx_schedules": {"type": "list", "elements": "dict"},
    "awx_teams": {"type": "dict"},
    "awx_templates": {"type": "list", "elements": "dict"},
    "awx_vault_id": _TEXT,
    "awx_vault_password": _SECRET,
    "backup_compression": _TEXT,
    "backup_compression_level": _NUMBER,
    "backup_format": _TEXT,
    "backup_jobs": _NUMBER,
    "backup_limit": _NUMBER,
    "backup_lock_timeout": _NUMBER,
    "backup_max_age": _TEXT,
    "backup_name": _TEXT,
    "backup_retention": {"type": "dict"},
    "backup_row_counts": _SWITCH,
    "backup_timeout": _NUMBER,
    "backup_verify": _SWITCH,
    "clone_backup": _TEXT,
    "clone_backup_first": _SWITCH,
    "clone_from_environment": _TEXT,
    "clone_from_host": _TEXT,
    "clone_from_name": _TEXT,
    "clone_jobs": _NUMBER,
    "clone_keep_old": _NUMBER,
    "clone_mask": _TEXT,
    "clone_mask_files": _TEXTS,
    "clone_timeout": _NUMBER,
    "clone_trust_source": _SWITCH,
    "clone_unmasked": _SWITCH,
    "connect_as": _TEXT,
    "collations_concurrently": _SWITCH,
    "collations_everything": _SWITCH,
    "collations_timeout": _NUMBER,
    "database_hosts": {"type": "raw"},
    "database_on_all_hosts": _SWITCH,
    "diagnose_container": _TEXT,
    "diagnose_database": _TEXT,
    "diagnose_dest": _PATH,
    "diagnose_timeout": _NUMBER,
    "diagnose_username": _TEXT,
    "exec_as": _TEXT,
    "exec_atomic": _SWITCH,
    "exec_files": _TEXTS,
    "exec_sql": _TEXT,
    "exec_timeout": _NUMBER,
    "import_backup_first": _SWITCH,
    "import_ca_file": _PATH,
    "import_file": _PATH,
    "import_jobs": _NUMBER,
    "import_keep_old": _NUMBER,
    "import_password": _SECRET,
    "import_path": _PATH,
    "import_replace": _SWITCH,
    "import_roles": _TEXTS,
    "import_timeout": _NUMBER,
    "import_url": _TEXT,
    "logs_follow": _SWITCH,
    "logs_grep": _TEXT,
    "logs_lines": _NUMBER,
    "logs_since": _TEXT,
    "restore_allow_other_database": _SWITCH,
    "restore_allow_older": _SWITCH,
    "restore_backup": _TEXT,
    "restore_backup_first": _SWITCH,
    "restore_file": _PATH,
    "restore_jobs": _NUMBER,
    "restore_keep_old": _NUMBER,
    "restore_mask": _TEXT,
    "restore_mask_files": _TEXTS,
    "restore_timeout": _NUMBER,
    "restore_trust_source": _SWITCH,
    "show_credentials": _SWITCH,
    "site_prepare": _SWITCH,
}
# The short forms, which others may use for something else.
_SHORT = ("fail_on", "interval", "output", "watch_count", "watch_duration", "postgres_credentials_artifact")
# What roles and playbooks return under a name that begins as those do.
RETURNED = (
    "backup_result",
    "clone_result",
    "collations_result",
    "database_connection",
    "database_exec_result",
    "database_list",
    "database_result",
    "database_rotation",
    "databases_connections",
    "databases_result",
    "databases_undeclared",
    "exec_result",
    "image_result",
    "import_result",
    "report_answer",
    "report_result",
    "restore_result",
)
# Words that other people's variables hardly begin with.
_OURS = ("database", "databases")
# What AWX gives to every job: https://docs.ansible.com/automation-controller/latest/html/userguide/job_templates.html
_OF_AWX = tuple(
    f"awx_{word}"
    for word in (
        "execution_node",
        "inventory_id",
        "inventory_name",
        "job_",
        "parent_job_",
        "project_",
        "schedule_",
        "user_",
        "webhook_",
        "workflow_",
    )
)
# What the lists are called that a person adds up to postgres_databases, as the documentation has it.
_LISTS = "databases_of_"
# How alike two names are where one may be meant with the other.
# More letters than that make another name: somebody's own.
_SLIP = 3
_ALIKE = 0.8


@functools.lru_cache(maxsize=None)
def known() -> dict[str, dict[str, Any]]:
    """Return the variables that there are, each with its type, as an argument spec has it."""
    found: dict[str, dict[str, Any]] = {**PLAYBOOKS}
    for role in ROLES:
        with open(os.path.join(_ROLES, role, "meta", "argument_specs.yml"), encoding="utf-8") as stream:
            for entry in yaml.load(stream, Loader)["argument_specs"].values():
                found.update(entry.get("options") or {})
    return found


def family(name: str) -> str | None:
    """Return what the variables of a role or of a playbook begin with, for a name that does; else None."""
    return next((prefix for prefix in _families() if name.startswith(f"{prefix}_")), None)


@functools.lru_cache(maxsize=None)
def _families() -> tuple[str, ...]:
    playbooks = {name.partition("_")[0] for name in PLAYBOOKS} - {"show"}
    # The longest first: docker_host_state is not one of docker's.
    return tuple(sorted({*ROLES, *playbooks}, key=len, reverse=True))


def unknown(names: list[str], taken: tuple[str, ...], given: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return what is wrong with names, and what a person may want to know of others.

    names: of all variables; taken: families that the play is about; given: names of those that were given to this very
    run (-e). An inventory may have variables that are somebody else's: of these, only what is like one of ours is
    wrong.
    """
    wrong, odd = [], []
    there = {*known(), *RETURNED, *_SHORT}
    if "awx" not in taken:
        # Whatever begins so is AWX's own for all playbooks but the one that is about it.
        names = [name for name in names if family(name) != "awx"]
        there = {name for name in there if family(name) != "awx"}
    for name in sorted(set(names) - there):
        own = family(name)
        if name.startswith(_OF_AWX):
            continue
        if name.startswith(_LISTS) or own is None and (name not in given or "_" not in name):
            continue
        meant = difflib.get_close_matches(name, sorted(there - set(RETURNED)), n=1, cutoff=_ALIKE)
        if meant and _letters_apart(name, meant[0]) <= _SLIP:
            wrong.append(f"There is no variable {name}, did you mean {meant[0]}?")
        elif own in taken and name in given:
            wrong.append(f"There is no variable {name}")
        elif own in taken and own in _OURS:
            odd.append(f"Variable {name} is none of vellaric.postgres, though it begins as those of {own} do")
    return wrong, odd


def _letters_apart(name: str, other: str) -> int:
    """Return how many letters one has to change, at most, to come from a name to the other."""
    steps = difflib.SequenceMatcher(None, name, other, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in steps if kind != "equal")


def told_by_host(there: Mapping[str, Any]) -> list[str]:
    """Return what is wrong where a host has answered with variables of ours. there: the variables of a task.

    Ansible takes facts from the answer of any module, and prefers them to the inventory: by them, a host would choose
    where its credentials are kept, whose it is given, and on which host something is written.
    """
    facts, host = there.get("ansible_facts") or {}, there.get("inventory_hostname")
    return [
        f"{name} was set by an answer of host {host} (as a fact): only the inventory, the play and -e may set it. If"
        " you set it yourself with set_fact, do so without cacheable. Otherwise find out who has root on that host"
        for name in sorted(known())
        if name in facts
    ]


def mistakes(values: dict[str, object]) -> list[str]:
    """Return what is wrong with the values of those variables that there are."""
    found = []
    for name, value in values.items():
        own = family(name)
        prefix = f"{own}_" if own else ""
        short = name[len(prefix) :]
        found += options.mistakes({short: known()[name]}, {short: value}, prefix)
    return found
