# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of one's own: clients get it without an interruption, and the key is nowhere to be seen."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host import tls
from ansible_collections.vellaric.postgres.tests.unit import certificates
from harness import derived_image, docker, playbook, verbs

DOMAIN = "db.example.com"
ADDRESS = {"address": DOMAIN}


@pytest.fixture(scope="module")
def root():
    return certificates.authority()


@pytest.fixture(scope="module")
def pair(root):
    return certificates.server(root, (DOMAIN, "127.0.0.1"))


@pytest.fixture(scope="module")
def living(shared):
    shared.run("living", **ADDRESS)
    return "living"


def options(pair, root=None, **more):
    tls = {"tls_certificate": pair.certificate, "tls_key": pair.key, "tls_ca": root and root.certificate}
    return {**ADDRESS, **tls, **more}


def verifies(shared, living, authority, directory, host=DOMAIN, **more):
    """Connect as a client that verifies everything, with that authority's certificate."""
    path = Path(directory, "client-ca.crt")
    path.write_text(authority)
    options = {"host": host, "hostaddr": "127.0.0.1", "sslmode": "verify-full", "sslrootcert": str(path)}
    return shared.query(living, "SELECT 1", **options, **more) == [(1,)]


def test_installed_and_taken_back_while_clients_stay_connected(shared, living, root, pair, tmp_path):
    ours = shared.one(living)
    assert ours["certificate"]["own"] is False
    assert verifies(shared, living, ours["ca_certificate"], tmp_path)
    with shared.connect(living, sslmode="require") as client:
        answer = shared.converge(living, **options(pair, root))
        assert [(step["verb"], step["impact"]) for step in answer["actions"]] == [
            ("write_record", "none"),
            ("certificate", "none"),
            ("reload", "none"),
        ]
        row = shared.one(living)
        assert row["ca_certificate"] == root.certificate == Path(row["ca_file"]).read_text()
        assert row["certificate"] == answer["database"]["certificate"]
        assert (row["certificate"]["own"], row["certificate"]["fingerprint"]) == (True, pair.fingerprint)
        assert row["certificate"]["names"] == ["127.0.0.1", DOMAIN]
        assert verifies(shared, living, row["ca_certificate"], tmp_path)
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            verifies(shared, living, ours["ca_certificate"], tmp_path)
        key = shared.directory(living) / "tls" / "server.key"
        assert (stat.S_IMODE(key.stat().st_mode), key.stat().st_uid) == (0o600, 999)
        back = shared.converge(living, **ADDRESS)
        assert verbs(back) == ["write_record", "certificate", "reload"]
        assert verifies(shared, living, ours["ca_certificate"], tmp_path)
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_renewed(shared, living, root, pair, tmp_path):
    shared.run(living, **options(pair, root))
    other = certificates.server(root, (DOMAIN,), bits=2048)
    answer = shared.converge(living, **options(other, root))
    assert verbs(answer) == ["write_record", "certificate", "reload"]
    fingerprints = [answer["diff"][side]["certificate"]["fingerprint"] for side in ("before", "after")]
    assert fingerprints == [pair.fingerprint, other.fingerprint]
    assert verifies(shared, living, root.certificate, tmp_path)
    shared.run(living, **ADDRESS)


def test_a_partial_run_keeps_it(shared, living, root, pair, tmp_path):
    shared.run(living, **options(pair, root))
    answer = shared.converge(living, partial=True, settings={"work_mem": "8MB"})
    assert verbs(answer) == ["write_record", "write_files", "reload"]
    assert shared.one(living)["certificate"]["fingerprint"] == pair.fingerprint
    assert verbs(shared.converge(living, partial=True, password="Another-Password_7777"))[-1] == "prove_login"
    assert verifies(shared, living, root.certificate, tmp_path, password="Another-Password_7777")
    assert verbs(shared.run(living, partial=True, tls_certificate=""))[:2] == ["write_record", "certificate"]
    assert shared.one(living)["certificate"]["own"] is False
    shared.run(living, **ADDRESS)


def test_of_an_authority_that_only_clients_know(shared, living, root, tmp_path):
    """As those of public authorities are: the login is proved all the same."""
    between = certificates.authority("Example Issuing CA", root)
    pair = certificates.server(between, (DOMAIN,))
    chain = {"tls_certificate": pair.certificate + between.certificate}
    shared.converge(living, **{**options(pair), **chain, "password": "Another-Password_7777"})
    row = shared.one(living)
    assert (row["ca_file"], row["ca_certificate"]) == (None, None)
    target = {"host": DOMAIN, "hostaddr": "127.0.0.1", "sslmode": "verify-full", "password": "Another-Password_7777"}
    (tmp_path / "known.crt").write_text(root.certificate)
    assert shared.query(living, "SELECT 1", sslrootcert=str(tmp_path / "known.crt"), **target) == [(1,)]
    shared.converge(living, **ADDRESS)


def test_with_a_new_database_and_a_new_container(host, root, pair, tmp_path):
    answer = host.converge("a", **options(pair, root, sslmode="verify-full"))
    assert verbs(answer)[-1] == "prove_login"
    assert verifies(host, "a", root.certificate, tmp_path)
    host.converge("a", **options(pair, root, sslmode="verify-full", shm_size="64m"))
    assert verifies(host, "a", root.certificate, tmp_path)
    # What lies in the trash keeps it.
    host.run("a", state="absent")
    host.run("a", state="undeleted")
    assert verifies(host, "a", root.certificate, tmp_path)


def test_what_somebody_changed_is_put_right(shared, living, root, pair, tmp_path):
    shared.run(living, **options(pair, root))
    directory = shared.directory(living) / "tls"
    for name in ("server.crt", "server.key", "ca.crt"):
        (directory / name).write_text("damaged\n")
        assert verbs(shared.converge(living, **options(pair, root))) == ["certificate", "reload"]
    os.chmod(directory / "server.key", 0o644)
    assert verbs(shared.converge(living, partial=True)) == ["certificate", "reload"]
    assert verifies(shared, living, root.certificate, tmp_path)
    (directory / "server.crt").unlink()
    assert "give tls_certificate and tls_key too" in shared.refused(living, partial=True, memory="1g")
    shared.run(living, **ADDRESS)


def test_what_cannot_be_used_changes_nothing(shared, living, root, pair):
    before = {path: path.read_bytes() for path in shared.directory(living).glob("*/*.*")}
    record = shared.record(living)
    ended = certificates.server(root, (DOMAIN,), begins=-10, days=5)
    elsewhere = certificates.server(certificates.authority("Another CA"), (DOMAIN,))
    other_host = certificates.server(root, ("other.example.com",))
    wrong = [
        (options(pair, root, tls_key=None), "tls_certificate is given without tls_key"),
        (options(pair, root, tls_key=ended.key), "tls_key is not the key"),
        (options(ended, root), "tls_certificate ended on"),
        (options(elsewhere, root), "does not lead to tls_ca"),
        (options(other_host, root, sslmode="verify-full"), "is for other.example.com"),
        (options(pair, root, tls_certificate="/etc/ssl/server.crt"), "has no certificate in PEM"),
    ]
    for given, message in wrong:
        for check in (True, False):
            said = shared.refused(living, check=check, **given)
            assert message in said and pair.key.splitlines()[1] not in said
    assert {path: path.read_bytes() for path in shared.directory(living).glob("*/*.*")} == before
    assert shared.record(living) == record
    assert shared.run(living, **ADDRESS)["actions"] == []


def test_what_the_server_does_not_take_is_put_back(host, root, pair, image_tag, tmp_path):
    """OpenSSL in the image may be stricter than that of the host: here it takes no RSA key of less than 3072 bits."""
    strict = "openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nCipherString=DEFAULT:@SECLEVEL=3\n"
    derived_image(image_tag, "ENV OPENSSL_CONF=/etc/vellaric/openssl.cnf")
    declared = {"image": image_tag, "settings": {"ssl_dh_params_file": "/etc/vellaric/dh.pem"}}
    host.run("a", image=image_tag, **ADDRESS)
    group = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe3072"]
    parameters = subprocess.run(group, capture_output=True, text=True, check=True).stdout
    for name, text in (("openssl.cnf", strict), ("dh.pem", parameters)):
        path = host.directory("a") / name
        path.write_text(text)
        path.chmod(0o644)
    host.run("a", **declared, **ADDRESS)
    host.run("a", state="restarted")
    ours = host.one("a")
    weak = certificates.server(None, (DOMAIN,), bits=2048)
    message = host.refused("a", **declared, **options(weak))
    assert "does not take the certificate" in message and "was put back and serves" in message
    assert "too small" in message
    assert host.one("a")["certificate"] == ours["certificate"]
    assert verifies(host, "a", ours["ca_certificate"], tmp_path)
    assert host.run("a", **declared, **ADDRESS)["actions"] == []
    # So it ends with a restart and with a new container.
    more = {"settings": {**declared["settings"], "max_connections": 50}}
    for change in (more, {"shm_size": "64m"}):
        assert "was put back and serves" in host.refused("a", **{**declared, **change}, **options(weak))
        assert host.run("a", **declared, **ADDRESS)["actions"] == []
    assert verifies(host, "a", ours["ca_certificate"], tmp_path)
    # The image is removed before the host is.
    host.forget("a")


def test_the_key_is_nowhere_to_be_seen(shared, living, root, pair):
    secret = pair.key.splitlines()[1]
    outputs = []
    for check in ((), ("--check",)):
        arguments = shared.arguments(living, **options(pair, root))
        given = {key: value for key, value in arguments.items() if not key.startswith("_")}
        answer, output = playbook(shared, "vellaric.postgres.postgres_db", given, "-vvv", "--diff", *check)
        outputs += [str(answer), output]
    outputs += [docker("inspect", shared.container(living)), docker("logs", shared.container(living))]
    outputs += [str(shared.info()), (shared.directory(living) / "database.json").read_text()]
    assert not [output for output in outputs if secret in output]
    assert pair.fingerprint in outputs[-1]
    holding = [p for p in Path(shared.data_root).rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    assert holding == [shared.directory(living) / "tls" / "server.key"]
    shared.run(living, **ADDRESS)


def test_the_authority_is_renewed_before_it_ends(host, tmp_path):
    """With one that ends in a year, as after nine years: first by one database's run, then by the other's."""
    soon = certificates.authority("vellaric.postgres on this host", days=365)
    for short in ("a", "b"):
        host.run(short)
        names = host.one(short)["certificate"]["names"]
        pair = tls.server_certificate((soon.certificate.encode(), soon.key.encode()), host.container(short), names)
        for name, content in zip(("ca.crt", "server.crt", "server.key"), (soon.certificate.encode(), *pair)):
            (host.directory(short) / "tls" / name).write_bytes(content)
    for name, content in (("ca.crt", soon.certificate), ("ca.key", soon.key)):
        Path(host.data_root, ".tls", name).write_text(content)
    for short, reason in (("a", "ends on"), ("b", "has been renewed")):
        answer = host.run(short)
        assert verbs(answer) == ["certificate", "reload"]
        assert reason in answer["actions"][0]["summary"]
        assert "need the new one by" in str(answer["warnings"])
        renewed = host.one(short)["ca_certificate"]
        assert renewed != soon.certificate
        for authority in (soon.certificate, renewed):
            assert verifies(host, short, authority, tmp_path, host="127.0.0.1")
        assert host.run(short)["actions"] == []
