# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that a container joins: which to join and to leave, what that costs, and who gets in by them. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import labels
from .errors import Refused

if TYPE_CHECKING:
    from .facts import Observed
    from .spec import DatabaseSpec

# Every container of ours is on it, and its port is published there.
DEFAULT = "bridge"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ALIAS = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
# What the engine calls so is no network that a container could join beside another one.
_SPECIAL = ("host", "none")


@dataclasses.dataclass(frozen=True)
class NetworkFacts:
    """A network of the engine's.

    subnets, gateways: of containers in it, and of the Docker host. attachable: whether a container may join it.
    carries: whether it may carry published ports; dual: it has IPv4 and IPv6. priority: with which we join it. ours:
    made for a pooler.
    """

    id: str
    name: str
    subnets: tuple[str, ...]
    gateways: tuple[str, ...]
    attachable: bool = True
    carries: bool = True
    dual: bool = False
    priority: int = 0
    ours: bool = False


@dataclasses.dataclass(frozen=True)
class EndpointFacts:
    """A container's place in a network. network_id: of the network that it joined, which may be gone; aliases: names
    that it has there beside its own."""

    network_id: str
    address: str | None
    priority: int = 0
    aliases: tuple[str, ...] = ()


def aliases_from_option(names: list[str] | None, joins: bool) -> tuple[str, ...]:
    """Return the names that a container has on its networks beside its own, sorted. Raises ValueError."""
    for name in names or []:
        if not isinstance(name, str) or not _ALIAS.fullmatch(name):
            raise ValueError(
                f"network_aliases has {name!r}: an alias is a host name, lowercase letters, digits, hyphens and"
                " underscores, such as db"
            )
    if names and not joins:
        raise ValueError("network_aliases are names on networks: declare networks, too, or leave them out")
    return tuple(sorted(set(names or [])))


def aliases(answer: dict[str, Any], name: str, identity: str) -> tuple[str, ...]:
    """Return what an endpoint of the engine's has as aliases, without those that it gives by itself."""
    own = {name, identity[:12], identity}
    return tuple(sorted(set(answer.get("Aliases") or ()) - own))


def from_option(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of networks, sorted. Raises ValueError."""
    for name in names or []:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"networks has {name!r}: a network is the name that docker network ls shows, such as shop")
        if name == DEFAULT:
            raise ValueError(f"networks has {name}, the default one, which each database joins anyway: leave it out")
        if name in _SPECIAL:
            raise ValueError(f"networks has {name}, which is none to join: create one with docker network create")
    return tuple(sorted(set(names or [])))


def from_list(answer: Iterable[dict[str, Any]], knows_priority: bool) -> dict[str, NetworkFacts]:
    """Return the NetworkFacts by name of an answer of the engine's `GET /networks`.

    knows_priority: whether the engine can be told which network carries the published ports.
    """
    return {entry["Name"]: _from_entry(entry, knows_priority) for entry in answer}


def _from_entry(entry: dict[str, Any], knows_priority: bool) -> NetworkFacts:
    ranges = [found for found in (entry.get("IPAM") or {}).get("Config") or [] if found.get("Subnet")]
    return NetworkFacts(
        id=entry["Id"],
        name=entry["Name"],
        subnets=tuple(str(ipaddress.ip_network(found["Subnet"], strict=False)) for found in ranges),
        gateways=tuple(_gateway(found) for found in ranges),
        attachable=entry.get("Scope") != "swarm" or bool(entry.get("Attachable")),
        carries=not entry.get("Internal"),
        dual=bool(entry.get("EnableIPv6")),
        ours=labels.is_managed(entry.get("Labels")),
        priority=-1 if knows_priority and entry["Name"] != DEFAULT else 0,
    )


def _gateway(found: dict[str, str]) -> str:
    """Return the Docker host's address in a network; where it was not chosen, it is the first that the engine gives."""
    if found.get("Gateway"):
        # Without its scope, which would be in a file as it is.
        return str(ipaddress.ip_address(re.split("[/%]", found["Gateway"])[0]))
    subnet = ipaddress.ip_network(found["Subnet"], strict=False)
    first = ipaddress.ip_network(found.get("IPRange") or found["Subnet"], strict=False).network_address
    return str(first + 1 if first == subnet.network_address else first)


def refuse_missing(spec: DatabaseSpec, seen: Observed) -> None:
    """Raise Refused for a declared network that is not there, or that no container may join."""
    if seen.networks is None:
        return
    for name in spec.networks:
        if name not in seen.networks:
            raise Refused(
                f"networks has {name}, but the host has no such network. Nothing was changed: create it first, as with"
                f" docker network create {name}, or leave it out"
            )
        if not seen.networks[name].attachable:
            raise Refused(
                f"networks has {name}, which only services of the swarm may join. Nothing was changed: create it with"
                " docker network create --driver overlay --attachable, or leave it out"
            )


def wanted(spec: DatabaseSpec, known: Mapping[str, NetworkFacts] | None) -> tuple[str, ...]:
    """Return the names of all networks that the container is to be on."""
    return ((DEFAULT,) if known is None or DEFAULT in known else ()) + declared(spec)


def declared(spec: DatabaseSpec) -> tuple[str, ...]:
    """Return the names of those that are declared: that of a pooler is, where one is."""
    return spec.networks + ((spec.pooler_container,) if spec.pooler is not None else ())


def changes(
    spec: DatabaseSpec,
    joined: Mapping[str, EndpointFacts],
    known: Mapping[str, NetworkFacts],
    aliases: tuple[str, ...] | None = None,
) -> tuple[list[str], list[str]]:
    """Return the names of the networks to leave and of those to join. aliases: on those declared; None: the server's.

    joined: EndpointFacts by name. A network that was removed and made again under its name is joined anew: with the one
    that is gone, the engine does not start the container. https://github.com/moby/moby/issues/21846
    So is one on which it is to have other aliases: the engine gives them to those who join.
    """
    names, named = wanted(spec, known), spec.network_aliases if aliases is None else aliases
    stale = [
        name
        for name in joined
        if name in known
        and (joined[name].network_id != known[name].id or (name in spec.networks and joined[name].aliases != named))
    ]
    leave = [name for name in sorted(joined) if name not in names or name in stale]
    join = [name for name in names if name not in joined or name in stale]
    return leave, join


def moves_ports(
    joined: Mapping[str, EndpointFacts], leave: list[str], join: list[str], known: Mapping[str, NetworkFacts]
) -> bool:
    """Say whether the published port passes to another network, upon which its clients have to connect anew.

    The engine publishes on one network: the first by name, unless priorities say otherwise, which engines before
    version 28 do not know. https://docs.docker.com/engine/network/#connecting-to-multiple-networks
    """
    before = {name: endpoint.priority for name, endpoint in joined.items()}
    left = {name: priority for name, priority in before.items() if name not in leave}
    # One that is not there yet is made for a pooler, and carries nothing.
    after = {**left, **{name: known[name].priority for name in join if name in known}}
    carrier = _carrier(before, known)
    return carrier is not None and (carrier in leave or carrier != _carrier(after, known))


def _carrier(priorities: Mapping[str, int], known: Mapping[str, NetworkFacts]) -> str | None:
    able = [name for name in priorities if name in known and known[name].carries]
    return min(able, key=lambda name: (not known[name].dual, -priorities[name], name), default=None)


def access(spec: DatabaseSpec, known: Mapping[str, NetworkFacts] | None) -> tuple[tuple[str, str], ...]:
    """Return (source, method) pairs by which the containers of the joined networks get in beside trusted sources.

    The Docker host has an address in each network, which what is published there may come from: it is let in only where
    its address in the default network is trusted.
    """
    if spec.trusted_sources is None or not known:
        return ()
    trusted = [ipaddress.ip_network(source) for source in spec.trusted_sources]
    host = [ipaddress.ip_address(gateway) for gateway in known[DEFAULT].gateways] if DEFAULT in known else []
    host_trusted = any(address in source for address in host for source in trusted)
    pairs = []
    for network in (known[name] for name in declared(spec) if name in known):
        if not host_trusted:
            pairs += [(str(ipaddress.ip_network(gateway)), "reject") for gateway in network.gateways]
        pairs += [(subnet, "scram-sha-256") for subnet in network.subnets]
    return tuple(pairs)
