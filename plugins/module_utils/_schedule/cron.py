# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendars of cron: what an expression means, and when it comes round. Pure; times are local, as cron's are."""

from __future__ import annotations

import dataclasses
import datetime
import re

from .._domain.errors import DatabaseError

# The names that systemd has, at the same times.
NAMES = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 1",
    "monthly": "0 0 1 * *",
    "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONG_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
# What cron can mean, too, of man systemd.time. A second is of no use to a backup.
_DATE = re.compile(r"(?:\*-)?(?P<month>[0-9*,./]+)-(?P<day>[0-9*,./]+)")
_TIME = re.compile(r"(?P<hour>[0-9*,./]+):(?P<minute>[0-9*,./]+)(?::00?)?")
_PIECE = re.compile(r"(?P<first>\*|[0-9]{1,2})(?:\.\.(?P<last>[0-9]{1,2}))?(?:/(?P<step>[0-9]{1,2}))?")
_PART = re.compile(r"(\*|(?P<first>[0-9a-z]+)(-(?P<last>[0-9a-z]+))?)(/(?P<step>[0-9]+))?")
# The 29th of February on a given day of the week comes round within 40 years at most; nobody plans backups so.
_DAYS_AHEAD = 366 * 9


@dataclasses.dataclass(frozen=True)
class Cron:
    """fields: for minute, hour, day of the month, month and day of the week (0 is Sunday) the values that match.

    either: both kinds of day are restricted, upon which cron takes a day that matches one of them.
    """

    expression: str
    fields: tuple[frozenset[int], ...]
    either: bool

    def on(self, day: datetime.date) -> bool:
        """Say whether it comes round on that date."""
        of_month = day.day in self.fields[2]
        of_week = day.isoweekday() % 7 in self.fields[4]
        fits = of_month or of_week if self.either else of_month and of_week
        return fits and day.month in self.fields[3]

    def previous(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return the last time at or before now (naive, local); None where there was none for years."""
        for back in range(_DAYS_AHEAD):
            day = now.date() - datetime.timedelta(days=back)
            times = [moment for moment in self._times(day) if moment <= now]
            if times:
                return times[-1]
        return None

    def following(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return the first time after now (naive, local); None where there is none for years."""
        for ahead in range(_DAYS_AHEAD):
            day = now.date() + datetime.timedelta(days=ahead)
            times = [moment for moment in self._times(day) if moment > now]
            if times:
                return times[0]
        return None

    def _times(self, day: datetime.date) -> list[datetime.datetime]:
        if not self.on(day):
            return []
        return [
            datetime.datetime(day.year, day.month, day.day, hour, minute)
            for hour in sorted(self.fields[1])
            for minute in sorted(self.fields[0])
        ]


def parse(calendar: str) -> Cron:
    """Return the Cron of a name or an expression of five fields. Raises DatabaseError."""
    expression = NAMES.get(calendar.strip().lower(), calendar.strip())
    parts = expression.split()
    if len(parts) != 5:
        raise DatabaseError(
            f"calendar is {calendar!r}: cron, which this host has instead of systemd, takes {', '.join(NAMES)}, or five"
            " fields (minute, hour, day of the month, month, day of the week), such as '30 2 * * *'"
        )
    fields = tuple(_values(calendar, part, *field) for part, field in zip(parts, _FIELDS))
    days = fields[4]
    fields = (*fields[:4], frozenset(day % 7 for day in days))
    found = Cron(expression, fields, not parts[2].startswith("*") and not parts[4].startswith("*"))
    if found.following(datetime.datetime(2001, 1, 1)) is None:
        raise DatabaseError(f"calendar is {calendar!r}, which never occurs: there is no such day")
    return found


def translated(calendar: str) -> str:
    """Return a calendar of systemd's as cron has it, where cron can mean the same; anything else as it is.

    Days of the month and of the week are those on which both fit, to cron those on which one does: not both are told.
    """
    parts = calendar.split()
    week = _week(parts.pop(0)) if parts and parts[0][:1].isalpha() else "*"
    date = parts.pop(0) if parts and "-" in parts[0] else "*-*-*"
    time = parts.pop(0) if parts and ":" in parts[0] else "00:00"
    dates, times = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if parts or week is None or not dates or not times:
        return calendar
    day, month = _item(dates.group("day"), 31), _item(dates.group("month"), 12)
    minute, hour = _item(times.group("minute"), 59), _item(times.group("hour"), 23)
    if minute is None or hour is None or day is None or month is None or (day != "*" and week != "*"):
        return calendar
    # Every second day from the first on is not every second of cron's where the month begins with another.
    return calendar if "/" in day + month else f"{minute} {hour} {day} {month} {week}"


def _item(text: str, most: int) -> str | None:
    """Return what is before the date's or the time's separator as cron writes it; None where it has no such thing."""
    found = []
    for piece in text.split(","):
        match = _PIECE.fullmatch(piece)
        if not match:
            return None
        first, last, step = match.group("first", "last", "step")
        piece = first if first == "*" else str(int(first))
        if last is not None:
            piece += f"-{int(last)}"
        elif step is not None and first != "*":
            piece += f"-{most}"
        found.append(piece + (f"/{step}" if step else ""))
    return ",".join(found)


def _week(text: str) -> str | None:
    found = []
    for piece in text.split(","):
        days = [day[:3].lower() for day in piece.split("..")]
        whole = all(full.lower() in (day, *_LONG_DAYS) for day, full in zip(days, piece.split("..")))
        if len(days) > 2 or not whole or not set(days) <= set(_DAYS):
            return None
        numbers = [_DAYS.index(day) or 7 for day in days]
        if numbers != sorted(numbers):
            return None
        found.append("-".join(str(number) for number in numbers))
    return ",".join(found)


def _values(calendar: str, part: str, name: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for piece in part.lower().split(","):
        match = _PART.fullmatch(piece)
        if not match:
            raise DatabaseError(f"calendar is {calendar!r}: {piece!r} is no {name} of cron's")
        first, last, step = match.group("first", "last", "step")
        begin = least if first is None else _number(calendar, first, name)
        end = begin if first is not None and last is None and step is None else most
        end = _number(calendar, last, name) if last is not None else end
        if not least <= begin <= end <= most or step == "0":
            raise DatabaseError(f"calendar is {calendar!r}: {name} {piece!r} is not within {least} to {most}")
        found.update(range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _number(calendar: str, word: str, name: str) -> int:
    if word.isdigit():
        return int(word)
    names = {"month": _MONTHS, "day of the week": _DAYS}.get(name, ())
    if word not in names:
        raise DatabaseError(f"calendar is {calendar!r}: {word!r} is no {name} of cron's")
    return names.index(word) + (1 if name == "month" else 0)
