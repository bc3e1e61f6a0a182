# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where examples are: blocks and spans of the guides, the comments that playbooks begin with, EXAMPLES of plugins."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}.*\n(?:\n(?= {4}))?)+)")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Example:
    """A piece of text that somebody may copy. kind: sh, yaml, json, span, and what else a block is said to be."""

    where: str
    kind: str
    text: str
    # All of the text that it stands in, where names that it uses may be explained.
    around: str

    def __str__(self) -> str:
        return self.where


def guides() -> list[Path]:
    patterns = (
        "*.md",
        "docs/*.md",
        "roles/*/README.md",
        "tests/*/README.md",
        "inventory/*/README.md",
        "extensions/**/*.md",
    )
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def playbooks() -> list[Path]:
    return sorted(ROOT.glob("playbooks/*.yml"))


def everything() -> list[Example]:
    found = []
    for path in guides():
        found += _of_guide(path)
    for path in playbooks():
        found += _of_playbook(path)
    return [*found, *_of_plugins()]


def _of_guide(path: Path) -> list[Example]:
    text = path.read_text(encoding="utf-8")
    name, found = str(path.relative_to(ROOT)), []

    def take(position: int, kind: str, piece: str) -> None:
        found.append(Example(f"{name}:{text.count(chr(10), 0, position) + 1}", kind, piece, text))

    for match in _FENCE.finditer(text):
        take(match.start(), match[2] or "sh", match[3])
    # Of what is left, lines stay where they were.
    rest = _FENCE.sub(lambda match: re.sub(r"[^\n]", "", match[0]), text)
    for match in _INDENTED.finditer(rest):
        take(match.start(1), "sh", match[1])
    rest = _INDENTED.sub(lambda match: re.sub(r"[^\n]", "", match[0]), rest)
    for match in _SPAN.finditer(rest):
        take(match.start(), "span", re.sub(r"\s+", " ", match[1]))
    return found


def head(path: Path) -> str:
    """Return the comment that a playbook begins with, without its marks."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("#"):
            break
        lines.append(line[2:])
    return "\n".join(lines) + "\n"


def _of_playbook(path: Path) -> list[Example]:
    text, name = head(path), str(path.relative_to(ROOT))
    commands = re.findall(r"^ansible-playbook (?:.*\\\n)*.*$", text, re.MULTILINE)
    found = [Example(name, "sh", re.sub(r"\[(-e [^\]]*)\]", r"\1", command), text) for command in commands]
    return [*found, *(Example(name, "span", option, text) for option in re.findall(r"-e\s+\w+=\S*", text))]


def _of_plugins() -> list[Example]:
    found = []
    for path in sorted(ROOT.glob("plugins/*/*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXAMPLES":
                name = f"{path.relative_to(ROOT)}:{node.lineno}"
                found.append(Example(name, "yaml", node.value.value, node.value.value))
    for path in sorted(ROOT.glob("plugins/*/*.yml")):
        text = yaml.safe_load(path.read_text(encoding="utf-8"))["EXAMPLES"]
        found.append(Example(str(path.relative_to(ROOT)), "yaml", text, text))
    return found
