# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image can stand in for one that no registry gives, and what the docker command says when none answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import parsers

# The Debian release that packages each major version of PostgreSQL. Up to 17 the official image keeps its data in the
# volume itself, from 18 on in a directory below it.
_VOLUME = "/var/lib/postgresql"
_SERVERS = {
    "15": ("bookworm", f"{_VOLUME}/data", f"{_VOLUME}/data"),
    "17": ("trixie", f"{_VOLUME}/data", f"{_VOLUME}/data"),
    "18": ("forky", f"{_VOLUME}/18/docker", _VOLUME),
}
# PgBouncer has no official image: there is what we build, named for the Debian release whose package it is.
POOLERS = ("bookworm", "trixie", "forky")
POOLER_REPOSITORY = "vellaric/pgbouncer"
_POOLER = re.compile(rf"^{POOLER_REPOSITORY}:({'|'.join(POOLERS)})$")


class Recipe(NamedTuple):
    """How a stand-in is built. arguments: what its Dockerfile is given, by name."""

    suite: str
    program: str
    package: str
    arguments: dict[str, str]


# An official image, or a mirror's copy of one. Another image may hold what a stand-in has not, and a digest names one
# image only.
_OFFICIAL = re.compile(r"(?:^|/)postgres:([0-9]+)[^/:]*$")
# What the docker command says when no registry was there to answer, as opposed to one that says no.
_UNREACHABLE = (
    ": EOF",
    "Client.Timeout",
    "connection refused",
    "connection reset",
    "deadline exceeded",
    "handshake timeout",
    "host is unreachable",
    "i/o timeout",
    "name resolution",
    "network is unreachable",
    "no route to host",
    "no such host",
    "proxyconnect",
    "request canceled",
    "server misbehaving",
    "timed out",
    "unexpected EOF",
)


class Wanted(NamedTuple):
    """An image that is asked for. pull, build: as the module's options of these names."""

    reference: str
    pull: str
    build: str
    repository: str

    @property
    def major(self) -> str:
        """The major version that the name of an official image tells, or nothing."""
        match = _OFFICIAL.search(self.reference)
        return match.group(1) if match else ""

    @property
    def recipe(self) -> Recipe | None:
        pooler = _POOLER.match(self.reference)
        if pooler:
            return Recipe(pooler.group(1), "pgbouncer", "pgbouncer", {})
        if self.major not in _SERVERS:
            return None
        suite, data, volume = _SERVERS[self.major]
        arguments = {"PG_MAJOR": self.major, "PG_DATA": data, "PG_VOLUME": volume}
        return Recipe(suite, "postgres", f"postgresql-{self.major}", arguments)

    @property
    def stand_in(self) -> str:
        """The name under which an image is built; of one that only we build, its own."""
        if self.recipe is None:
            return ""
        return f"{self.repository}:{self.major}-{self.recipe.suite}" if self.major else self.reference

    @property
    def built_only(self) -> bool:
        """Say whether it is an image of ours, which no registry has."""
        return self.stand_in == self.reference

    @property
    def taken(self) -> list[str]:
        """In the order in which they are taken. A built stand-in counts only where building is allowed."""
        own = [self.reference] if self.build != "always" else []
        built = [self.stand_in] if self.build != "never" and self.stand_in not in ("", *own) else []
        return own + built

    @property
    def note(self) -> str:
        """A stand-in is Debian, whatever was asked for; empty where there is none, or it is what was asked for."""
        if self.recipe is None or self.built_only:
            return ""
        text = (
            f"In place of {self.reference}, which no registry gave, this host uses {self.stand_in}: PostgreSQL from the"
            f" packages of Debian {self.recipe.suite}, with the contract of the official image"
        )
        if "alpine" in self.reference:
            text += f"; Debian (glibc), not Alpine (musl), so text sorts differently than in {self.reference}"
        return text


# The name of images that role image builds; their tag is the major version and the Debian release.
REPOSITORY = "vellaric/postgres"


def is_whole(declared: Mapping[str, Any]) -> bool:
    """Say whether a run brings the whole declaration about, for which the image and the credentials are needed."""
    return declared.get("state") in ("started", "present", None) and not declared.get("partial")


def official(declared: Mapping[str, Any]) -> str:
    """Return the official image of a database as it is declared: nothing where it has another, or keeps what it has."""
    if not is_whole(declared) or declared.get("image"):
        return ""
    try:
        return parsers.image({"version": declared.get("version")})
    except ValueError:
        # Whoever reads the declaration says what is wrong with it.
        return ""


def pulled(declared: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the official images that databases take, and those of their poolers, and of each whether it may be pulled
    where it is missing.

    With always it is asked for when the databases are looked at, since they follow the tag.
    """
    found: dict[str, set[str]] = {}
    for one in declared:
        reference = official(one)
        for each in filter(None, (reference, _pooler(one))):
            found.setdefault(each, set()).add(one.get("pull") or "missing")
    return {reference: "never" if found[reference] == {"never"} else "missing" for reference in sorted(found)}


def _pooler(declared: Mapping[str, Any]) -> str:
    """Return the image of a database's pooler, nothing where it has none."""
    if not is_whole(declared) or not declared.get("pooler"):
        return ""
    from . import pooler

    try:
        found = pooler.from_option(declared["pooler"])
    except ValueError:
        # Whoever reads the declaration says what is wrong with it.
        return ""
    return found.image if found is not None else ""


def instead(declared: Mapping[str, Any], there: Mapping[str, str]) -> dict[str, Any]:
    """Return a declaration with the image that there is. there: by official image, its name or that of its stand-in,
    which no registry has."""
    reference = official(declared)
    taken = there.get(reference)
    if not taken:
        return dict(declared)
    return {**declared, "image": taken, "version": None, **({} if taken == reference else {"pull": "never"})}


def nobody_answered(stderr: str) -> bool:
    """Say whether no registry answered a pull."""
    return any(sign in stderr for sign in _UNREACHABLE)


def cannot_be_built(wanted: Wanted) -> str:
    begin = "image_build is always, but nothing" if wanted.build == "always" else "No registry answered, and nothing"
    return (
        f"{begin} can be built that could stand in for {wanted.reference}: from Debian's packages that goes for the"
        f" official image, postgres, with a tag that begins with the major version {' or '.join(_SERVERS)}, and for"
        f" {POOLER_REPOSITORY}, with one of the tags {', '.join(POOLERS)}. Choose one"
        " of these, or make a registry reachable"
    )
