# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the guides, docs/*.md, as Ansible's documentation site has them, docs/docsite/rst/*.rst.

The Markdown is the source: `make docs` writes the other, and a unit test compares the two. What is known of Markdown is
what the guides use: headings, paragraphs, lists, tables, blocks of code, bold, code and links.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs"
SITE = GUIDES / "docsite"
_COLLECTION = "ansible_collections.vellaric.postgres"
_REPOSITORY = "https://github.com/vellaric/ansible-postgres/blob/main"
_NOTICE = """..
  Written from docs/{name}.md by make docs: change that one.
  Copyright (c) 2026, Vellaric contributors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later
"""
_MARKS = "=-~^"
_LANGUAGES = {"": "text", "text": "text", "sh": "sh", "yaml": "yaml+jinja", "json": "json", "sql": "sql", "ini": "ini"}
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\[(?P<text>(?:[^\[\]]|\[[^\]]*\])+)\]\((?P<target>[^)\s]+)\)|\*\*(?P<bold>.+?)\*\*|\*(?P<thin>[^*\s][^*]*)\*"
)


def guides() -> dict[str, str]:
    """Return what is to be written, by the name of the file."""
    return {
        f"{path.stem}.rst": page(path.stem, path.read_text(encoding="utf-8")) for path in sorted(GUIDES.glob("*.md"))
    }


def page(name: str, text: str) -> str:
    """Return a guide as reStructuredText."""
    return "\n".join([_NOTICE.format(name=name), *_blocks(name, text.splitlines())]).rstrip() + "\n"


def _blocks(name: str, lines: list[str]) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        if not line.strip():
            place += 1
            continue
        end = place + 1
        if line.lstrip().startswith("```"):
            while not lines[end].lstrip().startswith("```"):
                end += 1
            found += _code(line.strip()[3:], lines[place + 1 : end])
            end += 1
        elif re.match(r"#+ ", line):
            found += _heading(name, line)
        elif line.startswith("|"):
            while end < len(lines) and lines[end].startswith("|"):
                end += 1
            found += _table(name, lines[place:end])
        elif line.startswith("    "):
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            found += _code("sh", lines[place:end])
        elif re.match(r"(?:-|\d+\.) ", line):
            while end < len(lines) and (lines[end].startswith(" ") or _goes_on(lines, end)):
                end += 1
            found += _list(name, lines[place:end])
        else:
            while end < len(lines) and lines[end].strip() and not _begins(lines[end]):
                end += 1
            found += [_inline(name, "\n".join(lines[place:end])), ""]
        place = end
    return found


def _begins(line: str) -> bool:
    """Say whether a block of its own begins within a paragraph."""
    return bool(re.match(r"#+ |\||```|(?:-|\d+\.) ", line))


def _goes_on(lines: list[str], place: int) -> bool:
    """Say whether a list goes on with the next item, perhaps after an empty line, or within an indented block."""
    if re.match(r"(?:-|\d+\.) ", lines[place]):
        return True
    rest = [line for line in lines[place:] if line.strip()]
    return not lines[place].strip() and bool(rest) and bool(re.match(r"(?:-|\d+\.) | {2,}\S", rest[0]))


def _heading(name: str, line: str) -> list[str]:
    marks, _space, title = line.partition(" ")
    text = _inline(name, title)
    label = f"{_COLLECTION}.docsite.{name}" + (f".{slug(title)}" if len(marks) > 1 else "")
    return [f".. _{label}:", "", text, _MARKS[len(marks) - 1] * len(text), ""]


def slug(title: str) -> str:
    """Return the anchor of a heading, as GitHub has it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _code(language: str, lines: list[str]) -> list[str]:
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    body = [f"    {line[min(indents) :]}" if line.strip() else "" for line in lines]
    while body and not body[-1]:
        body.pop()
    return [f".. code-block:: {_LANGUAGES[language]}", "", *body, ""]


def _table(name: str, lines: list[str]) -> list[str]:
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    width = len(rows[0])
    head, body = rows[0], rows[2:]
    found = [".. list-table::"]
    if any(head):
        found.append("   :header-rows: 1")
    found.append("")
    for row in [head, *body] if any(head) else body:
        # A last cell that is empty is not always written.
        cells = [*row, *[""] * (width - len(row))]
        for number, cell in enumerate(cells):
            mark = "   * -" if number == 0 else "     -"
            found.append(f"{mark} {_inline(name, cell)}".rstrip())
    return [*found, ""]


def _list(name: str, lines: list[str]) -> list[str]:
    found: list[str] = []
    item: list[str] = []
    for line in [*lines, None]:
        if line is None or re.match(r"(?:-|\d+\.) ", line):
            if item:
                mark = re.match(r"(?:-|\d+\.) ", item[0])[0]
                indent = " " * len(mark)
                inner = [item[0][len(mark) :], *(part[len(indent) :] if part.strip() else "" for part in item[1:])]
                body = _blocks(name, inner)
                while body and not body[-1]:
                    body.pop()
                body = "\n".join(body).split("\n")
                found += [mark + body[0], *(indent + part if part else "" for part in body[1:])]
            item = []
        if line is not None:
            item.append(line)
    return [*found, ""]


def _inline(name: str, text: str) -> str:
    found, place = [], 0
    for match in _INLINE.finditer(text):
        found.append(_plain(text[place : match.start()]))
        piece = _piece(name, match)
        # Marks are ones only between spaces and punctuation.
        if match.start() and re.match(r"[\w/=]", text[match.start() - 1]):
            piece = "\\ " + piece
        if re.match(r"[\w(/=]", text[match.end() : match.end() + 1]):
            piece += "\\ "
        found.append(piece)
        place = match.end()
    return "".join([*found, _plain(text[place:])])


def _plain(text: str) -> str:
    text = text.replace("\\|", "|").replace("\\", "\\\\")
    return re.sub(r"[*`|]|(?<=\w)_(?!\w)", lambda match: "\\" + match[0], text)


def _piece(name: str, match: re.Match) -> str:
    if match["code"] is not None:
        code = match["code"].replace("\\|", "|")
        # What ends with a backslash or begins with a space cannot be marked up in the other way.
        return f"``{code}``"
    if match["bold"] is not None:
        return f"**{match['bold']}**" if "`" not in match["bold"] else _plain(match["bold"].replace("`", ""))
    if match["thin"] is not None:
        return f"*{match['thin']}*"
    return _link(name, match["text"].replace("`", ""), match["target"])


def _link(name: str, text: str, target: str) -> str:
    text = re.sub(r"\s+", " ", text)
    if re.match(r"https?://", target):
        return f"`{text} <{target}>`__"
    path, _hash, anchor = target.partition("#")
    there = (GUIDES / path).resolve().relative_to(ROOT) if path else Path("docs", f"{name}.md")
    label = _label(there, anchor)
    return f":ref:`{text} <{label}>`" if label else f"`{text} <{_REPOSITORY}/{there}{'#' if anchor else ''}{anchor}>`__"


def _label(path: Path, anchor: str) -> str | None:
    """Return where the site has what a link leads to; None where only the repository has it."""
    if path.parent == Path("docs"):
        return f"{_COLLECTION}.docsite.{path.stem}" + (f".{anchor}" if anchor else "")
    if path.parts[0] == "roles" and not anchor:
        return f"{_COLLECTION}.{path.parts[1]}_role"
    if path.parts[:2] == ("plugins", "modules"):
        return f"{_COLLECTION}.{path.stem}_module"
    if path.parts[0] == "plugins" and path.parts[1] in ("inventory", "lookup"):
        return f"{_COLLECTION}.{path.stem}_{path.parts[1]}"
    return None


def main() -> None:
    directory = SITE / "rst"
    directory.mkdir(parents=True, exist_ok=True)
    written = guides()
    for path in directory.glob("*.rst"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
