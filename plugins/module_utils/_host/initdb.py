# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data directories of several new databases: initdb runs once for each image, and what it made is copied.

initdb costs more than all else of a new database together. A copy is the same as if initdb had made it, but for what
tells one cluster from another, which each copy gets for itself (cluster_identity).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shlex
import subprocess
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .._domain import container as containers
from .._domain import image_environment, layout
from .._domain.errors import DatabaseError
from . import cluster_identity, files, images, locks

if TYPE_CHECKING:
    from .._domain.facts import ImageFacts
    from .engine import Engine

# With fewer, each has a processor to itself for its own.
WORTHWHILE = 3
_SECONDS = 120


class Clusters:
    """What initdb has made for each of some images. models: a future of its directory, or of None, by image id."""

    def __init__(self, models: Mapping[str, concurrent.futures.Future[str | None]] | None = None) -> None:
        self._models = models or {}

    def fill(self, image: ImageFacts, directory: str) -> bool:
        """Put a new cluster below the directory that is mounted as the images' data root; say whether there was one.

        Raises DatabaseError where it could not be copied: what there is then is no whole cluster.
        """
        future = self._models.get(image.id)
        model = future.result() if future is not None else None
        if model is None:
            return False
        target = os.path.join(directory, os.path.relpath(containers.pgdata(image.major), containers.DATA_MOUNT))
        files.make_directory(os.path.dirname(target), 0o755)
        finished = subprocess.run(
            ["cp", "-a", "--reflink=auto", model, target], capture_output=True, text=True, check=False
        )
        if finished.returncode != 0:
            raise DatabaseError(f"Could not copy what initdb made to {target}: {finished.stderr.strip()}")
        cluster_identity.renew(target)
        return True


@contextlib.contextmanager
def clusters(engine: Engine, data_root: str, references: Collection[str]) -> Iterator[Clusters]:
    """Have initdb run for the images that several new databases want, in the background, and yield the Clusters.

    references: of those images. Where another run does the same now, each database gets its own by itself.
    """
    sweep(data_root)
    if not references:
        yield Clusters()
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_locked(data_root))
        except DatabaseError:
            yield Clusters()
            return
        stack.callback(files.remove_tree, layout.models(data_root))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(max_workers=1))
        known = {answer["Id"]: reference for reference, answer in _inspected(engine, references)}
        yield Clusters({identity: pool.submit(_make, engine, data_root, known[identity]) for identity in known})


def sweep(data_root: str) -> None:
    """Remove what a killed run has left."""
    if os.path.isdir(layout.models(data_root)):
        with contextlib.suppress(DatabaseError), _locked(data_root):
            files.remove_tree(layout.models(data_root))


def _locked(data_root: str) -> contextlib.AbstractContextManager[None]:
    return locks.exclusive(layout.models_lock(data_root), 0, "the data directories of new databases")


def _inspected(engine: Engine, references: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for reference in sorted(references):
        answer = engine.inspect_image(reference)
        if answer is not None:
            yield reference, answer


def _make(engine: Engine, data_root: str, reference: str) -> str | None:
    """Return the data directory that initdb made, or None where each database is to have its own made.

    Why it could not be made, the first database says that has its own made.
    """
    with contextlib.suppress(DatabaseError):
        inspected = engine.inspect_image(reference)
        # Removed meanwhile.
        if inspected is None:
            return None
        image = images.describe(engine, inspected, reference, layout.image_cache(data_root), remember=True)
        # It may do for each database what only that one needs.
        if image.own_first_start:
            return None
        directory = os.path.join(layout.models(data_root), image.id.replace(":", "-"))
        files.make_directory(directory, 0o700, image.uid, image.gid)
        pgdata = containers.pgdata(image.major)
        arguments = shlex.split(image_environment.initdb_arguments(image.environment, containers.INITDB_ARGUMENTS))
        command = ["initdb", "--username=postgres", f"--pgdata={pgdata}", *arguments]
        finished = engine.run(image.id, command, _SECONDS, mounts=[(directory, containers.DATA_MOUNT)])
        model = os.path.join(directory, os.path.relpath(pgdata, containers.DATA_MOUNT))
        if finished.exit_code == 0 and cluster_identity.known(model):
            return model
    return None
