# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of real pg_dumps, in combinations of what there is to choose: what each is to come to, and what it comes to."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness import Failed, Host, docker, eventually
from restoring import in_container, run

HERE = Path(__file__).parent
IMAGES = {15: "vellaric/postgres:15-bookworm", 17: "vellaric/postgres:17-trixie", 18: "vellaric/postgres:18-forky"}
# The encoding of a database, what it is dumped in (None: that), and a word that it can hold.
ENCODINGS = {
    "UTF8": (None, "Ärger €😀"),
    "UTF8 as LATIN1": ("LATIN1", "Ärger"),
    "LATIN1": (None, "Ärger"),
    "LATIN1 as UTF8": ("UTF8", "Ärger"),
    "EUC_JP": (None, "データベース"),
    "SQL_ASCII": (None, "plain"),
}
# What pg_dump is told, and what of it is told, too, where what came in is compared.
OPTIONS = {
    "": "",
    "-C": "",
    "-c": "",
    "-c --if-exists": "",
    "-C -c": "",
    "--inserts": "",
    "--column-inserts": "",
    "--rows-per-insert=7": "",
    "--inserts --on-conflict-do-nothing": "",
    "--no-owner": "",
    "-x": "",
    "-O -x --no-comments": "--no-comments",
    "--use-set-session-authorization": "",
    "--quote-all-identifiers": "",
    "--load-via-partition-root": "",
    "--disable-triggers": "",
    "--no-toast-compression": "",
    "--no-unlogged-table-data": "--no-unlogged-table-data",
    "--exclude-table-data=everything": "--exclude-table-data=everything",
    "--serializable-deferrable": "",
    "-B": "-B",
    "-s": "-s",
    "--section=pre-data": "--section=pre-data",
    "--section=pre-data --section=data": "--section=pre-data --section=data",
    "-a": None,
    "-a --disable-triggers": None,
    "--section=data": None,
    "--section=post-data": None,
}
# Within an archive, or around all of it.
COMPRESSIONS = {
    "plain": ("none", "around gzip", "around zstd", "around lz4", "around bzip2", "around xz"),
    "custom": ("none", "gzip:9", "zstd", "lz4", "around gzip"),
    "directory": ("none", "gzip:1", "zstd", "lz4"),
    "tar": ("none", "around gzip", "around zstd"),
}
FORMS = [(form, compression) for form, all_of_them in COMPRESSIONS.items() for compression in all_of_them]
# The major version of pg_restore that reads archives of a pg_dump first (K_VERS_MAX in pg_backup_archiver.h).
READS_SINCE = {15: 13, 17: 17, 18: 17}
ENDINGS = {"gzip": "gz", "zstd": "zst", "lz4": "lz4", "bzip2": "bz2", "xz": "xz"}


@dataclasses.dataclass(frozen=True)
class Combination:
    """versions: of the server, of the pg_dump, and of what it goes into."""

    versions: tuple[int, int, int]
    form: tuple[str, str]
    encoding: str
    options: str
    jobs: int

    @property
    def possible(self) -> bool:
        """Whether there is such a dump."""
        server, client, _target = self.versions
        within = self.form[1] in ("zstd", "lz4") and self.form[0] in ("custom", "directory")
        return client >= server and (not within or client >= 16)

    @property
    def refused(self) -> str | None:
        """In which words it is to be refused, or None where it is to come in."""
        server, client, target = self.versions
        if server > target:
            return "a newer server's dump does not go into an older one"
        if self.form[0] != "plain" and READS_SINCE[client] > target:
            return "cannot read"
        return "creates no table" if OPTIONS[self.options] is None else None

    def __str__(self) -> str:
        server, client, target = self.versions
        form = " ".join(self.form)
        return f"{server} by pg_dump {client} into {target}, {form}, {self.encoding}, -j{self.jobs} {self.options}"


def pairs(majors: tuple[int, ...], most: int | None = None) -> list[Combination]:
    """Return combinations in which each two choices meet once, as far as they can; most: the first ones of them."""
    factors = [list(itertools.product(majors, majors, majors)), FORMS, list(ENCODINGS), list(OPTIONS), [1, 2]]
    chance = random.Random(20261130)
    wanted = [
        ((i, one), (j, other))
        for i, j in itertools.combinations(range(len(factors)), 2)
        for one, other in itertools.product(factors[i], factors[j])
    ]
    chance.shuffle(wanted)
    met: set = set()
    chosen: list[Combination] = []
    for pair in wanted:
        if pair in met or (most is not None and len(chosen) >= most):
            continue
        fixed = dict(pair)
        made = [[fixed.get(i, chance.choice(choices)) for i, choices in enumerate(factors)] for _turn in range(40)]
        made = [one for one in made if Combination(*one).possible]
        if made:
            best = max(made, key=lambda one: len(_pairs_of(one) - met))
            met |= _pairs_of(best)
            chosen.append(Combination(*best))
    return chosen


def _pairs_of(chosen: list) -> set:
    return set(itertools.combinations(enumerate(chosen), 2))


class Sources:
    """Servers that nobody here manages, each with a database for each encoding; dumps that were taken of them."""

    def __init__(self, host: Host, images: dict[int, str] | None = None) -> None:
        self._host, self._there, self._made = host, set(), set()
        self._images = images or IMAGES
        self._dumps: dict[tuple, Path] = {}
        self._texts: dict[tuple, str] = {}

    def container(self, major: int) -> str:
        name = f"{self._host.prefix}-source-{major}"
        if major not in self._there:
            self._there.add(major)
            docker("run", "-d", "--name", name, "-e", "POSTGRES_HOST_AUTH_METHOD=trust", self._images[major])
            ready = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-XAtc", "SELECT 1")
            eventually(lambda: in_container(name, *ready, check=False) == b"1\n", 240)
            in_container(name, "psql", "-XAtqc", "CREATE ROLE shop LOGIN")
        return name

    def database(self, major: int, encoding: str) -> str:
        """Make the database of an encoding on a server; return its name."""
        of, name = encoding.split()[0], f"shop-{encoding.split()[0].lower()}"
        if (major, name) not in self._made:
            self._made.add((major, name))
            container = self.container(major)
            made = f"CREATE DATABASE \"{name}\" OWNER shop TEMPLATE template0 ENCODING '{of}' LOCALE 'C'"
            in_container(container, "psql", "-XAtqc", made)
            word = ENCODINGS[of][1] if of in ENCODINGS else "Ärger"
            word = "Ärger" if of == "UTF8" else word
            ours = (HERE / "objects.sql").read_text() + f"CREATE TABLE words AS SELECT '{word}'::text AS word;\n"
            script = f"SET client_encoding = 'UTF8';\nSET ROLE shop;\n{ours}RESET ROLE;\n"
            script += (HERE / "superuser.sql").read_text()
            command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", name]
            in_container(container, *command, text=script)
        return name

    def address(self, major: int) -> str:
        return docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", self.container(major))

    def dump(self, one: Combination) -> Path:
        """Take the dump of a combination; return where it is."""
        key = (one.versions[:2], one.form, one.encoding, one.options)
        if key not in self._dumps:
            self._dumps[key] = self._taken(one, Path(self._host.root, f"dump-{len(self._dumps)}"))
        return self._dumps[key]

    def _taken(self, one: Combination, path: Path) -> Path:
        (server, client, _target), (form, compression) = one.versions, one.form
        database = self.database(server, one.encoding)
        command = ["pg_dump", "-h", self.address(server), "-U", "postgres", "-d", database, *one.options.split()]
        encoding = ENCODINGS[one.encoding][0]
        command += ["-E", encoding] if encoding else []
        if form in ("custom", "directory"):
            inner = "0" if compression.startswith(("none", "around")) else compression
            command += ["-Z", inner.partition(":")[2] if client < 16 and ":" in inner else inner]
        container = self.container(client)
        if form == "directory":
            in_container(container, *command, "-Fd", "-f", "/tmp/dump", "-j", "2")
            docker("cp", f"{container}:/tmp/dump", str(path))
            in_container(container, "rm", "-r", "/tmp/dump")
            return path
        path.write_bytes(in_container(container, *command, {"plain": "-Fp", "custom": "-Fc", "tar": "-Ft"}[form]))
        if not compression.startswith("around"):
            return path
        program = compression.split()[1]
        packed = path.with_suffix(f".{ENDINGS[program]}")
        with path.open("rb") as source, packed.open("wb") as target:
            subprocess.run([program, "-c"], stdin=source, stdout=target, check=True)
        path.unlink()
        return packed

    def text(self, one: Combination) -> str:
        """What the source has, as the target's pg_dump writes it."""
        server, _client, target = one.versions
        database = self.database(server, one.encoding)
        key = (server, database, target, OPTIONS[one.options])
        if key not in self._texts:
            address = self.address(server)
            self._texts[key] = compared(self.container(target), database, one, "-h", address, "-U", "postgres")
        return self._texts[key]


def compared(container: str, database: str, one: Combination, *where: str) -> str:
    """A database as text, but for owners, privileges, and what only a superuser may make."""
    command = [
        "pg_dump",
        "-O",
        "-x",
        "-N",
        "super",
        "--no-publications",
        "--no-subscriptions",
        "-E",
        "UTF8",
        "-d",
        database,
    ]
    options = OPTIONS[one.options].split()
    rows = "-s" not in options and "--section=pre-data" not in options and "-B" not in options
    said = in_container(container, *command, *where, *options, *(["-b"] if rows else [])).decode()
    said = re.sub(r"^(\\(un)?restrict .*|-- Dumped .*|SET .*|SELECT pg_catalog.set_config.*)\n", "", said, flags=re.M)
    said = said.replace("--\n-- PostgreSQL database dump complete\n--\n", "")
    # A server's own among the options of columns, which the pg_dump of another version takes for somebody's.
    said = re.sub(r"(?<=\()pg_attver=\d+(?:, )?|, pg_attver=\d+", "", said)
    said = re.sub(r"^ALTER (?:FOREIGN )?TABLE .* SET \(\);\n", "", said, flags=re.M)
    # What stands in for a view until the last section: pg_dump and the server write it in lines of their own.
    said = re.sub(r"^SELECT\n    (NULL::\w+ AS )", r" SELECT \1", said, flags=re.M)
    entries = re.split(r"(?=^--\n-- (?:Data for )?Name: )", said, flags=re.M)
    if one.versions[0] != one.versions[2]:
        # Each version has its own words for the same query.
        entries = [_QUERIES.sub(r"\1", entry) for entry in entries]
    if options == ["--section=pre-data"]:
        # Large objects are made in this section, or in the next one from 17 on.
        entries = [entry for entry in entries if not _LARGE_OBJECT.match(entry)]
    return "\n".join(entry.strip() for entry in entries if not _SUPERUSERS.match(entry))


_LARGE_OBJECT = re.compile(r"--\n-- Name: (.*; Type: BLOB\b|LARGE OBJECT )")
_QUERIES = re.compile(r"\A(--\n-- Name: [^\n]*; Type: (?:VIEW|MATERIALIZED VIEW|RULE);).*", re.S)
# What belongs to no schema, and is dumped whatever schema is left out.
_KINDS = "CAST|ACCESS METHOD|PROCEDURAL LANGUAGE|LANGUAGE|FOREIGN DATA WRAPPER|EVENT TRIGGER"
_SUPERUSERS = re.compile(rf"--\n-- Name: (.*; Type: ({_KINDS});|({_KINDS}) .*; Type: COMMENT;)")


def comes_to(host: Host, sources: Sources, one: Combination) -> str:
    """Import a dump; return "in" or "refused" where that is right, else what is wrong with it."""
    path = sources.dump(one)
    short = f"into{one.versions[2]}"
    if not host.directory(short).exists():
        host.run(short, image=IMAGES[one.versions[2]])
    given = {"replace": True, "backup_first": False, "keep_old": 0, "jobs": one.jobs}
    try:
        run(host, short, module="postgres_db_import", path=str(path), **given)
    except Failed as failure:
        right = one.refused is not None and one.refused in failure.message
        return "refused" if right else f"refused: {failure.message}"
    if one.refused is not None:
        return f"came in, and was to be refused: {one.refused}"
    here, there = compared(host.container(short), host.name(short), one), sources.text(one)
    return "in" if here == there else f"half: {difference(there, here)}"


def difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "source", "here", n=0, lineterm="")
    return "\n".join(line[:200] for line in itertools.islice(lines, 40))


def tried(host: Host, sources: Sources, chosen: list[Combination], say: Callable[[str], None]) -> dict[str, list]:
    """Try combinations; return those that came to something, by what that is: in, refused, wrong."""
    found: dict[str, list] = {"in": [], "refused": [], "wrong": []}
    for one in chosen:
        what = comes_to(host, sources, one)
        found[what if what in found else "wrong"].append((one, what))
        if what not in found:
            say(f"{one}: {what}")
    return found
