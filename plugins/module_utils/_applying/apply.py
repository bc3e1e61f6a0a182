# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a plan do: each is safe to repeat after a crash at any point."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from .._backups import catalog, dump_options
from .._backups.target import observe_target
from .._domain import container as containers
from .._domain import layout, names, networks
from .._domain import record as records
from .._domain.errors import DatabaseError, sure
from .._domain.journal import ADOPTION
from .._dumps import dump
from .._host import files, journals, roots
from .._planning import sql_steps, steps
from .._server import session
from .._server.session import NotReady
from . import adoption_steps, certification_steps, server_changes
from .context import Work

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .._domain.facts import ContainerConfig
    from .._domain.record import Record
    from .._planning.steps import Step


def execute(work: Work, done: Callable[[Step], None]) -> None:
    """Execute the steps of a plan's round in order; `done` hears of each when it has been done."""
    for batch in server_changes.batches(work.plan.this_round):
        if isinstance(batch[0], server_changes.IN_SESSION):
            server_changes.run(work, batch)
        else:
            _does(batch[0])(work, batch[0])
        for step in batch:
            done(step)


def _does(step: Step) -> Callable[[Work, Any], None]:
    """Return what does a step. What does those of a pooler is loaded where there are such."""
    if type(step) not in DOES:
        from . import pooler_changes

        return pooler_changes.DOES[type(step)]
    return DOES[type(step)]


def _clients_wait(work: Work) -> AbstractContextManager[None]:
    """Let the clients of a pooler wait while the server is interrupted."""
    if not work.seen.others:
        return contextlib.nullcontext()
    from . import pooler_changes

    return pooler_changes.waiting(work)


def write_record(work: Work, step: steps.Reserve | steps.WriteRecord) -> None:
    if isinstance(step, steps.Reserve) and step.journal is not None:
        # Before the record: from then on, an adoption has been begun.
        files.make_directory(work.spec.directory, 0o755)
        journals.write(work.spec.directory, step.journal)
    _write_record(work, step.record)


def _write_record(work: Work, record: Record) -> None:
    files.make_directory(work.spec.directory, 0o755)
    path = os.path.join(work.spec.directory, records.FILE_NAME)
    files.write(path, records.to_json(record).encode("utf-8"), 0o600)


def _mark_initialised(work: Work) -> None:
    """From here on the data directory is never emptied, so that what initdb wrote has to be there to stay."""
    files.synchronise_file_system(os.path.join(work.spec.directory, "pgdata"))
    work.record = work.record.with_primary(initialised=True)
    _write_record(work, work.record)


def _pull(work: Work, step: steps.Pull) -> None:
    work.engine.pull(step.image)


def _reset(work: Work, step: steps.Reset) -> None:
    work.engine.remove(step.container)
    files.remove_tree(os.path.join(work.spec.directory, "pgdata"))


def _write_files(work: Work, step: steps.WriteFiles) -> None:
    before = {path: work.seen.files[path].content for path in step.texts if path in work.seen.files}
    work.undo.append(lambda: _write(work, before))
    _write_texts(work, step.texts)


def _write(work: Work, contents: dict[str, bytes]) -> None:
    for path, content in contents.items():
        files.write(os.path.join(work.spec.directory, path), content, 0o644)


def _write_texts(work: Work, texts: dict[str, str]) -> None:
    files.make_directory(os.path.join(work.spec.directory, "conf"), 0o755)
    _write(work, {path: text.encode("utf-8") for path, text in texts.items()})


def _make_pgdata(work: Work) -> str:
    directory, image = os.path.join(work.spec.directory, "pgdata"), work.seen.known_image
    files.make_directory(directory, 0o700, image.uid, image.gid)
    return directory


def _make_backups(work: Work, directory: str) -> None:
    roots.make(os.path.dirname(directory))
    # As backups leave it: the server reads there.
    files.make_directory(directory, 0o750, 0, work.seen.known_image.gid)


def _make_mounted(work: Work) -> None:
    """Put back what it cannot be started without, and holds nothing that it needs: the directory of its backups."""
    config = work.seen.container.config if work.seen.container is not None else None
    for source, inside, _mode in config.mounts if config is not None else ():
        if inside == containers.BACKUP_MOUNT and not os.path.lexists(source) and work.seen.image is not None:
            _make_backups(work, source)


def _create_container(work: Work, name: str, config: ContainerConfig) -> None:
    image = work.seen.known_image
    _make_pgdata(work)
    _make_backups(work, work.spec.backup_directory)
    arguments = containers.create_arguments(config, name, {"POSTGRES_PASSWORD": names.new_password()})
    declared = work.engine.inspect_image(work.spec.image)
    if declared is not None and declared["Id"] == image.id:
        # So that `docker ps` shows a name that says something.
        arguments["Image"] = work.spec.image
    work.engine.create(name, arguments)
    # Before it is started, so that it is on its networks before anybody misses it there.
    for network in networks.declared(work.spec):
        _join(work, name, network)


def _change_networks(work: Work, step: steps.Networks) -> None:
    """Leave and join while it runs. What another run did halfway is seen anew, so that nothing is done twice."""
    for network in step.leave:
        work.engine.leave(step.container, network)
    for network in step.join:
        _join(work, step.container, network)


def _join(work: Work, container: str, network: str) -> None:
    aliases = work.spec.network_aliases if network in work.spec.networks else ()
    work.engine.join(container, sure(work.seen.networks)[network], aliases)


def _create(work: Work, step: steps.Create) -> None:
    config = sure(step.config)
    if step.first:
        work.clusters.fill(work.seen.known_image, _make_pgdata(work))
        config = dataclasses.replace(config, restart_policy=containers.INITIAL_RESTART_POLICY)
    _create_container(work, step.container, config)
    work.engine.start(step.container)
    if step.first:
        _initialise(work, step)
    else:
        _wait(work)


def _adopt(work: Work, step: steps.Adopt) -> None:
    """Stop somebody else's container, take its data, and start a container of ours on it that lets nobody in yet."""
    ran_until = time.monotonic()
    try:
        adoption_steps.stop(work)
        adoption_steps.remove_new(work)
        adoption_steps.take_data(work)
        _write_texts(work, step.texts)
        config = dataclasses.replace(sure(step.config), restart_policy=containers.INITIAL_RESTART_POLICY)
        _create_container(work, work.name, config)
        adoption_steps.alone(work)
        work.engine.start(work.name)
        spec = work.spec
        arguments = (work.engine, work.name, spec.name, work.username, spec.wait_timeout)
        work.facts = session.wait_until_initialised(*arguments)
    except DatabaseError as error:
        adoption_steps.put_back(work, error)
    work.interruption += time.monotonic() - ran_until


def _arrange(work: Work, step: steps.Arrange) -> None:
    """Put the roles in order, upon which it is ours, and let clients in."""
    began, journal = time.monotonic(), work.journal
    try:
        adoption_steps.alone(work)
        adoption_steps.leave_original(work)
        adoption_steps.arrange_roles(work)
        adoption_steps.alone(work)
    except DatabaseError as error:
        if isinstance(error, adoption_steps.NothingArranged):
            work.journal = journal
        adoption_steps.put_back(work, error)
    _mark_initialised(work)
    journals.end(work.spec.directory, ADOPTION)
    work.engine.update(work.name, containers.limits(sure(step.config)))
    _write_texts(work, step.texts)
    _reload(work)
    work.interruption += time.monotonic() - began


def _initialise(work: Work, step: steps.Create | steps.Initialise) -> None:
    """Wait for the server's first start, and say so in the record before anybody can log in."""
    spec = work.spec
    arguments = (work.engine, work.name, spec.name, work.username, spec.wait_timeout)
    work.facts = session.wait_until_initialised(*arguments)
    _mark_initialised(work)
    work.engine.update(work.name, containers.limits(sure(step.config)))


def _wait(work: Work) -> None:
    spec = work.spec
    work.facts = session.wait_until_ready(work.engine, work.name, spec.name, work.username, spec.wait_timeout)


def _replace(work: Work, step: steps.Replace) -> None:
    with _clients_wait(work):
        _put_in_place(work, step)


def _put_in_place(work: Work, step: steps.Replace) -> None:
    """Put a new container in the place of the old one, which comes back if the new one does not serve."""
    engine, previous = work.engine, layout.previous_container(step.container)
    ran = sure(work.seen.container).active
    stopped_at = time.monotonic()
    engine.stop(step.container, step.grace)
    engine.rename(step.container, previous)
    try:
        _create_container(work, step.container, step.config)
        if ran or work.spec.serves:
            engine.start(step.container)
            _wait(work)
            work.interruption += time.monotonic() - stopped_at if ran else 0.0
    except DatabaseError as error:
        engine.remove(step.container)
        engine.rename(previous, step.container)
        _put_back(work, engine.start if ran else None, "The new container did not serve, so the old one", error)
    engine.remove(previous)


def _put_back_previous(work: Work, step: steps.PutBack) -> None:
    """Undo a replacement that was interrupted: its old container comes back, the new one goes."""
    previous = layout.previous_container(step.container)
    work.engine.remove(step.container)
    work.engine.rename(previous, step.container)
    if work.spec.serves:
        work.engine.start(step.container)
        _wait(work)


def _put_back(work: Work, start: Callable[[str], None] | None, what: str, error: DatabaseError) -> NoReturn:
    """Put back the record and the configuration as they were, let the old server start, and raise the error.

    start: how the engine starts the container, or None where it did not run.
    """
    if work.seen.record is not None:
        _write_record(work, work.seen.record)
    for undo in reversed(work.undo):
        undo()
    outcome = "was put back"
    if start is not None:
        start(work.name)
        try:
            _wait(work)
            outcome = "was put back and serves"
        except NotReady as unready:
            outcome = f"was put back, but does not serve either ({unready.message.splitlines()[0]})"
    raise DatabaseError(f"{what} {outcome}. {error.message}", **error.details) from error


def _remove_previous(work: Work, step: steps.RemovePrevious) -> None:
    # What was taken over may have its data in an anonymous volume, which stays until somebody removes it.
    if not step.ours:
        adoption_steps.refuse_revived(work)
        # A run that was killed just after it had come to its end may have left it.
        journals.end(work.spec.directory, ADOPTION)
    work.engine.remove(step.container, volumes=step.ours)


def _update(work: Work, step: steps.Update) -> None:
    work.engine.update(step.container, containers.limits(sure(step.config)))


def _start(work: Work, step: steps.Start) -> None:
    _make_mounted(work)
    if step.status == "paused":
        work.engine.unpause(step.container)
    elif step.status == "restarting":
        # To the engine it runs, so that to start it does nothing: this ends the wait for the next attempt.
        work.engine.restart(step.container, containers.FAILED_STOP_TIMEOUT)
    else:
        work.engine.start(step.container)
    if work.record is not None:
        _wait(work)


def _restart(work: Work, step: steps.Restart) -> None:
    _make_mounted(work)
    with _clients_wait(work):
        _restart_server(work, step)


def _restart_server(work: Work, step: steps.Restart) -> None:
    """Restart the server. If it does not come back with changed parameters, it gets those that it ran with."""
    stopped_at = time.monotonic()
    work.engine.restart(step.container, step.grace)
    if work.record is None:
        return
    try:
        _wait(work)
        work.interruption += time.monotonic() - stopped_at
    except NotReady as error:
        if not work.undo:
            raise
        what = "The server did not start as declared, so the configuration that it ran with"
        _put_back(work, lambda name: work.engine.restart(name, containers.FAILED_STOP_TIMEOUT), what, error)


def _reload(work: Work, step: steps.Reload | None = None) -> None:
    """Let the server read its files. A certificate that it does not take, for its own reasons, is put back."""
    _read_again(work)
    if not work.certified or certification_steps.shown(work):
        return
    lines = work.engine.logs(work.name)
    error = DatabaseError(f"Its last log lines:\n{lines}", log=lines.splitlines())
    what = "The server does not take the certificate, so the one that it had"
    _put_back(work, lambda name: _read_again(work), what, error)


def _read_again(work: Work) -> None:
    session.psql(work.engine, work.name, "SELECT pg_reload_conf();\n")


def _stop(work: Work, step: steps.Stop) -> None:
    work.engine.stop(step.container, step.grace)


def _remove(work: Work, step: steps.Remove) -> None:
    work.engine.stop(step.container, step.grace)
    work.engine.remove(step.container)


def _trash(work: Work, step: steps.Trash) -> None:
    certification_steps.withdraw(work.spec)
    files.move(step.directory, layout.trash(work.spec.data_root, work.name, work.seen.now, step.database_id))


def _undelete(work: Work, step: steps.Undelete) -> None:
    files.move(os.path.join(work.spec.data_root, layout.TRASH, step.entry), work.spec.directory)
    certification_steps.publish(work.spec)


def _publish(work: Work, step: steps.Publish) -> None:
    certification_steps.publish(work.spec)


def _expire(work: Work, step: steps.Expire) -> None:
    for entry in step.entries:
        files.remove_tree(os.path.join(work.spec.data_root, layout.TRASH, entry))


def _final_backup(work: Work, step: steps.FinalBackup) -> None:
    spec = work.spec
    target = observe_target(work.engine, spec.data_root, spec.name, spec.environment)
    backup, warnings = dump.take(work.engine, target, dump_options.Options(taken_by="final"))
    work.final_backup = catalog.describe(backup)
    work.warnings += warnings


def _purge(work: Work, step: steps.Purge) -> None:
    certification_steps.withdraw(work.spec)
    doomed = layout.doomed(work.spec.data_root, work.name)
    files.remove_tree(doomed)
    if os.path.isdir(work.spec.directory):
        files.move(work.spec.directory, doomed)
        files.remove_tree(doomed)
    files.remove_if_empty(work.spec.backup_directory)


DOES: dict[type[steps.Step], Callable[[Work, Any], None]] = {
    sql_steps.Users: server_changes.change_users,
    steps.Adopt: _adopt,
    steps.Arrange: _arrange,
    steps.Certificate: certification_steps.install,
    steps.Create: _create,
    steps.Expire: _expire,
    steps.FinalBackup: _final_backup,
    steps.Initialise: _initialise,
    steps.Networks: _change_networks,
    steps.Publish: _publish,
    steps.Pull: _pull,
    steps.Purge: _purge,
    steps.PutBack: _put_back_previous,
    steps.Reload: _reload,
    steps.Remove: _remove,
    steps.RemovePrevious: _remove_previous,
    steps.Replace: _replace,
    steps.Reserve: write_record,
    steps.Reset: _reset,
    steps.Restart: _restart,
    steps.Start: _start,
    steps.Stop: _stop,
    steps.Trash: _trash,
    steps.Undelete: _undelete,
    steps.Update: _update,
    steps.WriteFiles: _write_files,
    steps.WriteRecord: write_record,
}
