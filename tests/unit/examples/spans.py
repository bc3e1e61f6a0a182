# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the words and commands within the sentences of the guides, and with their links."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from ansible_collections.vellaric.postgres.tests.unit.examples import commands, known, yamls
from ansible_collections.vellaric.postgres.tests.unit.examples.sources import ROOT, Example

# Words of others, and one that is there to be wrong.
_THEIRS = {
    "database_memroy", "extra_vars", "known_hosts", "node_exporter", "pg_advisory_xact_lock", "pg_monitor",
    "postgres_fdw", "pull_request_target", "security_fixes", "vault_password_file",
    "display_skipped_hosts", "default_query_exec_mode", "prepare_threshold", "prepared_statement_cache_size",
    "statement_cache_size", "connect_args",
    # What the code puts together.
    "scheduled_backup_failed", "scheduled_verification_failed", "vellaric_backup_last_success_timestamp_seconds",
}  # fmt: skip
_IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_PATH = re.compile(r"(?:\.\./)*(?:tests|docs|roles|plugins|playbooks|changelogs|extensions|inventory)/[\w./-]+")
_BELOW = re.compile(r"(?:\w+_utils|shell|server|host|backup|planning|applying|findings|statistics)/[\w./]*")


def mistakes(example: Example) -> list[str]:
    text = example.text
    found = yamls.of_names(text) + commands.mistakes_in_given(text)
    first = re.sub(r"^(\.\.\. |[A-Z_]+=\S+ )+", "", text).split(" ")[0]
    if first in commands.KNOWN and (" " in text or first.startswith("tests/")):
        found += commands.mistakes(Example(example.where, "sh", text, example.around))
    elif first.startswith(known.OURS) and " -e " in text:
        found += commands.mistakes(Example(example.where, "sh", f"ansible-playbook {first}", example.around))
    elif _IDENTIFIER.fullmatch(text):
        found += _of_word(text)
    elif re.fullmatch(r"[a-z_]+: \S.*", text):
        found += _of_setting(text)
    elif _PATH.fullmatch(text):
        found += _of_path(text, example)
    elif _BELOW.fullmatch(text) or re.fullmatch(r"[a-z_]+\.py", text):
        found += _of_module(text)
    return found


def _of_word(word: str) -> list[str]:
    if word in known.words() or word in _THEIRS or yamls.THEIRS.fullmatch(word):
        return []
    return [f"nothing is called {word}"]


def _of_setting(text: str) -> list[str]:
    """One line of YAML: a variable, an option of a module or role, a keyword."""
    try:
        name, value = next(iter(yaml.safe_load(text).items()))
    except (yaml.YAMLError, AttributeError):
        return []
    if name not in known.words() and name not in ("runs-on", *_THEIRS):
        return [f"nothing is called {name}"]
    # One of them is there to be wrong.
    return [] if text == "database_version: 15.10" else known.mistakes_in_variables({name: value})


def _of_path(text: str, example: Example) -> list[str]:
    beside = (ROOT / example.where.partition(":")[0]).parent
    if (beside / text).exists() or (ROOT / text).exists() or text.startswith(("inventory/", "collections/")):
        return []
    return [f"there is no {text}"]


def _of_module(text: str) -> list[str]:
    path = text.rstrip("/")
    if any(place.match(f"*/{path}") for place in ROOT.glob("plugins/**/*")) or any(ROOT.glob(f"tests/*/{path}")):
        return []
    return [] if any(ROOT.glob(f"tests/**/{path}")) else [f"there is no {text}"]


def broken_links(path: Path) -> list[str]:
    text = known.read(path)
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        name, _hash, anchor = target.partition("#")
        there = (path.parent / name) if name else path
        if not there.exists():
            found.append(f"there is no {target}")
        elif anchor and there.suffix == ".md" and anchor not in _anchors(known.read(there)):
            found.append(f"there is no heading for {target}")
    return found


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
