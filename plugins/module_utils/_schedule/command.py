# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that the archive on a host is: run a schedule, list what is scheduled, check a file of settings."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence

from .._domain import layout, spec
from .._domain.errors import DatabaseError
from . import log, schedule, scheduled_run, timetable


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0, 1 where something failed, 2 where it could not be tried."""
    given = _parser().parse_args(arguments)
    try:
        code: int = given.handle(given)
        return code
    except DatabaseError as error:
        log.Standard().say(error.message, log.ERROR)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=os.path.basename(sys.argv[0]), description="Scheduled backups of this host's PostgreSQL databases."
    )
    parser.add_argument(
        "--directory",
        default=layout.schedule(str(spec.DEFAULTS["data_root"])),
        help="where the schedules and their results are (default: %(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a schedule now, as its timer does")
    run.add_argument("schedule", help="its name, as list shows it")
    run.add_argument("--delay", type=int, default=0, metavar="SECONDS", help="wait up to that long first, at random")
    run.add_argument("--missed", action="store_true", help="only if it was due since its last run")
    run.add_argument("--cron", action="store_true", help="write to the system's log, and print only what failed")
    run.set_defaults(handle=_run)
    listing = commands.add_parser("list", help="show the schedules and their last results")
    listing.set_defaults(handle=_list)
    check = commands.add_parser("check", help="check a file of settings")
    check.add_argument("path")
    check.set_defaults(handle=_check)
    return parser


def _run(given: argparse.Namespace) -> int:
    scheduled_run.end_on_signals()
    written = log.System(schedule.UNIT) if given.cron else log.Standard()
    try:
        run = scheduled_run.Run(given.directory, given.schedule, written)
        if given.missed and not run.is_missed():
            return 0
        if given.delay > 0:
            time.sleep(random.uniform(0, given.delay))
            run = scheduled_run.Run(given.directory, given.schedule, written)
        return run.run()
    except scheduled_run.Ended:
        return 1
    except DatabaseError as error:
        written.say(error.message, log.ERROR)
        return 2


def _list(given: argparse.Namespace) -> int:
    for line in timetable.lines(timetable.observe(given.directory)):
        sys.stdout.write(f"{line}\n")
    return 0


def _check(given: argparse.Namespace) -> int:
    with open(given.path, encoding="utf-8") as stream:
        schedule.from_json(stream.read(), given.path)
    return 0
