# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of real pg_dumps in each combination of two choices: each comes in whole, or is refused in words.

Some of them always; all of them, and what Debian and PostgreSQL have beside, with `make dump-matrix`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from dump_matrix import IMAGES, Combination, Sources, comes_to, difference, pairs, tried
from harness import OTHER_MAJOR_IMAGE, THOROUGH, Failed, Host, docker
from restoring import in_container, psql, run, take

# Each a kind of load: a stream, an archive by one process, by two, what cannot be read, and what is no whole dump.
SOME = [
    Combination((15, 15, 15), ("plain", "around gzip"), "LATIN1", "-C -c", 1),
    Combination((15, 15, 15), ("directory", "gzip:1"), "UTF8", "", 2),
    Combination((15, 17, 15), ("plain", "none"), "UTF8", "--quote-all-identifiers", 1),
    Combination((15, 15, 15), ("tar", "none"), "LATIN1", "--inserts", 2),
    Combination((15, 17, 15), ("custom", "zstd"), "UTF8", "", 2),
    Combination((15, 15, 15), ("plain", "none"), "UTF8", "-a", 1),
]
thorough = pytest.mark.skipif(not THOROUGH, reason="takes minutes: make dump-matrix")


@pytest.fixture(scope="module")
def sources(shared: Host) -> Sources:
    return Sources(shared)


def test_some_of_the_matrix(shared, sources):
    for one in SOME:
        assert comes_to(shared, sources, one) in ("in", "refused"), str(one)


def test_of_all_databases_at_once(shared, sources):
    """What pg_dumpall writes is named, and what is to be given instead."""
    majors, given = (tuple(IMAGES), ([], ["--globals-only"], ["-c", "--if-exists"])) if THOROUGH else ((15,), ([],))
    for major, options in itertools.product(majors, given):
        container = sources.container(major)
        sources.database(major, "UTF8")
        path = Path(shared.root, "all.sql")
        path.write_bytes(in_container(container, "pg_dumpall", *options))
        if not shared.directory("all").exists():
            shared.run("all")
        with pytest.raises(Failed, match="written by pg_dumpall.*give a dump of one"):
            run(shared, "all", module="postgres_db_import", path=str(path))


@thorough
def test_each_two_choices_of_the_matrix(shared, sources, capsys):
    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    chosen = pairs(tuple(IMAGES))
    found = tried(shared, sources, chosen, say)
    words: dict[str, int] = {}
    for one, _what in found["refused"]:
        words[one.refused] = words.get(one.refused, 0) + 1
    say(f"\n{len(chosen)} dumps: {len(found['in'])} came in whole, {len(found['refused'])} were refused: {words}")
    assert not found["wrong"]


def round_trip(host: Host, short: str) -> None:
    """Back up, prove, restore, in each format; what was dumped before is dumped again after."""
    for form, jobs in (("plain", 1), ("custom", 2), ("directory", 2)):
        # What belonged to a superuser, and may not again, belongs to the owner from the first time on.
        for turn in (1, 2):
            before = text_of(host.container(short), host.name(short))
            backup = take(host, short, format=form)
            run(host, short, backup=backup.file_name, backup_first=False, keep_old=0, jobs=jobs)
        assert difference(before, text_of(host.container(short), host.name(short))) == "", (form, turn)
        of = {"data_root": host.data_root, "backup_root": host.defaults["backup_root"], "environment": host.environment}
        of = {**of, "name": host.name(short), "state": "verified", "backup": backup.file_name, "jobs": jobs}
        assert host._result("postgres_db_backup", of)["backup"]["verified"]


def text_of(container: str, database: str, *options: str) -> str:
    said = in_container(container, "pg_dump", *options, "-d", database).decode()
    return "\n".join(line for line in said.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


# Of one server, what has no part in a dump of a database or wants what is not there.
NOT_TRIED = {"pg_surgery"}


@thorough
@pytest.mark.parametrize("major", IMAGES)
def test_all_contrib_modules(host, major):
    """Each extension of the image with whatever it brings, from a foreign dump and through a backup."""
    host.run("a", image=IMAGES[major])
    found = psql(host.container("a"), "postgres", "SELECT name FROM pg_available_extensions ORDER BY name").split()
    names = [name for name in found if name not in NOT_TRIED]
    container = Sources(host).container(major)
    in_container(container, "psql", "-XAtqc", "CREATE DATABASE contrib")
    script = "".join(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE;\n' for name in names)
    script += USES
    in_container(container, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "contrib", text=script)
    host.run("a", image=IMAGES[major], extensions=names)
    for form in ("p", "c", "t"):
        path = Path(host.root, f"contrib.{form}")
        path.write_bytes(in_container(container, "pg_dump", f"-F{form}", "-d", "contrib"))
        run(host, "a", module="postgres_db_import", path=str(path), replace=True, backup_first=False, keep_old=0)
        options = ("-O", "-x", "--no-comments")
        there, here = text_of(container, "contrib", *options), text_of(host.container("a"), host.name("a"), *options)
        assert difference(there, here) == ""
    round_trip(host, "a")


USES = """CREATE TABLE uses (c citext PRIMARY KEY, h hstore, l ltree, i isbn13, s seg, q cube, a integer[], t text);
INSERT INTO uses SELECT 'Word' || n, hstore('k', n::text), ('a.b' || n)::ltree, NULL, n::text::seg, cube(n), ARRAY[n], n
  FROM generate_series(1, 50) AS n;
CREATE INDEX ON uses USING gin (h); CREATE INDEX ON uses USING gist (l); CREATE INDEX ON uses USING gist (s);
CREATE INDEX ON uses USING gist (q); CREATE INDEX ON uses USING gin (a gin__int_ops);
CREATE INDEX ON uses USING gin (t gin_trgm_ops);
CREATE INDEX ON uses USING gist (t gist_trgm_ops); CREATE INDEX ON uses USING bloom (t);
CREATE INDEX ON uses (soundex(t)); CREATE INDEX ON uses USING gist (ll_to_earth(1, 2)) WHERE t = '';
"""


@pytest.fixture(scope="module")
def postgis(tmp_path_factory) -> Iterator[str]:
    files, tag = tmp_path_factory.mktemp("postgis"), "vellaric-test/postgis:17"
    (files / "Dockerfile").write_text(
        f"FROM {OTHER_MAJOR_IMAGE}\nRUN apt-get update -qq && apt-get install -y -qq --no-install-recommends"
        " postgresql-17-postgis-3 postgresql-17-postgis-3-scripts && rm -rf /var/lib/apt/lists/*\n"
    )
    docker("build", "--network=host", "-q", "-t", tag, str(files))
    yield tag


PLACES = """CREATE EXTENSION postgis; CREATE EXTENSION postgis_topology; CREATE EXTENSION postgis_raster;
CREATE TABLE places (id serial PRIMARY KEY, at geometry(Point, 4326), area geography(Polygon), tile raster);
INSERT INTO places (at, area, tile) SELECT ST_SetSRID(ST_MakePoint(n, n), 4326),
  ST_Buffer(ST_MakePoint(n, n)::geography, 100), ST_AddBand(ST_MakeEmptyRaster(4, 4, n, n, 1), '8BUI'::text, n)
  FROM generate_series(1, 40) AS n;
CREATE INDEX ON places USING gist (at); CREATE INDEX ON places USING gist (area);
CREATE INDEX ON places (ST_GeoHash(at));
INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)
  VALUES (990001, 'ours', 1, 'x', '+proj=longlat');
SELECT topology.CreateTopology('town', 4326); SELECT topology.AddNode('town', 'SRID=4326;POINT(1 1)');
CREATE VIEW near AS SELECT a.id, ST_Distance(a.at, b.at) FROM places AS a, places AS b WHERE ST_DWithin(a.at, b.at, 2);
CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM near;
"""


@thorough
def test_postgis(host, postgis):
    names = ["postgis", "postgis_topology", "postgis_raster"]
    source = Sources(host, {17: postgis}).container(17)
    in_container(source, "psql", "-XAtqc", "CREATE DATABASE gis")
    in_container(source, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "gis", text=PLACES)
    host.run("a", image=postgis, extensions=names)
    count = (
        "SELECT count(*), (SELECT count(*) FROM spatial_ref_sys WHERE srid > 990000), (SELECT count(*) FROM town.node),"
    )
    count += " (SELECT count(*) FROM near), (SELECT count FROM seen), sum(st_area(area)) FROM places"
    wanted = in_container(source, "psql", "-XAtqd", "gis", "-c", count).decode().strip()
    for form in ("p", "c", "t"):
        path = Path(host.root, f"gis.{form}")
        path.write_bytes(in_container(source, "pg_dump", f"-F{form}", "-d", "gis"))
        run(host, "a", module="postgres_db_import", path=str(path), replace=True, backup_first=False, keep_old=0)
        assert psql(host.container("a"), host.name("a"), count) == wanted
    round_trip(host, "a")
    assert psql(host.container("a"), host.name("a"), count) == wanted
    with pytest.raises(Failed, match="only a superuser|declare"):
        host.run("b", image=postgis)
        run(host, "b", module="postgres_db_import", path=str(Path(host.root, "gis.p")))
