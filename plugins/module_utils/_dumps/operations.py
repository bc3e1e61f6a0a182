# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with the backups of a database, as a module or a timer asks for it: each with its locks."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from .._backups import catalog, check, dump_options, formats, naming, retention
from .._backups.target import Target, observe_target, refuse_unless_backed_up
from .._domain import clock, layout, texts
from .._domain.errors import DatabaseError
from .._host import locks
from .._planning.steps import Action
from . import dump, verify

if TYPE_CHECKING:
    from .._backups.place import Place
    from .._backups.retention import Retention
    from .._host.engine import Engine

STATES = ("present", "checked", "verified", "absent", "pruned")


@dataclasses.dataclass(frozen=True)
class Request:
    """backup: a name, `latest` or `latest_verified`. max_age: seconds; what is not older need not be done again."""

    name: str
    environment: str
    data_root: str
    state: str = "present"
    backup_root: str | None = None
    backup: str | None = None
    max_age: int | None = None
    options: dump_options.Options = dataclasses.field(default_factory=dump_options.Options)
    retention: retention.Retention | None = None
    wait_timeout: int = 120


@dataclasses.dataclass
class Outcome:
    """What it came to. failure: what was found wrong with the backup, where that was the question."""

    container: str
    directory: str
    actions: list[Action] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    backup: catalog.Backup | None = None
    removed: list[str] = dataclasses.field(default_factory=list)
    before: list[str] = dataclasses.field(default_factory=list)
    after: list[str] = dataclasses.field(default_factory=list)
    failure: str | None = None


@dataclasses.dataclass(frozen=True)
class _Work:
    """What is asked for, of which database, and what it comes to."""

    engine: Engine
    target: Target
    request: Request
    outcome: Outcome
    check_mode: bool
    progress: Callable[[str], None] | None


def run(
    engine: Engine, request: Request, check_mode: bool = False, progress: Callable[[str], None] | None = None
) -> Outcome:
    """Do what is asked for, or say what would be done, and return the Outcome."""
    texts.number(request.wait_timeout, "wait_timeout", 0, texts.MOST_SECONDS)
    target = _target(engine, request)
    outcome = Outcome(target.container, target.backup_directory)
    outcome.before = [backup.file_name for backup in target.place.backups()]
    handle = {
        "present": _present,
        "checked": _checked,
        "verified": _verified,
        "absent": _absent,
        "pruned": _pruned,
    }[request.state]
    handle(_Work(engine, target, request, outcome, check_mode, progress))
    if not check_mode:
        outcome.after = [backup.file_name for backup in target.place.backups()]
    return outcome


def _target(engine: Engine, request: Request) -> Target:
    return observe_target(engine, request.data_root, request.name, request.environment, request.backup_root)


def locked(target: Target, seconds: float) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of a database's backups: one is taken at a time, and none while the container is replaced."""
    lock = layout.backup_lock(target.data_root, target.container)
    return locks.exclusive(lock, seconds, f"the backups of {target.container}")


def _present(work: _Work) -> None:
    if work.check_mode:
        _take_if_due(work)
        return
    with locked(work.target, work.request.wait_timeout):
        # Whoever held the lock may have done it, or have replaced the container.
        _take_if_due(dataclasses.replace(work, target=_target(work.engine, work.request)))


def _take_if_due(work: _Work) -> None:
    target, request, outcome, check_mode = work.target, work.request, work.outcome, work.check_mode
    running = refuse_unless_backed_up(target)
    dump_options.refuse(request.options, running.image.major)
    formats.refuse_what_stays_closed(request.options.format, request.options.compression)
    there = target.place.backups()
    recent = [backup for backup in there if backup.good and _within(backup.age_seconds, request.max_age)]
    if recent:
        outcome.backup = recent[-1]
    else:
        summary = f"take a backup of {target.container} ({request.options.format}, {request.options.compression})"
        outcome.actions.append(Action("take", summary))
        if check_mode:
            name = naming.file_name(
                target.container, clock.utc_now(), request.options.format, request.options.compression
            )
            outcome.after = [*outcome.before, name]
        else:
            outcome.backup, warnings = dump.take(work.engine, target, request.options, work.progress)
            outcome.warnings += warnings
    if recent and check_mode:
        outcome.after = list(outcome.before)
    if request.retention is not None:
        # What is about to be taken is the newest: of the others one less has to stay.
        _prune(target, request.retention, outcome, check_mode, coming=bool(check_mode and not recent))


def _checked(work: _Work) -> None:
    target, request, outcome = work.target, work.request, work.outcome
    backup = _wanted(target, request, outcome)
    outcome.backup, outcome.after = backup, list(outcome.before)
    if backup.manifest is not None and _within(_age(backup.manifest.checked_at), request.max_age) and backup.good:
        return
    outcome.actions.append(Action("check", f"read {backup.file_name} to its end and compare its checksums"))
    if not work.check_mode:
        outcome.failure = check.check(target.place, backup)
        outcome.backup = catalog.find(target.place, backup.file_name)


def _verified(work: _Work) -> None:
    target, request, outcome = work.target, work.request, work.outcome
    backup = _wanted(target, request, outcome)
    outcome.backup, outcome.after = backup, list(outcome.before)
    verified_at = backup.manifest.verified_at if backup.manifest is not None and backup.verified else None
    if verified_at is not None and (request.max_age is None or _within(_age(verified_at), request.max_age)):
        return
    outcome.actions.append(Action("verify", f"restore {backup.file_name} into a temporary container and compare"))
    if not work.check_mode:
        options = request.options
        wrong = verify.verify(
            work.engine, target, backup, options.jobs, options.timeout, work.progress, wait_timeout=request.wait_timeout
        )
        outcome.failure = "; ".join(wrong[:10]) or None
        outcome.backup = catalog.find(target.place, backup.file_name)


def _wanted(target: Target, request: Request, outcome: Outcome) -> catalog.Backup:
    """Find the backup that is meant, and say where the latest good one is not the latest."""
    wanted = request.backup or "latest"
    backup = catalog.find(target.place, wanted)
    passed = catalog.passed_over(target.place, backup) if wanted == "latest" else []
    if passed:
        outcome.warnings.append(f"{backup.file_name} is not the last that was taken: {catalog.told(passed)}")
    return backup


def _absent(work: _Work) -> None:
    target, request, outcome = work.target, work.request, work.outcome
    naming.check(target.container, request.backup or "")
    if work.check_mode:
        there = [b for b in target.place.backups() if b.file_name == request.backup]
        _remove(target.place, there, outcome, True)
        outcome.after = [name for name in outcome.before if name not in outcome.removed]
        return
    with locked(target, request.wait_timeout):
        there = [b for b in target.place.backups() if b.file_name == request.backup]
        _remove(target.place, there, outcome, False)


def _pruned(work: _Work) -> None:
    target, request, outcome = work.target, work.request, work.outcome
    if work.check_mode:
        outcome.after = list(outcome.before)
        _prune(target, request.retention, outcome, True)
        return
    with locked(target, request.wait_timeout):
        _prune(target, request.retention, outcome, False)


def _prune(target: Target, rules: Retention | None, outcome: Outcome, check_mode: bool, coming: bool = False) -> None:
    there = target.place.backups()
    if coming:
        there.append(_prediction(there, target))
    damaged = [backup.file_name for backup in there if not backup.good]
    if damaged:
        outcome.warnings.append(f"damaged backups do not count, and are not removed: {', '.join(damaged)}")
    for backup in retention.removable(there, rules) if rules is not None else ():
        try:
            _remove(target.place, [backup], outcome, check_mode)
        except DatabaseError as error:
            outcome.warnings.append(error.message)
    if check_mode:
        outcome.after = [name for name in outcome.after if name not in outcome.removed]


def _prediction(there: Sequence[catalog.Backup], target: Target) -> catalog.Backup:
    """Return what a backup that is taken now will be to the rules."""
    now = clock.utc_now()
    name = naming.file_name(target.container, now, "plain", "gzip")
    return catalog.Backup(target.container, name, name, "plain", 0, clock.iso(now), 0, None, None)


def _remove(place: Place, backups: Iterable[catalog.Backup], outcome: Outcome, check_mode: bool) -> None:
    for backup in backups:
        if not check_mode:
            place.remove(backup)
        outcome.actions.append(Action("remove", f"remove {backup.file_name}"))
        outcome.removed.append(backup.file_name)


def _within(age: int | None, limit: int | None) -> bool:
    """Say whether something is recent enough; what is dated in the future is of a clock that was wrong."""
    return age is not None and limit is not None and 0 <= age <= limit


def _age(moment: str | None) -> int | None:
    return None if moment is None else catalog.age(moment)
