# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of several hosts, which one a playbook about one database is meant for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What is looked for, with the words for it; what comes first goes before the others.
SOUGHT = {
    "database": {"database": "has {}"},
    "new": {"database": "has {}"},
    "gone": {"database": "has {}"},
    "backups": {"database": "has {}", "backups": "has backups of {}"},
    "container": {"container": "has a container {}"},
    "deleted": {"deleted": "has {} in its trash"},
    "diagnosis": {
        "database": "has {}",
        "container": "has a container {}",
        "deleted": "has {} in its trash",
        "backups": "has anything of {}",
    },
}


def place(answers: Mapping[str, Mapping[str, Any]], sought: str, on_all: bool) -> dict[str, Any]:
    """Return which hosts are meant (hosts), and why it is not clear which (error, else empty).

    answers: what postgres_db_presence answered, by host. sought: a key of SOUGHT. on_all: all that have it are meant,
    or of a new one all hosts.
    """
    known = {host: answer for host, answer in answers.items() if "database" in answer}
    unknown = {host: answer for host, answer in answers.items() if host not in known}
    container = next((answer["container_name"] for answer in known.values()), "the database")
    if sought == "new" and on_all:
        return {"hosts": sorted(answers), "error": ""}
    for key, words in SOUGHT[sought].items():
        hosts = sorted(host for host, answer in known.items() if answer[key])
        if hosts:
            several = len(hosts) > 1 and not on_all
            return {"hosts": hosts, "error": _several(hosts, words.format(container)) if several else ""}
    if sought == "gone" and not unknown:
        return {"hosts": sorted(answers), "error": ""}
    return {"hosts": [], "error": _none(sought, sorted(known), unknown, container)}


def _several(hosts: list[str], what: str) -> str:
    return (
        f"Each of {', '.join(hosts)} {what}. Say which is meant: --limit HOST or -e database_hosts=HOST; or all of"
        " them: -e database_on_all_hosts=true"
    )


def _none(sought: str, hosts: list[str], unknown: Mapping[str, Mapping[str, Any]], container: str) -> str:
    asked = f"None of {', '.join(hosts)} {next(reversed(SOUGHT[sought].values())).format(container)}. " if hosts else ""
    if sought == "new":
        asked += "Say on which it is to be: --limit HOST or -e database_hosts=HOST; or on each: "
        asked += "-e database_on_all_hosts=true. "
    failed = [f"{host} ({answer.get('msg') or 'no answer'})" for host, answer in sorted(unknown.items())]
    return (asked + (f"Could not be asked: {', '.join(failed)}" if failed else "")).strip()
