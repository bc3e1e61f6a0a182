# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client needs of the network, of TLS and of who is let in, from the host and from elsewhere. Pure."""

from __future__ import annotations

import json

from .._findings.finding import days, seconds_between
from .judgement import Check, Outcome, fails, holds, unknown, warns
from .nouns import ClientFacts, Facts

_ENDING_DAYS = 21
# https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_NOT_YET, _ENDED = 9, 10
_OTHER_NAME = (62, 64)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_NOT_LET_IN, _WRONG_PASSWORD, _NO_DATABASE = "28000", "28P01", "3D000"
_NO_PRIVILEGE, _TOO_MANY, _CLOSED = "42501", "53300", "55000"


def sql(facts: Facts, statement: str) -> str:
    """Return the command that runs a statement as the superuser."""
    return f"docker exec -u postgres {facts.subject.container} psql -c '{statement}'"


def trusting(*networks: str) -> str:
    """Return what is declared so that a network of the client's, which the reader has to fill in, is let in, too."""
    return json.dumps({"database_trusted_sources": [*networks, "NETWORK"]})


def _reach(facts: Facts) -> Outcome | None:
    met, port = facts.attempt, facts.port
    if port is None or facts.container is None:
        return None
    if met is None:
        return unknown("it has no address that could be connected to from here")
    where = (
        f"{port.address}:{port.port}" if port.port else f"the container's own address ({facts.container.ip_address})"
    )
    if met.network == "reached":
        return holds(f"{where}, from the host itself" + (f", {met.protocol}" if met.protocol else ""))
    seen = f"{where}: {met.words}" + (f"; firewall: {'; '.join(port.blocks)}" if port.blocks else "")
    listens = ((facts.server.answer.get("settings") if facts.server else None) or {}).get("listen_addresses") or {}
    inside = ((facts.server.answer.get("settings") if facts.server else None) or {}).get("port") or {}
    if listens.get("value") not in (None, "*", "0.0.0.0") or inside.get("value") not in (None, "5432"):
        cause = (
            f"In its container, the server listens on {listens.get('value') or 'nothing'}, port {inside.get('value')}"
            f" (set in {listens.get('from')}), but the published port leads to all addresses and port 5432."
        )
        return fails(seen, cause, _put_right(facts))
    if port.rule is False:
        cause = "The engine's firewall rule for the port is missing: something has replaced its rules."
        return fails(
            seen,
            cause,
            "systemctl restart docker, which restores its rules (firewalld or iptables-restore has removed them)",
        )
    if met.network == "silent" and port.blocks:
        cause = "A firewall rule drops packets to the port."
        return fails(seen, cause, "iptables -S DOCKER-USER; iptables -S INPUT: remove the rule, or allow the port")
    causes = {
        "refused": "Nothing listens on the published port.",
        "silent": "The port does not respond: a firewall drops packets, or the server hangs.",
        "closed": "Connections are accepted, and closed at once.",
        "unreachable": "The host has no route to the address that the port is published on.",
    }
    restart = facts.subject.play("restart") if facts.ours else f"docker restart {facts.subject.container}"
    return fails(seen, causes.get(met.network, "It cannot be reached."), restart)


def _put_right(facts: Facts) -> str:
    return facts.create() if facts.ours else "fix its configuration, and restart it"


def _tls(facts: Facts) -> Outcome | None:
    answer = facts.server.answer if facts.server is not None else {}
    setting = (answer.get("settings") or {}).get("ssl") or {}
    met = facts.attempt
    if setting.get("value") == "off" or (met is not None and met.tls is False):
        said = f"ssl = {setting.get('value', 'off')}, by {setting.get('from', 'its configuration')}"
        if not facts.ours:
            return warns(
                said,
                "The server does not offer TLS: connections are not encrypted.",
                _put_right(facts),
            )
        by = "ALTER SYSTEM has switched" if "auto.conf" in str(setting.get("from")) else "Somebody has switched"
        return fails(said, f"{by} TLS off: clients that require it are refused.", _put_right(facts))
    if met is None or met.network != "reached":
        return unknown("no client could connect")
    return holds(met.protocol or "")


def certificate(facts: Facts | ClientFacts, fix: str) -> Outcome | None:
    """Say whether clients that verify the server are content with what it shows."""
    met, shown = facts.attempt, facts.certificate
    if met is None or met.network != "reached" or met.tls is None:
        return unknown("no connection got as far as the certificate")
    if met.tls is False:
        return None
    if facts.authority is None:
        return unknown("the CA that clients trust is not known here")
    seen = f"names {', '.join(shown['names'])}; until {shown['not_after'][:10]}" if shown else "it cannot be read"
    verdict = fails if facts.sslmode == "verify-full" else warns
    if met.untrusted is not None:
        number, words = met.untrusted
        if number == _ENDED:
            return verdict(f"{seen}: {words}", "Its certificate, or that of its CA, has expired.", fix)
        if number == _NOT_YET:
            return verdict(f"{seen}: {words}", "Its certificate is not valid yet: is a clock wrong?", "timedatectl")
        if number in _OTHER_NAME:
            cause = f"Its certificate does not have the name that clients connect to, {facts.host}."
            return verdict(f"{seen}: {words}", cause, fix)
        cause = "Its certificate is not signed by the CA whose certificate clients have."
        return verdict(f"{seen}: {words}", cause, fix)
    left = seconds_between(facts.now, shown["not_after"]) / 86400 if shown else _ENDING_DAYS
    if left < _ENDING_DAYS:
        return warns(seen, f"Its certificate expires in {days(max(left, 0))}.", fix)
    return holds(f"{seen}; as verify-full has it, for {facts.host}")


def _certificate(facts: Facts) -> Outcome | None:
    if not facts.ours:
        return (
            None
            if facts.attempt is None or not facts.attempt.tls
            else unknown("the CA that clients trust is not known here")
        )
    fix = "declare the new one (database_tls_certificate), with " if facts.own_certificate else ""
    judged = certificate(facts, f"{fix}{facts.create()}")
    tls = (facts.shown or {}).get("tls") or {}
    if judged is not None and judged.state == "holds" and tls.get("served") is False:
        cause = "The server still presents another certificate than the one in its directory."
        return warns(judged.evidence, cause, facts.create())
    return judged


def _admitted(facts: Facts) -> Outcome | None:
    fix = sql(facts, "TABLE pg_hba_file_rules")
    if facts.ours:
        networks = (facts.shown or {}).get("trusted_sources") or []
        fix = f"{facts.create()} -e '{trusting(*networks)}'"
    return admitted(facts, fix)


def admitted(facts: Facts | ClientFacts, fix: str) -> Outcome | None:
    """Say whether the server lets a client in from its address, to prove who it is."""
    met = facts.attempt
    if met is None or met.network != "reached":
        return unknown("no client could connect")
    if met.refused is not None and met.refused[0] == _NOT_LET_IN and not met.wanted:
        cause = "pg_hba.conf does not admit clients from that address, or not for that user and database."
        if met.tls is False and facts.sslmode in ("require", "verify-full"):
            cause = "The server requires TLS for that user (pg_hba.conf), but does not offer it."
        return fails(met.refused[1], cause, fix)
    return holds(f"asks for {met.wanted}" if met.wanted else "")


def login(facts: Facts | ClientFacts, fix: str) -> Outcome:
    """Say whether the application logs in, and its connection works."""
    met, subject = facts.attempt, facts.subject
    if met is None or met.network not in ("reached", "closed"):
        return unknown("no client could connect")
    if met.works:
        return holds(f"as {subject.user}, in {subject.database}")
    if met.refused is not None:
        code, words = met.refused
        causes = {
            _WRONG_PASSWORD: "The server's password is not the stored one.",
            _NO_DATABASE: "There is no such database.",
            _NO_PRIVILEGE: "The role may not connect to the database.",
            _TOO_MANY: "There is no free connection for it.",
            _CLOSED: "The database accepts no connections.",
            _NOT_LET_IN: "The role may not log in.",
        }
        return fails(f"{words} ({code})", causes.get(code, "The server refuses the login."), fix)
    if met.untrusted is not None and met.wanted == "SCRAM" and isinstance(facts, ClientFacts):
        return unknown("no password is used with a server whose certificate is not the known one")
    if subject.password is None:
        return unknown(f"its password is not known here: {subject.why_no_password or 'none was given'}")
    if met.wanted is not None and met.wanted != "SCRAM":
        return warns(
            f"it asks for {met.wanted}",
            "The server asks for the password in a form that discloses it: it was not sent.",
            "use scram-sha-256 in pg_hba.conf, and set the password again",
        )
    return fails(met.words, "The login did not complete.", fix)


CHECKS = (
    Check(
        "reach",
        "Clients on the host can connect to it",
        _reach,
        needs=("container", "answers"),
        follows=("port",),
    ),
    Check("tls", "It offers TLS", _tls, needs=("container", "answers")),
    Check(
        "certificate",
        "Clients that verify the server accept its certificate",
        _certificate,
        needs=("reach",),
        follows=("tls",),
    ),
    Check("admitted", "It admits clients from there", _admitted, needs=("reach",), follows=("tls",)),
)


def _client_reach(facts: ClientFacts) -> Outcome:
    met, where = facts.attempt, f"{facts.host}:{facts.port}"
    if met.network == "reached":
        return holds(where + (f", {met.protocol}" if met.protocol else ""))
    local = facts.bind_address in ("127.0.0.1", "::1", "localhost")
    if local and met.network in ("refused", "silent", "unreachable"):
        cause = f"Its port is published on its own host only (bind_address {facts.bind_address}), which is the default."
        fix = facts.subject.change(database_bind_address="0.0.0.0", database_sslmode="require")
        return unknown(f"{cause} For clients elsewhere: {fix}")
    causes = {
        "name": ("The name of the host cannot be resolved here.", f"getent hosts {facts.host}; fix DNS, or /etc/hosts"),
        "refused": ("Nothing listens there, or a firewall rejects it.", f"nc -zv {facts.host} {facts.port}"),
        "silent": (
            "There is no response: a firewall on the way drops the packets.",
            f"nc -zv {facts.host} {facts.port}",
        ),
        "unreachable": ("There is no route to the host.", f"ip route get {facts.host}"),
        "closed": ("The connection is accepted, and closed at once.", facts.subject.play("restart")),
    }
    cause, fix = causes[met.network]
    return fails(f"{where}: {met.words}", cause, fix)


def _client_certificate(facts: ClientFacts) -> Outcome | None:
    return certificate(facts, facts.subject.change())


def _client_admitted(facts: ClientFacts) -> Outcome | None:
    return admitted(facts, f"{facts.subject.change()} -e '{trusting()}'")


def _client_login(facts: ClientFacts) -> Outcome:
    return login(facts, facts.subject.play("rotate"))


CLIENT_CHECKS = (
    Check("client_reach", "This machine can connect to its port", _client_reach),
    Check(
        "client_certificate",
        "A client here that verifies the server accepts its certificate",
        _client_certificate,
        ("client_reach",),
    ),
    Check("client_admitted", "It admits this machine", _client_admitted, needs=("client_reach",)),
    Check(
        "client_login",
        "The application could log in from here",
        _client_login,
        needs=("client_reach",),
        follows=("client_admitted",),
    ),
)
