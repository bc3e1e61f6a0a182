# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only taking over a container does that somebody else made.

Each is safe to repeat after a crash. Until the journal says that the point of no return is past, everything can be put
back as it was; it is removed when the database has been marked as initialised.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, NoReturn

from .._domain import container as containers
from .._domain import layout, scram
from .._domain.errors import DatabaseError, sure
from .._domain.journal import ADOPTION
from .._host import cluster, files, journals
from .._planning import adoptable, adoption, supervised
from .._server import adoption_sql, privileges, session
from .._server.session import NotReady

if TYPE_CHECKING:
    from .context import Work

_PROGRESS = "adoption.progress"
# What is ours beside the data, and is made anew by another attempt.
_DIRECTORIES = ("conf", "tls")
NO_RESTARTS = {"RestartPolicy": {"Name": "no"}}


class NothingArranged(DatabaseError):
    """The roles are as they were."""


def stop(work: Work) -> None:
    """Stop the old container, also for the engine's next start, and give it the name of one that is replaced."""
    journal = _journal(work)
    previous = layout.previous_container(work.name)
    old = work.engine.inspect(journal["container"])
    if old is None:
        if cluster.major(_target(work)) is None:
            raise DatabaseError(f"the container that was to be taken over is gone; its data was in {journal['data']}")
        return
    work.engine.update(journal["container"], NO_RESTARTS)
    work.engine.stop(journal["container"], containers.STOP_TIMEOUT)
    if os.path.exists(os.path.join(journal["data"], cluster.PID_FILE)):
        raise DatabaseError(f"its server did not shut down within {containers.STOP_TIMEOUT} s")
    work.stopped[journal["container"]] = _started(work.engine.inspect(journal["container"]) or old)
    if old["Name"].lstrip("/") != previous:
        work.engine.rename(journal["container"], previous)


def alone(work: Work) -> None:
    """Raise DatabaseError where anything but a container of ours runs on the data, or has since it was stopped.

    The old container's supervisor, if it has one, starts it again, or another one. What that has been told since is not
    in the data that is taken over.
    """
    journal = _journal(work)
    old = work.engine.inspect(journal["container"])
    if old is not None and (old["State"]["Running"] or _started(old) != _stopped_start(work, old)):
        raise DatabaseError(f"something has started the old container ({old['Name'].lstrip('/')}) again")
    others = _rivals(work)
    if others:
        raise DatabaseError(f"{', '.join(others)} has come up on the data meanwhile")


def refuse_revived(work: Work) -> None:
    """Do not remove the old container where somebody has started it again, or another one on its data since.

    What clients have written there is not in the database that was taken over: a person is to see to it.
    """
    previous, found = layout.previous_container(work.name), _rivals(work)
    old = work.engine.inspect(previous)
    if old is not None and (old["State"]["Running"] or _started(old) != _stopped_start(work, old)):
        found.append(previous)
    if found:
        raise DatabaseError(
            f"{work.name} has been taken over and serves, but something has started {' and '.join(found)} on what its"
            " data was. What clients have written there is not in the database: see to it first (docker exec), stop"
            " that and whatever starts it, and run the task again, which removes the old container"
        )


def _started(answer: dict[str, Any]) -> str:
    return str(answer["State"]["StartedAt"])


def _stopped_start(work: Work, old: dict[str, Any]) -> str:
    """Return when the old container had been started at the time when it was stopped, as this run has seen it."""
    return work.stopped.get(old["Id"], _started(old))


def _rivals(work: Work) -> list[str]:
    # Also when the journal is gone, and only the old container is left to be removed.
    was, own = sure(work.record.adopted), work.engine.inspect(work.name)
    ours = (was["container"], *([own["Id"]] if own is not None else []))
    return supervised.rivals(work.engine.containers(), was["data"], was.get("mount") or was["data"], ours)


def take_data(work: Work) -> None:
    """Bring the data to its place in our layout, whatever an earlier attempt has left."""
    journal, image, target = _journal(work), work.seen.known_image, _target(work)
    for directory in (os.path.dirname(os.path.dirname(target)), os.path.dirname(target)):
        files.make_directory(directory, 0o700, image.uid, image.gid)
    if journal["method"] == adoption.MOVE:
        if os.path.realpath(journal["data"]) != os.path.realpath(target) and cluster.major(target) is None:
            files.make_directory(target, 0o700, image.uid, image.gid)
            cluster.move(journal["data"], target, adoption.entries_to_keep(journal["data"], target))
        cluster.give_to(target, image.uid, image.gid, 0o700)
    else:
        _copy(work, journal, target)
    if cluster.major(target) != journal["major"]:
        raise DatabaseError(f"its data is not in {journal['data']} any more, now that it has been stopped")


def _copy(work: Work, journal: dict[str, Any], target: str) -> None:
    old = work.engine.inspect(journal["container"])
    fresh = old is not None and old["State"]["StartedAt"] != journal["started_at"]
    if cluster.major(target) is not None and not fresh:
        return
    # Whatever was copied before the old server was started once more is out of date.
    files.remove_tree(target)
    progress = os.path.join(work.spec.directory, _PROGRESS)

    def report(copied: int) -> None:
        share = min(100, copied * 100 // max(1, journal["size"]))
        files.write(progress, f"{copied} of {journal['size']} bytes copied ({share} %)\n".encode("ascii"), 0o644)

    try:
        cluster.copy(journal["data"], target, work.seen.known_image.uid, work.seen.known_image.gid, report)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(progress)


def leave_original(work: Work) -> None:
    """Say in the journal that data which was moved is not what the old container left, from here on."""
    if _journal(work)["method"] == adoption.MOVE:
        work.journal = sure(work.journal).past_return()
        journals.write(work.spec.directory, work.journal)


def arrange_roles(work: Work) -> None:
    """Put roles and ownership in order, in one transaction, while nobody can log in but us."""
    journal, spec = _journal(work), work.spec
    try:
        superuser, databases = _superuser(work, journal)
        database = spec.name if spec.name in databases else journal["database"]
        verifier = run_as(work, superuser, "postgres", adoption_sql.verifier_of(work.username)).strip()
        keeps = spec.password is None or scram.matches(spec.password, verifier)
        run_as(work, superuser, database, adoption_sql.put_roles_in_order(superuser, work.username, database, keeps))
        run_as(work, session.SUPERUSER, session.SUPERUSER, privileges.reset_altered(work.spec.governed))
    except DatabaseError as error:
        raise NothingArranged(error.message, **error.details) from error
    if database != spec.name:
        run_as(work, session.SUPERUSER, session.SUPERUSER, adoption_sql.rename_database(database, spec.name))


def _superuser(work: Work, journal: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the name that the superuser has by now, and the names of the databases."""
    try:
        answer = run_as(work, session.SUPERUSER, session.SUPERUSER, adoption_sql.who_is_superuser())
    except DatabaseError:
        answer = run_as(work, journal["bootstrap"], session.SUPERUSER, adoption_sql.who_is_superuser())
    superuser, *databases = answer.splitlines()
    return superuser, databases


def run_as(work: Work, role: str, database: str, script: str) -> str:
    return session.psql(work.engine, work.name, script, database=database, role=role)


def remove_new(work: Work) -> None:
    """Remove the container that an earlier attempt made; never the old one, which may still have the name."""
    there = work.engine.inspect(work.name)
    if there is not None and there["Id"] != _journal(work)["container"]:
        work.engine.stop(work.name, containers.STOP_TIMEOUT)
        work.engine.remove(work.name)


def put_back(work: Work, error: DatabaseError) -> NoReturn:
    """Put everything back as it was, let the old container serve again, and raise the error."""
    journal, target = _journal(work), _target(work)
    if not sure(work.journal).may_return:
        raise DatabaseError(
            f"{work.name} could not be taken over: {error.message}\nIts data is in {target}, with its roles already put"
            " in order. Fix what is wrong, and run the task again, which goes on from here",
            **error.details,
        ) from error
    remove_new(work)
    others = _rivals(work)
    if journal["method"] == adoption.MOVE and cluster.major(target) is not None:
        _free_place(work, journal, others, error)
    if journal["method"] == adoption.COPY:
        files.remove_tree(cluster.incomplete(target))
        files.remove_tree(target)
    else:
        if os.path.isdir(target) and os.path.realpath(journal["data"]) != os.path.realpath(target):
            cluster.move(target, journal["data"])
        cluster.give_to(journal["data"], *journal["owner"])
    # The engine makes directories to mount in, too.
    files.remove_if_empty(target)
    files.remove_empty_directories(os.path.join(work.spec.directory, "pgdata"))
    for name in _DIRECTORIES:
        files.remove_tree(os.path.join(work.spec.directory, name))
    outcome = _let_old_serve(work, journal, others)
    # Last: as long as it is there, another run knows what was begun.
    files.remove(os.path.join(work.spec.directory, "database.json"))
    journals.end(work.spec.directory, ADOPTION)
    files.remove_if_empty(work.spec.directory)
    raise DatabaseError(
        f"{work.name} could not be taken over, so {outcome}. {error.message}", **error.details
    ) from error


def _free_place(work: Work, journal: dict[str, Any], others: list[str], error: DatabaseError) -> None:
    """Make room where moved data comes back to: a supervisor may have begun a new database there. Nothing is lost."""
    if others:
        raise DatabaseError(
            f"{work.name} could not be taken over: {error.message}\nIts data is in {_target(work)}, and is left there:"
            f" {', '.join(others)} runs where it was. Stop that, and run the task again, which goes on from here"
        ) from error
    old = work.engine.inspect(journal["container"])
    if old is not None and old["State"]["Running"]:
        work.engine.update(journal["container"], NO_RESTARTS)
        work.engine.stop(journal["container"], containers.STOP_TIMEOUT)
    same = os.path.realpath(journal["data"]) == os.path.realpath(_target(work))
    if not same and cluster.major(journal["data"]) is not None:
        aside = f"{journal['data'].rstrip('/')}.begun-{work.seen.now.replace(':', '')}"
        files.make_directory(aside, 0o700)
        cluster.move(journal["data"], aside, adoption.entries_to_keep(journal["data"], _target(work)))


def _let_old_serve(work: Work, journal: dict[str, Any], others: list[str]) -> str:
    old = work.engine.inspect(journal["container"])
    if old is None:
        return "what was made of it was removed; the old container is gone"
    if old["Name"].lstrip("/") != work.name:
        work.engine.rename(journal["container"], work.name)
    if others:
        # Nor may the engine start it with itself.
        return (
            f"what was made of it was removed. The old container is there as {work.name}, but was not started:"
            f" {', '.join(others)} runs on its data, and two servers on it destroy it"
        )
    work.engine.update(journal["container"], {"RestartPolicy": journal["restart_policy"]})
    work.engine.start(journal["container"])
    try:
        session.wait_until_initialised(work.engine, work.name, work.spec.name, None, work.spec.wait_timeout)
    except NotReady as unready:
        return f"the old container was put back, but does not serve either ({unready.message.splitlines()[0]})"
    return "the old container was put back and serves"


def _journal(work: Work) -> dict[str, Any]:
    """Return what was there before."""
    return sure(work.journal).before


def _target(work: Work) -> str:
    return adoptable.target(work.spec, _journal(work)["major"])
