# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate the server is to have, the host's authority's or one's own, and why it is to be changed. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._domain import pem, validity
from .._domain.errors import Refused, sure
from .steps import Certificate

if TYPE_CHECKING:
    from .._domain.facts import Observed, OwnTls, ServerCertificate
    from .._domain.spec import DatabaseSpec

CERTIFICATE, KEY, AUTHORITY = "tls/server.crt", "tls/server.key", "tls/ca.crt"
# Those that a client may have a copy of come first, and what says that the pair is whole comes last.
FILES = (AUTHORITY, KEY, CERTIFICATE)


@dataclasses.dataclass(frozen=True)
class Certification:
    """What becomes of the certificate.

    step: None where nothing does. first: the step of a database that is new. own: facts of one's own, None for the
    authority's. verifiable: whether a client that has tls/ca.crt can verify it.
    """

    step: Certificate | None
    first: Certificate = Certificate("issue a server certificate")
    own: dict[str, Any] | None = None
    verifiable: bool = True
    warnings: tuple[str, ...] = ()


def decide(spec: DatabaseSpec, seen: Observed) -> Certification:
    """Return the Certification of a database. Raises Refused for a certificate that cannot be used."""
    if spec.tls_fingerprint is None:
        why = reason(seen.certificate, spec.certificate_names, seen.now, _key_is_safe(seen))
        step = Certificate(f"issue a server certificate ({why})") if why else None
        return Certification(step, warnings=_authority_warning(seen) if why else ())
    own = _given(spec, seen) if spec.tls is not None else _kept(spec, seen)
    names = sure(own.own)["names"]
    if spec.sslmode == "verify-full" and not covers(names, spec.host):
        raise Refused(
            f"tls_certificate is for {_listed(names)}, but with sslmode: verify-full clients connect to"
            f" {spec.host} and would refuse it. Nothing was changed: give base_domain or address, so that the host is"
            " one of its names, or another certificate"
        )
    return own


def reason(found: ServerCertificate | None, names: Sequence[str], now: str, key_is_safe: bool) -> str | None:
    """Say why the host's authority is to issue a certificate, or None. found: what is there; names: that it is for."""
    if found is None or not found["ours"]:
        return "there is none of this host's authority"
    if found["names"] != list(names):
        return "for other names"
    if validity.renewal_due(found["not_after"], now):
        return f"the present one ends on {found['not_after'][:10]}"
    if not found["current"]:
        return "the authority of this host has been renewed"
    if validity.authority_renewal_due(found["authority_not_after"], now):
        return f"the authority of this host ends on {found['authority_not_after'][:10]} and is renewed"
    if not key_is_safe:
        return "the key has another owner or mode"
    return None


def renews_authority(seen: Observed) -> bool:
    """Whether another certificate of the host's authority comes with one that it issues now."""
    found = seen.certificate
    if not found or not found["ours"]:
        return False
    return not found["current"] or validity.authority_renewal_due(found["authority_not_after"], seen.now)


def _authority_warning(seen: Observed) -> tuple[str, ...]:
    found = seen.certificate
    if not found or not renews_authority(seen):
        return ()
    return (
        "the certificate of this host's authority, with which clients verify the server, has been renewed. Clients that"
        f" have a copy of the old one need the new one by {found['authority_not_after'][:10]}",
    )


def _key_is_safe(seen: Observed) -> bool:
    """Whether the server takes the key: it refuses one that others can read, and runs as the image's user."""
    key = seen.files.get(KEY)
    return key is not None and key.mode == 0o600 and (seen.image is None or key.uid == seen.image.uid)


def _given(spec: DatabaseSpec, seen: Observed) -> Certification:
    declared, examined = sure(spec.tls), sure(seen.own_tls)
    contents: dict[str, bytes | None] = {
        AUTHORITY: examined.authority.encode("ascii") if examined.authority else None,
        KEY: declared.key.encode("ascii"),
        CERTIFICATE: declared.certificate.encode("ascii"),
    }
    there = {path: seen.files[path].content if path in seen.files else None for path in FILES}
    if contents != there:
        _refuse_unusable(examined, seen.now)
        return _own(spec, seen, examined.facts, contents, "", True)
    safe = _key_is_safe(seen)
    return _own(spec, seen, examined.facts, contents, "" if safe else ": its key has another owner or mode", not safe)


def _refuse_unusable(examined: OwnTls, now: str) -> None:
    error = examined.error
    if error is None and validity.ended(examined.facts["not_after"], now):
        error = f"tls_certificate ended on {examined.facts['not_after'][:10]}: give one that is valid"
    if error is None and not validity.ended(examined.facts["not_before"], now):
        error = f"tls_certificate is valid from {examined.facts['not_before']} on: give one that is valid now"
    if error is not None:
        raise Refused(f"{error}. Nothing was changed")


def _kept(spec: DatabaseSpec, seen: Observed) -> Certification:
    """A partial declaration does not give it: what is there stays."""
    if seen.certificate is None or seen.certificate["fingerprint"] != spec.tls_fingerprint:
        raise Refused(
            f"{spec.container} has a certificate of its own (SHA-256 {spec.tls_fingerprint}), which is not in"
            f" {spec.directory}/tls any more. Nothing was changed: give tls_certificate and tls_key too"
        )
    contents = {path: seen.files[path].content if path in seen.files else None for path in FILES}
    safe = _key_is_safe(seen)
    return _own(spec, seen, seen.certificate, contents, "" if safe else ": its key has another owner or mode", not safe)


def _own(
    spec: DatabaseSpec,
    seen: Observed,
    found: Mapping[str, Any],
    contents: dict[str, bytes | None],
    why: str,
    changes: bool,
) -> Certification:
    end = found["not_after"]
    summary = f"install the declared certificate for {_listed(found['names'])}, until {end[:10]}"
    warnings = []
    if validity.ended(end, seen.now):
        warnings.append(f"its certificate ended on {end[:10]}, and clients that verify refuse it: declare another one")
    elif validity.renewal_due(end, seen.now):
        warnings.append(f"its certificate ends on {end[:10]}: declare another one before that day")
    if changes and not covers(found["names"], spec.host):
        warnings.append(
            f"its certificate is for {_listed(found['names'])}, so that clients with sslmode=verify-full refuse it as"
            f" that of {spec.host}: give base_domain or address, so that the host is one of its names"
        )
    if changes and contents[AUTHORITY] is None and len(pem.split(sure(contents[CERTIFICATE]).decode("ascii"))) == 1:
        warnings.append(
            "tls_certificate is the server's own alone, and there is no tls_ca: clients that verify need those between"
            " it and an authority that they know. Give the whole chain"
        )
    return Certification(
        step=Certificate(summary + why, contents) if changes else None,
        first=Certificate(summary, contents),
        own=_shown(found, contents[AUTHORITY]),
        verifiable=contents[AUTHORITY] is not None and not validity.ended(end, seen.now),
        warnings=tuple(warnings),
    )


def _shown(found: Mapping[str, Any], authority: bytes | None) -> dict[str, Any]:
    authorities = pem.fingerprints(authority.decode("ascii", "replace")) if authority else []
    return {**{key: found[key] for key in ("subject", "names", "not_after", "fingerprint")}, "authority": authorities}


def installed(seen: Observed) -> dict[str, Any] | None:
    """Return the facts of a certificate of one's own that is there, as `own` has them; None where there is none."""
    found = seen.certificate
    if found is None or found["ours"]:
        return None
    authority = seen.files.get(AUTHORITY)
    return _shown(found, authority.content if authority else None)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "no name"


def covers(names: Sequence[str], host: str) -> bool:
    """Say whether a certificate for those names is one for a host, as libpq compares them.

    https://www.postgresql.org/docs/current/libpq-ssl.html#LIBQ-SSL-CERTIFICATES
    """
    try:
        wanted = ipaddress.ip_address(host)
    except ValueError:
        lowered = [name.lower() for name in names]
        parent = host.lower().partition(".")[2]
        return host.lower() in lowered or bool(parent and f"*.{parent}" in lowered)
    return any(_is_address(name, wanted) for name in names)


def _is_address(name: str, wanted: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ipaddress.ip_address(name) == wanted
    except ValueError:
        return False
