# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that keep clients off: addresses, logins, credentials, certificates."""

from __future__ import annotations

import contextlib
import datetime
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import harness
from ansible_collections.vellaric.postgres.plugins.module_utils._host import tls
from causing import DOMAIN, FEW_CONNECTIONS, Place, fault
from cryptography import x509

# Connections are refused


@fault("Connections are refused", "`ALTER SYSTEM SET listen_addresses`", "reach", "vellaric.postgres.create")
def listens_elsewhere(place: Place) -> Iterator[None]:
    place.sql("ALTER SYSTEM SET listen_addresses = '127.0.0.1'")
    harness.docker("restart", place.container)
    harness.eventually(lambda: "1" in _psql(place, "SELECT 1"), 30)
    yield
    place.sql("ALTER SYSTEM RESET listen_addresses")
    harness.docker("restart", place.container)


def _psql(place: Place, statement: str) -> str:
    return harness.docker("exec", "-u", "postgres", place.container, "psql", "-XAtqc", statement, check=False)


@fault("Connections are refused", "all connections are taken", "slots", "max_connections", often=True)
def no_free_connection(place: Place) -> Iterator[None]:
    with contextlib.ExitStack() as open_ones:
        with contextlib.suppress(harness.psycopg.OperationalError):
            for _turn in range(FEW_CONNECTIONS):
                open_ones.enter_context(place.host.connect(place.short))
        yield


@fault("Connections are refused", "a limit for the database", "database", "CONNECTION LIMIT -1")
def limited(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    with place.host.connect(place.short):
        place.sql(f'ALTER DATABASE "{name}" CONNECTION LIMIT 1')
        yield
    place.sql(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')


@fault("Connections are refused", "the database was closed", "database", "ALLOW_CONNECTIONS true", often=True)
def closed(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    yield
    place.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@fault("Connections are refused", "the database was renamed", "database", "RENAME TO")
def renamed(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" RENAME TO elsewhere')
    yield
    place.sql(f'ALTER DATABASE elsewhere RENAME TO "{name}"')


# Logins are refused


@fault("Logins are refused", "the clients' network is not trusted", "admitted", "database_trusted_sources")
def not_trusted(place: Place) -> Iterator[None]:
    place.declare(trusted_sources=["192.0.2.0/24"])
    yield
    place.declare(trusted_sources=["0.0.0.0/0", "::/0"])


@fault("Logins are refused", "the password was changed in the server", "password", "vellaric.postgres")
def other_password(place: Place) -> Iterator[None]:
    place.sql(f"ALTER ROLE {harness.USERNAME} PASSWORD 'Another-Secret_1234'")
    yield
    place.declare()


@fault("Logins are refused", "`ALTER ROLE ... NOLOGIN`", "role", "vellaric.postgres.create")
def no_login(place: Place) -> Iterator[None]:
    place.sql(f"ALTER ROLE {harness.USERNAME} NOLOGIN")
    yield
    place.sql(f"ALTER ROLE {harness.USERNAME} LOGIN")


@fault("Logins are refused", "`ALTER ROLE ... VALID UNTIL`, in the past", "role", "vellaric.postgres.create")
def expired_role(place: Place) -> Iterator[None]:
    place.sql(f"ALTER ROLE {harness.USERNAME} VALID UNTIL '2020-01-01'")
    yield
    place.sql(f"ALTER ROLE {harness.USERNAME} VALID UNTIL 'infinity'")


@fault("Logins are refused", "the role was renamed", "role", "vellaric.postgres.create")
def role_gone(place: Place) -> Iterator[None]:
    # Its verifier goes with its name: SCRAM does not depend on it.
    place.sql(f"ALTER ROLE {harness.USERNAME} RENAME TO somebody")
    yield
    place.sql(f"ALTER ROLE somebody RENAME TO {harness.USERNAME}")


@fault("Logins are refused", "the database belongs to another role", "privileges", "vellaric.postgres.create")
def other_owner(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" OWNER TO postgres')
    yield
    place.sql(f'ALTER DATABASE "{name}" OWNER TO {harness.USERNAME}')


@fault("Logins are refused", "it is set to be read-only", "writable", "RESET default_transaction_read_only")
def read_only(place: Place) -> Iterator[None]:
    name = place.host.name(place.short)
    place.sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    yield
    place.sql(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


# Credentials are lost


@fault("Credentials are lost", "nothing is stored for it", "credentials", "database_rotate_lost=true")
def lost_credentials(place: Place) -> Iterator[None]:
    place.ask = {"password": None, "password_lost": True, "password_error": "it has no stored credentials"}
    yield


# Its certificate is refused


@contextlib.contextmanager
def _certificate(place: Place, days: int, *names: str) -> Iterator[None]:
    """Have the server show a certificate of its own authority's that ends so many days from now."""
    directory, authority = place.directory / "tls", Path(place.host.data_root, ".tls")
    kept = {name: (directory / name).read_bytes() for name in ("server.crt", "server.key")}
    pems = ((authority / "ca.crt").read_bytes(), (authority / "ca.key").read_bytes())
    certificate, key = _signed(pems, days, names)
    try:
        (directory / "server.crt").write_bytes(certificate)
        (directory / "server.key").write_bytes(key)
        place.sql("SELECT pg_reload_conf()")
        time.sleep(0.5)
        yield
    finally:
        for name, content in kept.items():
            (directory / name).write_bytes(content)
        place.sql("SELECT pg_reload_conf()")


def _signed(pems: tuple[bytes, bytes], days: int, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    issuer = x509.load_pem_x509_certificate(pems[0])
    issuer_key = serialization.load_pem_private_key(pems[1], password=None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, names[0])]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM), private


@fault("Its certificate is refused", "it has expired", "certificate", "vellaric.postgres.create")
def certificate_ended(place: Place) -> Iterator[None]:
    with _certificate(place, -1, DOMAIN):
        yield


@fault("Its certificate is refused", "it is for another name", "certificate", "vellaric.postgres.create")
def certificate_of_another(place: Place) -> Iterator[None]:
    with _certificate(place, 300, "other.example.com"):
        yield


@fault("Its certificate is refused", "clients have another CA certificate", "certificate", "vellaric.postgres.create")
def other_authority(place: Place) -> Iterator[None]:
    public = Path("/var/vellaric/certificates", f"{place.container}.crt")
    kept = public.read_bytes()
    with tempfile.TemporaryDirectory() as root:
        public.write_bytes(tls.authority(root)[0])
    yield
    public.write_bytes(kept)


@fault("Its certificate is refused", "it expires in three days", "certificate", "vellaric.postgres.create", "warns")
def certificate_ends(place: Place) -> Iterator[None]:
    with _certificate(place, 3, DOMAIN):
        yield


@fault("Its certificate is refused", "`ALTER SYSTEM SET ssl = off`", "tls", "vellaric.postgres.create", often=True)
def tls_off(place: Place) -> Iterator[None]:
    place.sql("ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()")
    harness.eventually(lambda: _psql(place, "SHOW ssl") == "off")
    yield
    place.sql("ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()")
