# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a module: observe the host once, then bring each database to its declaration, several at a time."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .._applying.context import Work
from .._domain import configuration, layout, names, spec
from .._domain.errors import DatabaseError, Refused, sure
from .._domain.port_choice import Holder
from .._domain.record import FILE_NAME, PRIMARY
from .._host import files, initdb, locks, roots
from .._observing import observe
from .._planning import view
from .._planning.plan import plan_database
from .._planning.sql_steps import EndSessions
from .._planning.steps import Action, Plan
from .._server import session
from .turns import Turns

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import ModuleType

    from .._domain.facts import ContainerFacts, Observed
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .._host.engine import Engine
    from .._observing.observe import Host
    from .._planning.steps import Step
    from .._server.pooling import Wait

# An image has to be fetched, or a server started, before the rest can be known: each at most once.
_MOST_ROUNDS = 6
# States in which there is a database that serves, and those that make one where there is none.
_SERVES = ("started", "present", "undeleted")
_BRINGS_ABOUT = ("started", "present")


@dataclasses.dataclass
class Outcome:
    """What a run came to for one database. actions: what was done, or in check mode what would be.

    first, last: the Plans that it began and ended with. before, after: what was there and what is, for the diff;
    nothing where they are the same. interruption: seconds for which a server that served did not. waits: of the clients
    of its pooler.
    """

    container: str
    actions: list[Step] = dataclasses.field(default_factory=list)
    pending: list[Step] = dataclasses.field(default_factory=list)
    first: Plan | None = None
    last: Plan | None = None
    before: dict[str, Any] = dataclasses.field(default_factory=dict)
    after: dict[str, Any] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)
    interruption: float = 0.0
    waits: list[Wait] = dataclasses.field(default_factory=list)
    database: dict[str, Any] | None = None
    final_backup: dict[str, Any] | None = None
    error: DatabaseError | None = None


@dataclasses.dataclass(frozen=True)
class _Run:
    """What the databases of one run share. refusals: DatabaseErrors of images that could not be pulled, by image.
    shared: why a root that everybody gets into was not closed, by its path."""

    engine: Engine | None
    host: Host
    check_mode: bool
    refusals: dict[str, DatabaseError]
    shared: dict[str, str | None] = dataclasses.field(default_factory=dict)
    clusters: initdb.Clusters = dataclasses.field(default_factory=initdb.Clusters)
    # Ports are chosen in the order in which they were predicted.
    turns: Turns = dataclasses.field(default_factory=Turns)


def converge(
    engine: Engine | None, data_root: str, declarations: list[dict[str, Any]], check_mode: bool
) -> tuple[list[Outcome], list[str]]:
    """Bring databases below one data root to their declarations (parameters of the module, one mapping each).

    Returns their Outcomes, and the container names of the databases on the host that are not among them.
    engine: None in check mode where none answers yet. Raises DatabaseError, before anything is touched, where a
    declaration is not valid or two are of the same database.
    """
    specs = [spec.from_parameters(declaration) for declaration in declarations]
    doubles = sorted(name for name, times in collections.Counter(s.container for s in specs).items() if times > 1)
    if doubles:
        raise DatabaseError(f"databases: {doubles[0]} is declared more than once")
    refusals = {} if check_mode else _pull_always(sure(engine), zip(specs, declarations))
    host = observe.observe_host(engine, data_root)
    undeclared = sorted({*observe.known(host)} - {s.container for s in specs})
    opened = _opened(host, [_completed(*pair) for pair in zip(specs, declarations)])
    closing = [root for root in opened if not root.strangers]
    if not check_mode:
        roots.make(data_root)
        for root in closing:
            roots.close(root)
    run = _Run(engine, host, check_mode, refusals, {root.path: root.why_not for root in opened if root.strangers})
    outcomes = _converge_all(run, specs, declarations)
    if closing:
        # It concerns all of them, and is told once.
        _tell_closing(outcomes[0], closing)
    return outcomes, undeclared


def _opened(host: Host, wanted: Sequence[DatabaseSpec]) -> list[roots.Open]:
    """Return the Opens among the roots of declared databases and of those that are known there."""
    recorded = [record.declared.get("backup_root") for record in host.records.values()]
    paths = [host.data_root, *(declared.backup_root for declared in wanted), *filter(None, recorded)]
    return roots.opened(paths, paths)


def _tell_closing(outcome: Outcome, closing: Sequence[roots.Open]) -> None:
    outcome.actions[:0] = [Action("close", root.words) for root in closing]
    outcome.before = {**outcome.before, "directories": {root.path: f"{root.mode:04o}" for root in closing}}
    outcome.after = {**outcome.after, "directories": {root.path: f"{root.wanted:04o}" for root in closing}}


def _converge_all(run: _Run, specs: list[DatabaseSpec], declarations: list[dict[str, Any]]) -> list[Outcome]:
    engine, host = run.engine, run.host
    if len(specs) < 2 or run.check_mode:
        # Predictions are made one after the other: each new database takes a port from those after it.
        return [_converge_one(run, *pair) for pair in zip(specs, declarations)]
    wanted = _wanted_by_several(host, specs)
    if wanted:
        sure(engine).get_ready()
    with initdb.clusters(sure(engine), host.data_root, wanted) as clusters:
        turns = Turns(s.container for s in specs if s.state in _BRINGS_ABOUT and s.container not in host.records)
        run = dataclasses.replace(run, clusters=clusters, turns=turns)
        with concurrent.futures.ThreadPoolExecutor(max_workers=min(len(specs), 2 * (os.cpu_count() or 1), 8)) as pool:
            return list(pool.map(lambda pair: _converge_one(run, *pair), zip(specs, declarations)))


def _wanted_by_several(host: Host, specs: list[DatabaseSpec]) -> set[str]:
    """Return the images of which so many new databases are declared that one initdb for all is worth its while."""
    new = [s.image for s in specs if s.state in _BRINGS_ABOUT and s.container not in host.records]
    return {image for image, times in collections.Counter(new).items() if times >= initdb.WORTHWHILE}


def _pull_always(engine: Engine, work: Iterable[tuple[DatabaseSpec, dict[str, Any]]]) -> dict[str, DatabaseError]:
    """Pull each image once, whatever the number of databases that want it, and return what failed, by image."""
    wanted = [_completed(declared, declaration) for declared, declaration in work]
    images, refusals = sorted({s.image for s in wanted if _always_pulled(s)}), {}
    if images:
        engine.get_ready()
    for image in images:
        try:
            engine.pull(image)
        except DatabaseError as error:
            refusals[image] = error
    return refusals


def _always_pulled(declared: DatabaseSpec) -> bool:
    return declared.pull == "always" and declared.state in _SERVES


def _converge_one(run: _Run, declared: DatabaseSpec, declaration: dict[str, Any]) -> Outcome:
    outcome = Outcome(declared.container)
    # No lock is held meanwhile: another run may have the same databases in another order.
    run.turns.wait(declared.container)
    try:
        _guarded(outcome, _attempt, run, declared, declaration)
    finally:
        run.turns.over(declared.container)
    if outcome.actions or outcome.pending:
        _guarded(outcome, _show_difference)
    return outcome


def _guarded(outcome: Outcome, act: Callable[..., None], *arguments: Any) -> None:
    try:
        act(outcome, *arguments)
    except DatabaseError as error:
        outcome.error = error
    except Exception as error:
        # A fault of ours, which is not to take away what became of the other databases.
        message = f"{outcome.container}: unexpected {type(error).__name__}: {error}. Please report this"
        outcome.error = DatabaseError(message, exception=traceback.format_exc())


def _show_difference(outcome: Outcome) -> None:
    outcome.before, outcome.after = sure(outcome.first).before, sure(outcome.last).after


def _attempt(outcome: Outcome, run: _Run, declared: DatabaseSpec, declaration: dict[str, Any]) -> None:
    wanted = _completed(declared, declaration)
    if wanted.image in run.refusals and _always_pulled(wanted):
        raise run.refusals[wanted.image]
    if wanted.state in _SERVES:
        _mind_shared_roots(outcome, run, wanted)
    if run.check_mode:
        _predict(run.engine, run.host, declared, declaration, outcome)
        return
    lock = layout.database_lock(declared.data_root, declared.container)
    with locks.exclusive(lock, declared.wait_timeout, declared.container):
        _bring_about(run, declared, declaration, outcome)


def _mind_shared_roots(outcome: Outcome, run: _Run, wanted: DatabaseSpec) -> None:
    """A new database is not made where everybody gets at it; one that is there is spoken of."""
    for option in ("data_root", "backup_root"):
        why_not = run.shared.get(getattr(wanted, option))
        if why_not is not None:
            if wanted.container not in run.host.records:
                raise DatabaseError(f"{option}: {why_not}. Nothing was changed")
            outcome.warnings.append(f"{option}: {why_not}")


def _completed(declared: DatabaseSpec, declaration: dict[str, Any]) -> DatabaseSpec:
    """Return the DatabaseSpec with what a partial declaration takes from the record."""
    if not declared.partial:
        return declared
    record = observe.read_record(declared.directory)
    if record is None:
        return declared
    return spec.from_parameters(spec.complete(declaration, record.declared))


def _predict(
    engine: Engine | None, host: Host, declared: DatabaseSpec, declaration: dict[str, Any], outcome: Outcome
) -> None:
    declared = _completed(declared, declaration)
    seen = observe.observe_database(engine, host, declared, check_mode=True)
    plan = plan_database(declared, seen, new_id=None)
    if plan.record is not None:
        for one in plan.record.instances:
            host.ports_taken[one.port] = Holder(f"database {declared.container}", one.container)
    outcome.actions, outcome.pending = list(plan.steps), list(plan.pending)
    outcome.first = outcome.last = plan
    outcome.warnings += plan.warnings
    outcome.database = _describe(declared, plan.record, seen, _containers(seen))
    outcome.warnings += _file_warnings(seen)
    if seen.server_error:
        outcome.warnings.append(f"the server does not answer now, so not all is predicted: {seen.server_error}")
    if declared.pull == "always" and engine is not None:
        outcome.warnings.append(f"{declared.image} is not pulled in check mode: a newer image is not predicted")


def _bring_about(run: _Run, declared: DatabaseSpec, declaration: dict[str, Any], outcome: Outcome) -> None:
    engine, host, identity = sure(run.engine), run.host, names.new_id()
    files.sweep(declared.directory)
    for turn in range(_MOST_ROUNDS):
        declared = _completed(declared, declaration)
        if turn:
            host = observe.observe_host(engine, declared.data_root)
        if any(isinstance(step, EndSessions) for step in outcome.actions):
            # Once is what was asked for: those that are there by now know the password.
            declared = dataclasses.replace(declared, end_sessions=False)
        seen = observe.observe_database(engine, host, declared)
        if seen.server_error and declared.state in _SERVES:
            host, seen = _await_server(engine, declared, seen)
        plan = plan_database(declared, seen, identity)
        _refuse_what_is_not_stored(declared)
        if plan.steps:
            engine.get_ready()
        work = Work(engine, plan.spec or declared, seen, plan, run.clusters)
        if turn == 0:
            outcome.first = plan
        outcome.last, outcome.pending = plan, list(plan.pending)
        outcome.warnings += [warning for warning in plan.warnings if warning not in outcome.warnings]
        if plan.reserves_port:
            _reserve(work, identity, outcome)
            run.turns.over(declared.container)
        try:
            _execute(work, outcome)
        except DatabaseError:
            if not (seen.directory_exists or declared.adopt):
                _release(declared)
            raise
        if plan.final:
            break
    containers = _containers(seen)
    if outcome.actions:
        known = work.record.instances if work.record is not None else ()
        named = {PRIMARY: declared.container, **{one.name: one.container for one in known}}
        containers = {name: observe.inspect(engine, container) for name, container in named.items()}
    outcome.database = _describe(declared, work.record, seen, containers)
    outcome.warnings += _file_warnings(seen)


def _refuse_what_is_not_stored(declared: DatabaseSpec) -> None:
    """The controller saw a reason to refuse this one, and stored nothing for it. That reason has gone meanwhile."""
    if names.NOT_STORED in (declared.password, *[user.password for user in declared.users or ()]):
        raise Refused(
            f"{declared.container} could not be brought to what is declared when the run began, so that its credentials"
            " are not stored. It could be now: run again"
        )


def _await_server(engine: Engine, declared: DatabaseSpec, seen: Observed) -> tuple[Host, Observed]:
    """It may be recovering after a crash: give it its time, then look again. Returns what is then seen."""
    container, ended = declared.container, False
    try:
        session.wait_until_ready(engine, container, declared.name, sure(seen.record).username, declared.wait_timeout)
    except session.Ended:
        ended = True
    host = observe.observe_host(engine, declared.data_root)
    seen = observe.observe_database(engine, host, declared)
    if ended and seen.container is not None and seen.container.running:
        # It is tried over and over, and this was a moment in which it ran.
        looping = dataclasses.replace(seen.container, status="restarting")
        seen = dataclasses.replace(seen.with_primary(container=looping), server=None, server_error=None)
    if seen.server_error:
        raise DatabaseError(seen.server_error)
    return host, seen


def _execute(work: Work, outcome: Outcome) -> None:
    if work.plan.steps:
        with _no_backup_meanwhile(work):
            try:
                _applying().execute(work, outcome.actions.append)
            finally:
                outcome.warnings += [warning for wait in work.waits for warning in wait.warnings]
    outcome.interruption += work.interruption
    outcome.waits += work.waits
    outcome.final_backup = work.final_backup
    outcome.warnings += work.warnings


def _applying() -> ModuleType:
    """Load what does the steps only where there are any: each run compiles anew what it loads of Ansible's archive."""
    from .._applying import apply

    return apply


def _no_backup_meanwhile(work: Work) -> AbstractContextManager[None]:
    """Hold the lock of the backups while the server is interrupted or goes: one that is being taken comes first."""
    declared = work.spec
    if not any(step.interrupts_backups for step in work.plan.this_round):
        return contextlib.nullcontext()
    lock = layout.backup_lock(declared.data_root, declared.container)
    return locks.exclusive(lock, declared.wait_timeout, f"the backups of {declared.container}")


def _reserve(work: Work, identity: str, outcome: Outcome) -> None:
    """Choose the port and write it down while no other run can choose: it is taken, whatever becomes of this run."""
    declared = work.spec
    with locks.exclusive(layout.ports_lock(), declared.wait_timeout, "the ports of the host"):
        host = observe.observe_host(work.engine, declared.data_root)
        seen = observe.observe_database(work.engine, host, declared)
        plan = plan_database(declared, seen, identity)
        work.seen, work.plan, work.record, work.journal = seen, plan, sure(plan.record), plan.journal
        step = plan.steps[0]
        roots.remember(declared.data_root)
        _applying().write_record(work, step)
    work.plan = dataclasses.replace(work.plan, steps=work.plan.steps[1:])
    outcome.actions.append(step)
    outcome.last = work.plan


def _release(declared: DatabaseSpec) -> None:
    """Remove the record of a new database if nothing else was created: its image could not be pulled, say."""
    with contextlib.suppress(FileNotFoundError):
        if os.listdir(declared.directory) == [FILE_NAME]:
            files.remove(os.path.join(declared.directory, FILE_NAME))
            files.remove_if_empty(declared.directory)


def _file_warnings(seen: Observed) -> list[str]:
    errors = seen.server.file_errors if seen.server else ()
    return [f"the server would not start again with this in its configuration: {error}" for error in errors]


def _describe(
    declared: DatabaseSpec, record: Record | None, seen: Observed, containers: dict[str, ContainerFacts | None]
) -> dict[str, Any] | None:
    if record is None or declared.state == "absent":
        return None
    recorded = view.from_record(record, declared.data_root) or declared
    personal = seen.files.get(configuration.PERSONAL_CONF)
    text = personal.content.decode("utf-8", "replace") if personal else ""
    tls = observe.read_tls(declared.directory)
    ini = observe.read_pgbouncer_ini(declared.directory, record)
    return view.database(recorded, record, containers[PRIMARY], text, tls, containers, ini)


def _containers(seen: Observed) -> dict[str, ContainerFacts | None]:
    """Return the containers of a database's instances, by their names."""
    return {one.name: one.container for one in seen.instances}
