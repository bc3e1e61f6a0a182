# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_info does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._domain import texts, units
from .._domain.errors import DatabaseError
from .._domain.names import ENVIRONMENTS
from .._findings import evaluate, thresholds
from .._observing import listing
from .._statistics.gather import Options, gather
from . import arguments
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge

if TYPE_CHECKING:
    from .._host.engine import Engine

GATHERED = (
    "container",
    "statistics",
    "settings",
    "sizes",
    "queries",
    "activity",
    "replication",
    "backups",
    "tls",
    "pooler",
    "findings",
    "logs",
)
_MOST_SHOWN = 1_000_000
THRESHOLD_ARGUMENTS = {
    name: {"type": "int" if isinstance(value, int) else "float", **({} if value is None else {"default": value})}
    for name, value in thresholds.DEFAULTS.items()
}


def main() -> None:
    module = Module(
        argument_spec={
            "name": {"type": "str"},
            "environment": {"type": "str", "choices": list(ENVIRONMENTS)},
            "required": {"type": "bool", "default": False},
            "gather": {"type": "list", "elements": "str", "choices": list(GATHERED), "default": []},
            "timeout": {"type": "int", "default": 10},
            "limit": {"type": "int", "default": 10},
            "log_lines": {"type": "int", "default": 50},
            "log_since": {"type": "str"},
            "history": {"type": "dict", "default": {}},
            "thresholds": {"type": "dict", "default": {}, "options": THRESHOLD_ARGUMENTS, "apply_defaults": True},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    with edge(module):
        module.exit_json(changed=False, **_info(module.params, arguments.engine(module)))


def _info(params: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
    since = _check(params)
    engine.connect()
    if "logs" in (params["gather"] or ()):
        engine.get_ready()
    name, environment, data_root = params["name"], params["environment"], params["data_root"]
    databases = listing.databases(engine, data_root, name, environment)
    if params["required"] and not databases:
        wanted = [f"{option} {params[option]}" for option in ("name", "environment") if params[option]]
        what = f" with {' and '.join(wanted)}" if wanted else ""
        raise DatabaseError(f"There is no database{what} below {data_root} on this host (required: true)")
    deleted = listing.deleted(data_root, name, environment)
    if not params["gather"]:
        return {"databases": [database.shown for database in databases], "deleted": deleted}
    options = Options(
        gather=tuple(params["gather"]),
        timeout=params["timeout"],
        limit=params["limit"],
        log_lines=params["log_lines"],
        log_since=since,
        history=params["history"],
        thresholds=params["thresholds"],
    )
    shown = gather(engine, data_root, databases, options)
    result = {"databases": shown, "deleted": deleted, **({"log_since": since} if since else {})}
    if "findings" in options.gather:
        found = [finding for database in shown for finding in database["findings"]]
        result["findings"] = evaluate.worst_first(found)
    return result


def _check(params: Mapping[str, Any]) -> str:
    """Refuse what no option can hold; returns from when on lines of logs are meant, nothing for all."""
    for option, most in (("timeout", texts.MOST_SECONDS), ("limit", _MOST_SHOWN), ("log_lines", _MOST_SHOWN)):
        texts.number(params[option], option, 1, most)
    texts.directory(params["data_root"], "data_root")
    if params["name"] is not None:
        texts.line(params["name"], "name")
    for container, samples in params["history"].items():
        if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
            raise DatabaseError(f"history of {container}: it must be a list of mappings, such as earlier statistics")
    now = datetime.datetime.now(datetime.timezone.utc)
    return "" if params["log_since"] is None else units.parse_since(params["log_since"], "log_since", now)
