# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the controller's plugins many times in one process with odd options. Prints what did not end in words.

python controller.py NUMBER SEED DIRECTORY COLLECTIONS
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import inputs
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader, init_plugin_loader, lookup_loader
from ansible.template import Templar

# Before anything of the collection: it is then loaded as Ansible does.
init_plugin_loader([sys.argv[4]])
LOADER = DataLoader()
LOADER.set_vault_secrets([("default", VaultSecret(b"a vault password of the tests"))])
SCHEDULE = {"scheduler": "cron", "data_root": "/data", "docker_host": "unix:///x", "wait_timeout": 60}
SHOP = {"name": "shop", "environment": "production"}


def ours(path: str) -> Any:
    return importlib.import_module(f"ansible_collections.vellaric.postgres.plugins.{path}")


def acting(name: str) -> Callable[[dict], Any]:
    """Return what runs an action plugin with options, in check mode, as a task on the controller does."""

    plugin = ours(f"action.{name}")

    def act(given: dict) -> Any:
        task = Task()
        task.args, task.check_mode, task.diff = given, True, True
        connection = connection_loader.get("ansible.builtin.local", PlayContext(), os.devnull)
        return plugin.ActionModule(task, connection, PlayContext(), LOADER, Templar(LOADER), None).run(task_vars={})

    return act


def kinds(directory: str) -> dict[str, tuple[Callable[[dict], Any], list[dict]]]:
    """What is run, by name, with options of right runs."""
    credentials = {"path": f"{directory}/credentials.yml", **SHOP}
    many = {"path": f"{directory}/credentials.yml", "databases": [{**SHOP, "password": "correct-horse-battery"}]}
    page = {"answers": {}, "path": f"{directory}/index.html", "mode": "0600", "history_days": 3, "title": "x"}
    item = {**SHOP, "memory": "1g", "users": [{"name": "a", "role": "owner"}], "settings": {"work_mem": "8MB"}}
    whole = {"environments": {"production": {"calendar": "daily"}}, "databases": [{**SHOP, "calendar": "hourly"}]}
    taken = {"database_name": "shop", "database_users": [{"name": "a"}], "backup_retention": {"daily": 7}}
    declarations, variables = ours("plugin_utils.declarations"), ours("plugin_utils.variables")
    schedules = ours("filter.postgres_backup_schedules").schedules
    lookup = lookup_loader.get("vellaric.postgres.postgres_disk_history", loader=LOADER, templar=Templar(LOADER))
    return {
        "credentials": (acting("postgres_db_credentials"), [credentials, many, {**credentials, "state": "absent"}]),
        "view": (
            acting("postgres_db_view"),
            [{"answers": {}, "view": "list", "output": "json", "dest": f"{directory}/x"}],
        ),
        "report": (acting("postgres_db_report"), [page]),
        "declared": (lambda given: declarations.mistakes(declarations.with_defaults([given], {})), [item]),
        "schedules": (schedules, [{**SCHEDULE, **whole, "notify": {}, "program": {}}]),
        "variables": (lambda given: variables.mistakes({k: v for k, v in given.items() if k in taken}), [taken]),
        "history": (lambda given: lookup.run([given["path"]], host="h"), [{"path": f"{directory}/history.jsonl"}]),
    }


def wrong_with(run: Callable[[dict], Any], given: dict) -> str | None:
    try:
        answer = run(given)
    except AnsibleError as error:
        return None if str(error).strip() else "no words"
    except Exception:
        return traceback.format_exc()
    if isinstance(answer, dict) and answer.get("failed") and not (answer.get("msg") or "").strip():
        return f"no words: {answer}"
    return "Traceback" if "Traceback" in repr(answer) else None


def main() -> None:
    number, seed, directory = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    chance, found, began = random.Random(seed), [], time.monotonic()
    known = kinds(directory)
    for _turn in range(number):
        name = chance.choice(sorted(known))
        run, right = known[name]
        options = chance.choice(right)
        given = inputs.altered(chance, options, [*options, "state", "vault_id", "user", "owner", "artifact", "history"])
        if name == "history" and "path" not in given:
            continue
        wrong = wrong_with(run, given)
        if wrong:
            found.append([name, json.dumps(given), wrong])
    print(json.dumps({"runs": number, "seconds": round(time.monotonic() - began, 1), "found": found}))


if __name__ == "__main__":
    main()
