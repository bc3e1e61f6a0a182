# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text in columns, for a terminal. Pure: `paint` is what gives a text its colour, where there is any."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

GAP = "  "
STATUS_COLOURS = {"active": "good", "error": "critical", "stopped": "info"}


if TYPE_CHECKING:
    # Paints a text in a colour; a name with what it stands for.
    Paint = Callable[[str, str], str]
    Fact = tuple[str, object]


def plain(text: str, colour: str) -> str:
    """Paint nothing."""
    return text


class Cell:
    """What is in a column of a row: a text, whether it leans to the right, and the name of its colour."""

    def __init__(self, value: object, right: bool = False, colour: str | None = None) -> None:
        self.text = printable(value)
        self.right = right
        self.colour = colour

    def padded(self, width: int, paint: Paint, last: bool) -> str:
        blank = " " * (width - columns(self.text))
        text = paint(self.text, self.colour) if self.colour else self.text
        if self.right:
            return blank + text
        return text if last else text + blank


def right(value: object, colour: str | None = None) -> Cell:
    return Cell(value, True, colour)


def table(
    heading: Sequence[str], rows: Sequence[Sequence[Cell | str]], paint: Paint = plain, indent: str = ""
) -> list[str]:
    """Return the lines of a table. A column whose first row leans to the right has its heading there, too."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    leaning = [cell.right for cell in cells[0]] if cells else [False] * len(heading)
    head = [Cell(name, lean, "heading") for name, lean in zip(heading, leaning)]
    widths = [max(columns(row[at].text) for row in [head, *cells]) for at in range(len(heading))]
    last = len(heading) - 1
    return [
        (indent + GAP.join(cell.padded(widths[at], paint, at == last) for at, cell in enumerate(row))).rstrip()
        for row in [head, *cells]
    ]


def pairs(rows: Iterable[Fact], paint: Paint = plain, indent: str = "") -> list[str]:
    """Return the lines of names and what they stand for; those with nothing to say are left out."""
    told = [(name, value) for name, value in rows if value not in (None, "", [])]
    shown = [(name, value if isinstance(value, Cell) else Cell(value)) for name, value in told]
    width = max([columns(name) for name, cell in shown], default=0)
    return [
        f"{indent}{paint(name + ' ' * (width - columns(name)), 'heading')}{GAP}{cell.padded(0, paint, True)}".rstrip()
        for name, cell in shown
    ]


def printable(value: object) -> str:
    """Return a text on one line, without what would move the cursor or change the colours of a terminal."""
    text = " ".join(str(value).split())
    return "".join(mark if unicodedata.category(mark)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for mark in text)


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


def shortened(text: str, width: int) -> str:
    """Return as much of a text as fits."""
    text = printable(text)
    if columns(text) <= width:
        return text
    kept = ""
    for mark in text:
        if columns(kept + mark) > width - 3:
            break
        kept += mark
    return kept + "..."
