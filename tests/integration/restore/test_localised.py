# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, clients and a C library that speak no English: nothing is decided by their words.

What PostgreSQL can say is in its programs: all of it is translated into a language of nobody's, so that no catalog of
messages has to be fetched. THOROUGH takes Debian's catalogs, too.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import OTHER_MAJOR_IMAGE, THOROUGH, Failed, Host, docker, eventually, verbs
from restoring import in_container, run, take

MAJOR = 17
# The domain of messages of each program.
PROGRAMS = {"postgres": "postgres", "psql": "psql", "pg_dump": "pg_dump", "pg_restore": "pg_dump", "initdb": "initdb"}
_DIRECTIVE = re.compile(r"%(?:\d+\$)?[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|z|t|q|j)?[a-zA-Z%]")
_OURS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "éçđëφğħíĵķłμñøπχřšţúνώξýžα" + "ÉÇĐËΦĞĦÍĴĶŁΜÑØΠΧŘŠŢÚΝΏΞÝŽΑ"
)
# In the debian image, with the languages that are tried.
DEBIAN = """FROM {image}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends locales && cd /tmp \\
  && apt-get download -qq postgresql-{major} postgresql-client-{major} libpq5 libc-l10n \\
  && for package in *.deb; do dpkg-deb -x $package /tmp/x; done && cp -r /tmp/x/usr/share/locale /usr/share/ \\
  && rm -rf /tmp/x *.deb /var/lib/apt/lists/* && for one in {languages}; do \\
     localedef -i $one -c -f UTF-8 -A /usr/share/locale/locale.alias $one.UTF-8; done
ENV LANG={language}.utf8
"""
LANGUAGES = ("de_DE", "ja_JP", "fr_FR")


def translated(text: str) -> str:
    """A message in the language of nobody's: what a program puts in stays."""
    parts, position = [], 0
    for match in _DIRECTIVE.finditer(text):
        parts += [text[position : match.start()].translate(_OURS), match.group()]
        position = match.end()
    return "".join([*parts, text[position:].translate(_OURS)])


def catalog(messages: set[str]) -> bytes:
    """A catalog as msgfmt writes it. https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html"""
    entries = [("", "Content-Type: text/plain; charset=UTF-8\n"), *((one, translated(one)) for one in sorted(messages))]
    pairs = sorted((original.encode(), translation.encode()) for original, translation in entries)
    tables, texts, start = [b"", b""], b"", 28 + 16 * len(pairs)
    for which in (0, 1):
        for pair in pairs:
            tables[which] += struct.pack("<II", len(pair[which]), start + len(texts))
            texts += pair[which] + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start)
    return header + tables[0] + tables[1] + texts


def messages_in(program: bytes) -> set[str]:
    found = re.findall(rb"(?<=\0)[\x20-\x7e\t\n]{4,2000}(?=\0)", program)
    return {text.decode() for text in found if re.search(rb"[A-Za-z]{3}", text)}


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Iterator[str]:
    """An image whose programs say everything in the language of nobody's."""
    files, tag = tmp_path_factory.mktemp("messages"), f"vellaric-test/nobodys:{os.getpid()}"
    container = docker("create", OTHER_MAJOR_IMAGE)
    domains: dict[str, set[str]] = {"libc": {os.strerror(number) for number in range(1, 134)}}
    for program, domain in PROGRAMS.items():
        docker("cp", f"{container}:/usr/lib/postgresql/{MAJOR}/bin/{program}", f"{files}/{program}")
        domains.setdefault(f"{domain}-{MAJOR}", set()).update(messages_in((files / program).read_bytes()))
        (files / program).unlink()
    library = f"/usr/lib/{os.uname().machine}-linux-gnu/libpq.so.5"
    docker("cp", "-L", f"{container}:{library}", f"{files}/libpq")
    domains[f"libpq5-{MAJOR}"] = messages_in((files / "libpq").read_bytes())
    (files / "libpq").unlink()
    there = files / "en_US" / "LC_MESSAGES"
    there.mkdir(parents=True)
    for domain, messages in domains.items():
        (there / f"{domain}.mo").write_bytes(catalog(messages))
    subprocess.run(["chmod", "-R", "a+rX", str(files)], check=True)
    docker("cp", f"{files}/.", f"{container}:/usr/share/locale/")
    docker("commit", container, tag)
    docker("rm", container)
    yield tag
    docker("rmi", "-f", tag, check=False)


def walk(host: Host, image: str, short: str) -> None:
    """Create, again, settings that are refused, a new password, backup, verification, restore, bad dumps, a look."""
    container, other = host.container(short), "Another-Battery_Horse7"
    assert verbs(host.run(short, image=image)) and not host.run(short, image=image)["changed"]
    said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    assert "database system is ready" not in said.stdout + said.stderr
    for settings, name in (({"work_mem": "much"}, "work_mem"), ({"nonsuch": "1"}, "nonsuch")):
        assert name in host.refused(short, image=image, settings=settings)
    assert not host.run(short, image=image)["changed"]
    assert "extension" in host.refused(short, image=image, extensions=["nonsuch"])
    assert host.run(short, image=image, password=other)["changed"]
    assert not host.run(short, image=image, password=other)["changed"]
    host.query(short, "CREATE TABLE kept AS SELECT 1 AS a; CREATE INDEX ON kept (abs(a))", password=other)
    of = {"data_root": host.data_root, "backup_root": host.defaults["backup_root"], "environment": host.environment}
    backup = take(host, short)
    verified = host._result("postgres_db_backup", {**of, "name": host.name(short), "state": "verified"})
    assert verified["backup"]["verified"]
    # Somebody else's table in the way of a backup, and a row's.
    with host.connect(short, password=other, autocommit=False) as holder:
        holder.execute("LOCK TABLE kept IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Exception, match="lock_timeout"):
            take(host, short, lock_timeout=1)
    run(host, short, backup=backup.file_name, backup_first=False, keep_old=0)
    for text, words in BAD:
        path = Path(host.root, "bad.sql")
        path.write_text(text)
        with pytest.raises(Failed) as failure:
            run(host, short, module="postgres_db_import", path=str(path), replace=True, backup_first=False, keep_old=0)
        assert words in failure.value.message, failure.value.message
    assert host.query(short, "TABLE kept", password=other) == [(1,)]
    found = host.info(name=host.name(short), gather=["statistics", "findings", "settings"])[0]
    assert found["status"] == "active" and not found.get("missing"), found.get("missing")
    assert host.run(short, image=image, password=other, state="restarted")["changed"]
    docker("kill", "-s", "KILL", container)
    assert host.run(short, image=image, password=other)["changed"]
    # A database that somebody dropped is made again.
    in_container(container, "psql", "-XAtqc", f'DROP DATABASE "{host.name(short)}"')
    assert host.run(short, image=image, password=other)["changed"]


BAD = [
    ("CREATE TABLE a (i integer);\nCREATE EXTENSION dblink;\n", "extensions: [dblink]"),
    ("CREATE TABLE a (i integer);\nCREATE EXTENSION nonsuch;\n", "does not have"),
    ("CREATE TABLE a (i integer);\nCREATE POLICY p ON a TO somebody;\n", "roles: ['somebody']"),
    ("CREATE TYPE t;\nCREATE TABLE a (i t);\n", "which only a superuser may make"),
    ("CREATE TABLE a (i integer);\nSELECT 1 / 0;\n", "line 2"),
    ("INSERT INTO a VALUES (1);\n", "creates no table"),
]


@pytest.mark.skipif(not THOROUGH, reason="takes half a minute: VELLARIC_TEST_THOROUGH=1")
def test_a_server_that_speaks_the_language_of_nobody(host, image):
    walk(host, image, "a")


# What somebody has done by hand, and what is found of it.
BY_HAND = """CREATE TABLE twice (id integer); INSERT INTO twice VALUES (1), (1);
SELECT pg_create_physical_replication_slot('lost', true); ALTER SYSTEM SET work_mem = '6MB';
UPDATE pg_database SET datcollversion = '2.28' WHERE datname = current_database();
SELECT pg_reload_conf(); SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000));
CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id);
"""
FOUND = {"invalid_index", "retained_wal", "collation_mismatch", "set_by_hand", "idle_transaction"}


def test_one_that_somebody_made_is_taken_over_and_looked_at(host, image):
    """Nothing of an adoption, of the findings of `check` or of a diagnosis is decided by the server's words."""
    container, database = host.container("a"), host.name("a")
    given = {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "old-one", "POSTGRES_DB": database}
    data = ["-v", f"{host.root}/theirs:/var/lib/postgresql/data"]
    docker("run", "-d", "--name", container, *data, *(f"-e{key}={value}" for key, value in given.items()), image)
    command = ("psql", "-XAtq", "-h", "127.0.0.1", "-U", "shop", "-d", database)
    eventually(lambda: in_container(container, *command, "-c", "SELECT 1", check=False) == b"1\n", 180)
    in_container(container, *command, text="CREATE TABLE kept AS SELECT 1 AS a; CREATE ROLE helper LOGIN SUPERUSER;")
    options = {"adopt": True, "image": image, "username": "shop"}
    assert "work_mem" in host.refused("a", settings={"work_mem": "much"}, **options)
    predicted, taken = host.check("a", **options), host.run("a", **options)
    assert verbs(predicted) == verbs(taken) and "adopt" in verbs(taken)
    assert not host.run("a", image=image, username="shop")["changed"]
    with host.connect("a", user="shop", autocommit=False) as idle:
        assert idle.execute("TABLE kept").fetchall() == [(1,)]
        in_container(container, "psql", "-XAtq", "-d", database, text=BY_HAND)
        thresholds = {"idle_transaction_seconds": 0, "retained_wal_bytes": 50000}
        found = host.info(name=database, gather=["findings"], thresholds=thresholds)[0]
        assert FOUND <= {one["code"] for one in found["findings"]}, found
    # What was set by hand is what is declared here, and is repaired.
    assert "work_mem" in str(host.run("a", image=image, username="shop", settings={"work_mem": "8MB"})["actions"])
    of = {"data_root": host.data_root, "environment": host.environment, "name": database}
    diagnosis = host._result("postgres_db_diagnosis", {**of, "password": "another-one-altogether"})
    assert diagnosis["cause"] == "password", diagnosis["verdict"]
    in_container(container, "psql", "-XAtqc", "ALTER ROLE shop NOLOGIN")
    diagnosis = host._result("postgres_db_diagnosis", {**of, "password": host.defaults["password"]})
    assert diagnosis["cause"] == "role", diagnosis["verdict"]


@pytest.mark.skipif(not THOROUGH, reason="Debian's catalogs are fetched for it")
@pytest.mark.parametrize("language", LANGUAGES)
def test_servers_that_speak_other_languages(host, tmp_path, language):
    tag = f"vellaric-test/localised-{language.lower()}:{os.getpid()}"
    text = DEBIAN.format(image=OTHER_MAJOR_IMAGE, major=MAJOR, languages=" ".join(LANGUAGES), language=language)
    (tmp_path / "Dockerfile").write_text(text)
    docker("build", "--network=host", "-q", "-t", tag, str(tmp_path))
    try:
        walk(host, tag, "a")
    finally:
        host.close()
        docker("rmi", "-f", tag, check=False)
