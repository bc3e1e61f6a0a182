# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a pooler do: each is safe to repeat after a crash at any point."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .._domain import container as containers
from .._domain import labels, layout, pgbouncer, pooler_container, pooler_facts
from .._domain.errors import DatabaseError, sure
from .._domain.pooler import POOLER
from .._host import files, known_certificate, locks, tls
from .._observing import observe, pooled
from .._planning import certification, pooler_steps, pooling
from .._server import pooling as pools
from .context import Work

if TYPE_CHECKING:
    from .._domain.facts import ContainerConfig, ContainerFacts

UID, GID = pooler_container.UID, pooler_container.GID


@contextlib.contextmanager
def waiting(work: Work) -> Iterator[None]:
    """Let the pooler's clients wait while its server is interrupted."""
    found = pooler_facts.of(work.seen)
    container = found.container if found is not None else None
    with pools.waiting(work.engine, container, work.seen.container, work.spec.name, _patience(work)) as wait:
        try:
            yield
        finally:
            work.waits.append(wait)


def _patience(work: Work) -> int:
    """Return the seconds for which transactions may go on. Of a database to restart or pause, nothing is declared."""
    return work.spec.pooler.pause_timeout if work.spec.pooler else pools.pause_timeout(work.seen.record)


def _network(work: Work, step: pooler_steps.PoolerNetwork) -> None:
    # It says that there may be more of it, whatever becomes of this run.
    files.make_directory(os.path.join(work.spec.directory, pooler_facts.DIRECTORY), 0o755)
    try:
        work.engine.create_network(step.network, _labels(work))
    except DatabaseError as error:
        if "address pool" not in error.message:
            raise
        raise DatabaseError(
            f"{error.message}. Each pooler has a network of its own, and the engine has no more addresses for them: set"
            " default-address-pools in /etc/docker/daemon.json (such as base 10.200.0.0/16, size 28) and restart it"
        ) from error


def _labels(work: Work) -> dict[str, str]:
    owner = labels.Owner(work.spec.name, work.spec.environment, POOLER)
    return labels.of_instance(owner, work.record.id, work.spec.declared_pooler.image)


def _write_files(work: Work, step: pooler_steps.PoolerFiles) -> None:
    """Write what it reads. What verifies the server, and who may log in, is as it is now that the server is changed."""
    home = work.spec.directory
    for part in ("", "conf", "tls"):
        files.make_directory(os.path.join(home, pooler_facts.DIRECTORY, part).rstrip("/"), 0o755)
    files.write(os.path.join(home, pooler_facts.UNREAD), b"", 0o600)
    for path, text in step.texts.items():
        files.write(os.path.join(home, path), text.encode("utf-8"), 0o644)
    if step.issues:
        _write_certificate(work)
    reconnects = _write_authority(work)
    _write_users(work)
    if step.reloads:
        pools.reload(work.engine, _container(work), reconnects)
        files.remove(os.path.join(home, pooler_facts.UNREAD))


def _write_certificate(work: Work) -> None:
    spec, home = work.spec, work.spec.directory
    if spec.tls_fingerprint is None:
        with locks.exclusive(layout.authority_lock(spec.data_root), spec.wait_timeout, "the certificate authority"):
            authority = tls.authority(spec.data_root, work.seen.now)
        names = pooling.certificate_names(spec)
        certificate, key = tls.server_certificate(authority, spec.pooler_container, names)
        known: bytes | None = authority[0]
    else:
        # Under the declared one's names, clients reach the pooler as they reach the server.
        read = {path: files.read(os.path.join(home, path)) for path in certification.FILES}
        certificate, key = sure(read[certification.CERTIFICATE]).content, sure(read[certification.KEY]).content
        known = None
    target = os.path.join(home, pooler_facts.AUTHORITY)
    if known is None:
        files.remove(target)
    else:
        files.write(target, known, 0o644)
    files.write(os.path.join(home, pooler_facts.KEY), key, 0o600, UID, GID)
    files.write(os.path.join(home, pooler_facts.CERTIFICATE), certificate, 0o644)
    if known is not None:
        # Read now, while what reads it is loaded: the runs to come need not load it.
        directory = os.path.join(home, pooler_facts.DIRECTORY)
        known_certificate.describe(directory, certificate, key, known, remember=True)


def _write_authority(work: Work) -> bool:
    """Write what it verifies the server with; say whether that is another one now."""
    home = work.spec.directory
    found = files.read(os.path.join(home, certification.AUTHORITY))
    # Without a file, PgBouncer before 1.26 does not start.
    found = found or sure(files.read(os.path.join(home, certification.CERTIFICATE)))
    target = os.path.join(home, pooler_facts.SERVER_AUTHORITY)
    before = files.read(target)
    if before is not None and before.content == found.content:
        return False
    files.write(target, found.content, 0o644)
    return before is not None


def _write_users(work: Work) -> None:
    target = os.path.join(work.spec.directory, pooler_facts.USERS)
    before = files.read(target)
    server = sure(observe.inspect(work.engine, work.name))
    logins = pooled.logins(work.engine, server, work.spec, work.record)
    text = pgbouncer.auth_file(logins, before.content.decode("utf-8", "replace") if before is not None else "")
    files.write(target, text.encode("utf-8"), 0o600, UID, GID)


def _container(work: Work) -> ContainerFacts:
    return sure(observe.inspect(work.engine, work.spec.pooler_container))


def _make(work: Work, name: str, config: ContainerConfig) -> None:
    arguments = pooler_container.create_arguments(config, name)
    declared = work.engine.inspect_image(work.spec.declared_pooler.image)
    if declared is not None and declared["Id"] == config.image_id:
        # So that `docker ps` shows a name that says something.
        arguments["Image"] = work.spec.declared_pooler.image
    work.engine.create(name, arguments)
    known = sure(work.seen.networks)
    for network in pooler_container.joins(work.spec, known):
        if network in known and network != "bridge":
            work.engine.join(name, known[network])


def _create(work: Work, step: pooler_steps.PoolerCreate) -> None:
    _make(work, step.container, sure(step.config))
    work.engine.start(step.container)
    _wait(work)


def _wait(work: Work) -> None:
    """Wait until a pooler that was started serves. It has read its files then."""
    pools.wait_until_ready(work.engine, work.spec.pooler_container, work.spec.wait_timeout)
    files.remove(os.path.join(work.spec.directory, pooler_facts.UNREAD))


def _replace(work: Work, step: pooler_steps.PoolerReplace) -> None:
    """Put a new container in the place of the old one, which serves until then, and again if the new one does not."""
    engine, previous = work.engine, layout.previous_container(step.container)
    ran = sure(sure(pooler_facts.of(work.seen)).container).active
    engine.rename(step.container, previous)
    try:
        _make(work, step.container, step.config)
        engine.stop(previous, pooler_container.STOP_SECONDS)
        engine.start(step.container)
        _wait(work)
    except DatabaseError as error:
        engine.remove(step.container)
        engine.rename(previous, step.container)
        if ran:
            engine.start(step.container)
        raise DatabaseError(
            f"The pooler's new container did not serve, so the old one was put back. {error.message}", **error.details
        ) from error
    engine.remove(previous)


def _update(work: Work, step: pooler_steps.PoolerUpdate) -> None:
    work.engine.update(step.container, containers.limits(step.config))


def _networks(work: Work, step: pooler_steps.PoolerNetworks) -> None:
    for network in step.leave:
        work.engine.leave(step.container, network)
    for network in step.join:
        work.engine.join(step.container, sure(work.seen.networks)[network])


def _start(work: Work, step: pooler_steps.PoolerStart) -> None:
    if step.status == "paused":
        work.engine.unpause(step.container)
    else:
        work.engine.restart(step.container, pooler_container.STOP_SECONDS)
    _wait(work)


def _restart(work: Work, step: pooler_steps.PoolerRestart) -> None:
    work.engine.restart(step.container, pooler_container.STOP_SECONDS)
    _wait(work)


def _pause(work: Work, step: pooler_steps.PoolerPause) -> None:
    pools.pause(work.engine, _container(work), work.seen.container, step.database, _patience(work))


def _resume(work: Work, step: pooler_steps.PoolerResume) -> None:
    pools.resume(_container(work), step.databases)


def _stop(work: Work, step: pooler_steps.PoolerStop) -> None:
    work.engine.stop(step.container, pooler_container.STOP_SECONDS)


def _remove(work: Work, step: pooler_steps.PoolerRemove) -> None:
    for name in step.containers:
        work.engine.stop(name, pooler_container.STOP_SECONDS)
        work.engine.remove(name)
    if step.network is not None:
        work.engine.remove_network(step.network)
    if step.files:
        files.remove_tree(os.path.join(work.spec.directory, pooler_facts.DIRECTORY))


def _tidy(work: Work, step: pooler_steps.PoolerTidy) -> None:
    work.engine.remove(step.container)


DOES: dict[type[Any], Callable[[Work, Any], None]] = {
    pooler_steps.PoolerCreate: _create,
    pooler_steps.PoolerFiles: _write_files,
    pooler_steps.PoolerNetwork: _network,
    pooler_steps.PoolerNetworks: _networks,
    pooler_steps.PoolerRemove: _remove,
    pooler_steps.PoolerPause: _pause,
    pooler_steps.PoolerReplace: _replace,
    pooler_steps.PoolerRestart: _restart,
    pooler_steps.PoolerResume: _resume,
    pooler_steps.PoolerStart: _start,
    pooler_steps.PoolerStop: _stop,
    pooler_steps.PoolerTidy: _tidy,
    pooler_steps.PoolerUpdate: _update,
}
