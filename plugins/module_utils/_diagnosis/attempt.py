# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of a database, from where this runs: the network, TLS, what the server lets in, and a login.

No library of clients is needed for it. What each step came to is kept, so that it can be said which of them fails.
https://www.postgresql.org/docs/current/protocol-flow.html
"""

from __future__ import annotations

import base64
import dataclasses
import os
import socket
import ssl
import struct
import time

from .._server import wire
from . import exchange

_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_MOST_BYTES = 1 << 20
_INT = struct.Struct("!i")
# What the server wants of a client, by its number. https://www.postgresql.org/docs/current/protocol-message-formats.html
_OK, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 10, 11, 12
_WANTED = {3: "the password in clear", 5: "the password as MD5", _SASL: "SCRAM"}
_WORK = "SELECT 1"


@dataclasses.dataclass(frozen=True)
class Target:
    """What a client is told. host: the name that a certificate has to have; address: where it connects to.

    authority: certificates (PEM) that it trusts; None where it knows none. password: None for up to the login only.
    """

    address: str
    port: int
    host: str
    database: str
    user: str
    password: str | None
    authority: str | None


@dataclasses.dataclass(frozen=True)
class Attempt:
    """What a client met. network: "reached", or why not: "name", "refused", "silent", "unreachable", "closed".

    words: of the operating system. tls: whether the server does. protocol: of TLS. untrusted: (number, words) of
    OpenSSL's where the certificate is not verified, None where it is or none is shown; certificate: as the server
    shows it (DER). wanted: what the server asks for to log in; refused: (SQLSTATE, its words).
    """

    network: str = "reached"
    words: str = ""
    tls: bool | None = None
    protocol: str | None = None
    untrusted: tuple[int, str] | None = None
    certificate: bytes | None = None
    wanted: str | None = None
    refused: tuple[str, str] | None = None
    logged_in: bool = False
    works: bool = False


def attempt(target: Target, seconds: float, careful: bool = False) -> Attempt:
    """Do what a client does, as far as it comes. TLS is used where there is one, also where it cannot be verified.

    careful: nothing is proved to a server that could be verified and is another one. What it is told it could pass on
    to the right one, and be in there.
    """
    deadline = time.monotonic() + seconds
    found = _attempt(target, deadline, verify=target.authority is not None)
    if found.untrusted is None or found.network != "reached":
        return found
    # What else a client that does not verify meets.
    if careful:
        target = dataclasses.replace(target, password=None)
    rest = _attempt(target, time.monotonic() + seconds, verify=False)
    return dataclasses.replace(rest, untrusted=found.untrusted)


def _attempt(target: Target, deadline: float, verify: bool) -> Attempt:
    found = Attempt()
    try:
        with socket.create_connection((target.address, target.port), timeout=_left(deadline)) as plain:
            return _speak(plain, target, deadline, verify)
    except socket.gaierror as error:
        return dataclasses.replace(found, network="name", words=str(error.strerror or error))
    except ConnectionRefusedError as error:
        return dataclasses.replace(found, network="refused", words=error.strerror or "")
    except socket.timeout:
        return dataclasses.replace(found, network="silent", words="nothing came back in time")
    except OSError as error:
        return dataclasses.replace(found, network="unreachable", words=error.strerror or str(error))


def _speak(plain: socket.socket, target: Target, deadline: float, verify: bool) -> Attempt:
    """Go on once the port has taken the connection: what becomes of it then is not the network's any more."""
    try:
        plain.settimeout(_left(deadline))
        plain.sendall(_SSL_REQUEST)
        answer = plain.recv(1)
    except socket.timeout:
        return Attempt(network="silent", words="the connection was taken, and nothing came back in time")
    except OSError as error:
        return Attempt(network="closed", words=error.strerror or str(error))
    if answer == b"N":
        return _log_in(plain, target, deadline, Attempt(tls=False))
    if answer != b"S":
        words = (
            "what answers there does not speak as PostgreSQL does" if answer else "the connection was closed at once"
        )
        return Attempt(network="closed", words=words)
    context = _context(target, verify)
    try:
        with context.wrap_socket(plain, server_hostname=target.host, suppress_ragged_eofs=True) as secured:
            shown = secured.getpeercert(binary_form=True)
            found = Attempt(tls=True, protocol=secured.version(), certificate=shown)
            return _log_in(secured, target, deadline, found)
    except ssl.SSLCertVerificationError as error:
        return Attempt(tls=True, untrusted=(error.verify_code, error.verify_message))
    except socket.timeout:
        return Attempt(network="silent", words="the TLS handshake did not end in time", tls=True)
    except (ssl.SSLError, OSError, ValueError) as error:
        return Attempt(network="closed", words=f"the TLS handshake failed: {error}", tls=True)


def _context(target: Target, verify: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify and target.authority is not None:
        try:
            context.load_verify_locations(cadata=target.authority)
            return context
        except (ssl.SSLError, ValueError):
            # What is no certificate verifies nothing; the check of the file says so.
            pass
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _log_in(stream: socket.socket, target: Target, deadline: float, found: Attempt) -> Attempt:
    try:
        return _talk(stream, target, deadline, found)
    except socket.timeout:
        return dataclasses.replace(found, network="silent", words="the server took the connection, and said no more")
    except (OSError, EOFError) as error:
        return dataclasses.replace(found, network="closed", words=str(error))
    except exchange.Mismatch as error:
        return dataclasses.replace(found, network="closed", words=str(error))
    except (wire.Garbled, struct.error, IndexError, UnicodeError):
        return dataclasses.replace(
            found, network="closed", words="what answers there does not speak as PostgreSQL does"
        )


def _talk(stream: socket.socket, target: Target, deadline: float, found: Attempt) -> Attempt:
    _send(stream, _startup(target), deadline)
    messages, scram = _Messages(stream, deadline), None
    while True:
        kind, body = messages.next()
        if kind == b"E":
            return dataclasses.replace(found, refused=_error(body))
        if kind == b"R":
            wanted = _INT.unpack_from(body)[0]
            if wanted == _OK:
                found = dataclasses.replace(found, logged_in=True)
            elif wanted == _SASL_CONTINUE and scram is not None:
                _send(stream, wire.message(b"p", scram.final(body[4:])), deadline)
            elif wanted == _SASL_FINAL and scram is not None:
                scram.check(body[4:])
            elif wanted not in (_SASL_CONTINUE, _SASL_FINAL):
                found = dataclasses.replace(found, wanted=_WANTED.get(wanted, f"another proof ({wanted})"))
                if wanted != _SASL or target.password is None:
                    # A password goes to no server that might keep it.
                    return found
                scram = exchange.Exchange(target.password, base64.b64encode(os.urandom(18)).decode("ascii"))
                first = scram.first()
                beginning = exchange.MECHANISM.encode() + b"\0" + _INT.pack(len(first)) + first
                _send(stream, wire.message(b"p", beginning), deadline)
        if kind == b"Z":
            if found.works:
                return found
            _send(stream, wire.query(_WORK), deadline)
        if kind == b"D":
            found = dataclasses.replace(found, works=True)


def _startup(target: Target) -> bytes:
    options = {"user": target.user, "database": target.database, "application_name": wire.APPLICATION}
    body = b"".join(part.encode("utf-8") + b"\0" for pair in options.items() for part in pair)
    return wire.message(b"", _INT.pack(wire.PROTOCOL) + body + b"\0")


def _send(stream: socket.socket, data: bytes, deadline: float) -> None:
    stream.settimeout(_left(deadline))
    stream.sendall(data)


def _left(deadline: float) -> float:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise socket.timeout()
    return remaining


class _Messages:
    """The messages of a server, one by one, in bounds of time and size."""

    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._received = 0

    def next(self) -> tuple[bytes, bytes]:
        head = self._read(5)
        length = _INT.unpack_from(head, 1)[0] - _INT.size
        if not 0 <= length <= _MOST_BYTES:
            raise wire.Garbled(f"a message of {length} bytes")
        return head[:1], self._read(length)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            self._stream.settimeout(_left(self._deadline))
            piece = self._stream.recv(count - len(data))
            if not piece:
                raise EOFError("the server closed the connection")
            data += piece
            self._received += len(piece)
            if self._received > _MOST_BYTES:
                raise wire.Garbled("the answer has no end")
        return data


def _error(body: bytes) -> tuple[str, str]:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    return fields.get(b"C", ""), fields.get(b"M", "no message")
