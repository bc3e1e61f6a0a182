# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of a plan: each is safe to repeat after a crash at any point."""

from __future__ import annotations

import dataclasses
import os
import time

from .. import container as containers
from .. import layout, names, networks
from .. import record as records
from ..backup import catalog, dump, dump_options
from ..backup.target import observe_target
from ..errors import DatabaseError
from ..host import files, roots
from ..planning import adoption, certification
from ..server import configuration, session
from ..server.session import NotReady
from . import adopting, certifying, server_changes


def execute(work, done):
    """Execute the steps of a plan in order; `done` hears of each when it has been done."""
    steps = list(work.plan.steps)
    while steps:
        batch = [steps.pop(0)]
        while batch[-1].verb in server_changes.VERBS and steps and steps[0].verb in server_changes.WITH_LOGIN:
            batch.append(steps.pop(0))
        if batch[0].verb in server_changes.WITH_LOGIN:
            server_changes.run(work, [step.verb for step in batch])
        else:
            _VERBS[batch[0].verb](work)
        for step in batch:
            done(step)


def write_record(work):
    _write_record(work, work.plan.record)


def _write_record(work, record):
    files.make_directory(work.spec.directory, 0o755)
    path = os.path.join(work.spec.directory, records.FILE_NAME)
    files.write(path, records.to_json(record).encode("utf-8"), 0o600)


def _mark_initialised(work):
    """From here on the data directory is never emptied, so that what initdb wrote has to be there to stay."""
    files.synchronise_file_system(os.path.join(work.spec.directory, "pgdata"))
    record = dataclasses.replace(work.plan.record, initialised=True)
    work.plan = dataclasses.replace(work.plan, record=record)
    write_record(work)


def _pull(work):
    work.engine.pull(work.spec.image)


def _reset(work):
    work.engine.remove(work.name)
    files.remove_tree(os.path.join(work.spec.directory, "pgdata"))


def _write_files(work):
    _write_texts(work, work.plan.files)


def _write_texts(work, texts):
    files.make_directory(os.path.join(work.spec.directory, "conf"), 0o755)
    for path, text in texts.items():
        files.write(os.path.join(work.spec.directory, path), text.encode("utf-8"), 0o644)


def _make_pgdata(work):
    directory, image = os.path.join(work.spec.directory, "pgdata"), work.seen.image
    files.make_directory(directory, 0o700, image.uid, image.gid)
    return directory


def _create_container(work, name, config):
    image = work.seen.image
    _make_pgdata(work)
    roots.make(work.spec.backup_root)
    # As backups leave it: the server reads there.
    files.make_directory(work.spec.backup_directory, 0o750, 0, image.gid)
    arguments = containers.create_arguments(config, work.name, names.new_password())
    declared = work.engine.inspect_image(work.spec.image)
    if declared is not None and declared["Id"] == image.id:
        # So that `docker ps` shows a name that says something.
        arguments["Image"] = work.spec.image
    work.engine.create(name, arguments)
    # Before it is started, so that it is on its networks before anybody misses it there.
    for network in work.spec.networks:
        work.engine.join(name, work.seen.networks[network], work.spec.network_aliases)


def _change_networks(work):
    """Leave and join while it runs. What another run did halfway is seen anew, so that nothing is done twice."""
    leave, join = networks.changes(work.spec, work.seen.container.networks, work.seen.networks)
    for network in leave:
        work.engine.leave(work.name, network)
    for network in join:
        work.engine.join(work.name, work.seen.networks[network], work.spec.network_aliases)


def _create(work):
    initialised = work.plan.record.initialised
    policy = containers.RESTART_POLICY if initialised else containers.INITIAL_RESTART_POLICY
    if not initialised:
        work.clusters.fill(work.seen.image, _make_pgdata(work))
    _create_container(work, work.name, dataclasses.replace(work.plan.config, restart_policy=policy))
    work.engine.start(work.name)
    _initialise(work)


def _adopt(work):
    """Stop somebody else's container, take its data, and start a container of ours on it that lets nobody in yet."""
    ran_until = time.monotonic()
    try:
        adopting.stop(work)
        adopting.remove_new(work)
        adopting.take_data(work)
        _write_texts(work, adoption.closed(work.plan.files))
        config = dataclasses.replace(work.plan.config, restart_policy=containers.INITIAL_RESTART_POLICY)
        _create_container(work, work.name, config)
        adopting.alone(work)
        work.engine.start(work.name)
        spec = work.spec
        arguments = (work.engine, work.name, spec.name, work.username, spec.wait_timeout)
        work.facts = session.wait_until_initialised(*arguments)
    except DatabaseError as error:
        adopting.put_back(work, error)
    work.interruption += time.monotonic() - ran_until


def _arrange(work):
    """Put the roles in order, upon which it is ours, and let clients in."""
    began, plan = time.monotonic(), work.plan
    try:
        adopting.alone(work)
        # From here on, data that was moved is not what the old container left.
        adopted = {**plan.record.adopted, "roles_changed": True}
        work.plan = dataclasses.replace(plan, record=dataclasses.replace(plan.record, adopted=adopted))
        write_record(work)
        adopting.arrange_roles(work)
        adopting.alone(work)
    except DatabaseError as error:
        if isinstance(error, adopting.NothingArranged):
            work.plan = plan
        adopting.put_back(work, error)
    _mark_initialised(work)
    work.engine.update(work.name, containers.limits(work.plan.config))
    _write_files(work)
    _reload(work)
    work.interruption += time.monotonic() - began


def _initialise(work):
    """Wait for the server; after its first start, say so in the record before anybody can log in."""
    if work.plan.record.initialised:
        _wait(work)
        return
    spec = work.spec
    arguments = (work.engine, work.name, spec.name, work.username, spec.wait_timeout)
    work.facts = session.wait_until_initialised(*arguments)
    _mark_initialised(work)
    work.engine.update(work.name, containers.limits(work.plan.config))


def _wait(work):
    spec = work.spec
    work.facts = session.wait_until_ready(work.engine, work.name, spec.name, work.username, spec.wait_timeout)


def _replace(work):
    """Put a new container in the place of the old one, which comes back if the new one does not serve."""
    engine, previous = work.engine, layout.previous_container(work.name)
    ran = work.seen.container.active
    stopped_at = time.monotonic()
    engine.stop(work.name, _stop_seconds(work))
    engine.rename(work.name, previous)
    try:
        _create_container(work, work.name, work.plan.config)
        if ran or work.spec.serves:
            engine.start(work.name)
            _wait(work)
            work.interruption += time.monotonic() - stopped_at if ran else 0.0
    except DatabaseError as error:
        engine.remove(work.name)
        engine.rename(previous, work.name)
        _put_back(work, engine.start if ran else None, "The new container did not serve, so the old one", error)
    engine.remove(previous)


def _stop_seconds(work):
    looping = work.seen.container is not None and work.seen.container.status == "restarting"
    return containers.FAILED_STOP_TIMEOUT if looping else containers.STOP_TIMEOUT


def _put_back_previous(work):
    """Undo a replacement that was cut short: its old container comes back, the new one goes."""
    previous = layout.previous_container(work.name)
    work.engine.remove(work.name)
    work.engine.rename(previous, work.name)
    if work.spec.serves:
        work.engine.start(work.name)
        _wait(work)


def _put_back(work, start, what, error):
    """Put back the record and the configuration as they were, let the old server start, and raise the error.

    start: how the engine starts the container, or None where it did not run.
    """
    if work.seen.record is not None:
        _write_record(work, work.seen.record)
    for path in configuration.MANAGED:
        if path in work.seen.files:
            files.write(os.path.join(work.spec.directory, path), work.seen.files[path].content, 0o644)
    if certifying.changes(work) and certification.KEY in work.seen.files:
        certifying.write(work, {path: known.content for path, known in work.seen.files.items()})
    outcome = "was put back"
    if start is not None:
        start(work.name)
        try:
            _wait(work)
            outcome = "was put back and serves"
        except NotReady as unready:
            outcome = f"was put back, but does not serve either ({unready.message.splitlines()[0]})"
    raise DatabaseError(f"{what} {outcome}. {error.message}", **error.details) from error


def _remove_previous(work):
    # What was taken over may have its data in an anonymous volume, which stays until somebody removes it.
    ours = work.seen.previous is not None and work.seen.previous.config is not None
    if not ours:
        adopting.refuse_revived(work)
    work.engine.remove(layout.previous_container(work.name), volumes=ours)


def _update(work):
    work.engine.update(work.name, containers.limits(work.plan.config))


def _start(work):
    status = work.seen.container.status
    if status == "paused":
        work.engine.unpause(work.name)
    elif status == "restarting":
        # To the engine it runs, so that to start it does nothing: this ends the wait for the next attempt.
        work.engine.restart(work.name, containers.FAILED_STOP_TIMEOUT)
    else:
        work.engine.start(work.name)
    if work.plan.record is not None:
        _wait(work)


def _restart(work):
    """Restart the server. If it does not come back with changed parameters, it gets those that it ran with."""
    stopped_at = time.monotonic()
    work.engine.restart(work.name, _stop_seconds(work))
    if work.plan.record is None:
        return
    try:
        _wait(work)
        work.interruption += time.monotonic() - stopped_at
    except NotReady as error:
        before = work.seen.files.get(configuration.POSTGRESQL_CONF)
        after = work.plan.files.get(configuration.POSTGRESQL_CONF)
        same = before is None or after is None or before.content == after.encode("utf-8")
        if same and not certifying.changes(work):
            raise
        what = "The server did not start as declared, so the configuration that it ran with"
        _put_back(work, lambda name: work.engine.restart(name, containers.FAILED_STOP_TIMEOUT), what, error)


def _reload(work):
    """Let the server read its files. A certificate that it does not take, for its own reasons, is put back."""
    _read_again(work)
    if not certifying.changes(work) or certifying.shown(work):
        return
    lines = work.engine.logs(work.name)
    error = DatabaseError(f"Its last log lines:\n{lines}", log=lines.splitlines())
    what = "The server does not take the certificate, so the one that it had"
    _put_back(work, lambda name: _read_again(work), what, error)


def _read_again(work):
    session.psql(work.engine, work.name, "SELECT pg_reload_conf();\n")


def _stop(work):
    work.engine.stop(work.name, _stop_seconds(work))


def _remove(work):
    work.engine.stop(work.name, _stop_seconds(work))
    work.engine.remove(work.name)


def _trash(work):
    certifying.withdraw(work.spec)
    identity = work.plan.record.id if work.plan.record else "unrecorded"
    files.move(work.spec.directory, layout.trash(work.spec.data_root, work.name, work.seen.now, identity))


def _undelete(work):
    files.move(os.path.join(work.spec.data_root, layout.TRASH, work.seen.trash[-1]), work.spec.directory)
    _publish(work)


def _publish(work):
    certifying.publish(work.spec)


def _expire(work):
    for entry in layout.expired(work.name, work.seen.trash, work.seen.now, work.spec.trash_days):
        files.remove_tree(os.path.join(work.spec.data_root, layout.TRASH, entry))


def _final_backup(work):
    spec = work.spec
    target = observe_target(work.engine, spec.data_root, spec.name, spec.environment)
    backup, warnings = dump.take(work.engine, target, dump_options.Options(taken_by="final"))
    work.final_backup = catalog.describe(backup)
    work.warnings += warnings


def _purge(work):
    certifying.withdraw(work.spec)
    doomed = layout.doomed(work.spec.data_root, work.name)
    files.remove_tree(doomed)
    if os.path.isdir(work.spec.directory):
        files.move(work.spec.directory, doomed)
        files.remove_tree(doomed)
    files.remove_if_empty(work.spec.backup_directory)


_VERBS = {
    "adopt": _adopt,
    "arrange": _arrange,
    "certificate": certifying.install,
    "create": _create,
    "end_logins": server_changes.end_logins,
    "expire": _expire,
    "final_backup": _final_backup,
    "initialise": _initialise,
    "networks": _change_networks,
    "pull": _pull,
    "publish": _publish,
    "purge": _purge,
    "reload": _reload,
    "put_back": _put_back_previous,
    "remove": _remove,
    "remove_previous": _remove_previous,
    "replace": _replace,
    "reset": _reset,
    "restart": _restart,
    "start": _start,
    "stop": _stop,
    "trash": _trash,
    "undelete": _undelete,
    "update": _update,
    "users": server_changes.change_users,
    "write_files": _write_files,
    "write_record": write_record,
}
