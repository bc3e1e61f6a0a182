# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/connecting.md with the real clients of PyPI and npm, installed for this: thorough only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import THOROUGH, USERNAME

PASSWORD = 'p"a*s`w:o@r/d#%;&+=~!'
PACKAGES = ["python-dotenv", "asyncpg", "sqlalchemy[asyncio]", "psycopg[binary]"]
PROGRAMS = {
    "libpq": "import sys, psycopg; print(psycopg.connect(sys.argv[1]).execute('SELECT user').fetchone()[0])",
    "asyncpg": "import sys, asyncio, asyncpg\n"
    "async def main(): print(await (await asyncpg.connect(sys.argv[1])).fetchval('SELECT user'))\n"
    "asyncio.run(main())",
    "sqlalchemy": "import sys, sqlalchemy as sa\n"
    "print(sa.create_engine(sys.argv[1]).connect().execute(sa.text('SELECT user')).scalar())",
    "sqlalchemy_asyncpg": "import sys, asyncio, sqlalchemy as sa\n"
    "from sqlalchemy.ext.asyncio import create_async_engine\n"
    "async def main():\n  async with create_async_engine(sys.argv[1]).connect() as c:\n"
    "    print((await c.execute(sa.text('SELECT user'))).scalar())\n"
    "asyncio.run(main())",
    "node": "const {Client} = require('pg'); const c = new Client({connectionString: process.argv[1]});"
    "c.connect().then(() => c.query('SELECT user AS u')).then(r => {console.log(r.rows[0].u); return c.end()})",
}
READERS = {
    "python": "import sys, json, dotenv; print(json.dumps(dotenv.dotenv_values(sys.argv[1])))",
    "node": "const d = require('dotenv').config({path: process.argv[1], processEnv: {}, quiet: true});"
    "console.log(JSON.stringify(d.parsed))",
    "expand": "const d = require('dotenv').config({path: process.argv[1], processEnv: {}, quiet: true});"
    "console.log(JSON.stringify(require('dotenv-expand').expand({...d, processEnv: {}}).parsed))",
    "sh": 'set -a; . "$1"; env -0 | tr "\\n\\0" " \\n"',
}

pytestmark = pytest.mark.skipif(not THOROUGH, reason="installs clients: thorough runs only")


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    root = tmp_path_factory.mktemp("clients")
    subprocess.run([sys.executable, "-m", "venv", str(root / "venv")], check=True)
    subprocess.run([str(root / "venv/bin/pip"), "install", "-q", *PACKAGES], check=True)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "dotenv", "dotenv-expand", "pg"], cwd=root, check=True)
    return root


@pytest.fixture(scope="module")
def served(shared):
    for sslmode in ("prefer", "require", "verify-full"):
        shared.run(sslmode, password=PASSWORD, sslmode=sslmode, address="127.0.0.1")
    return shared


def written(shared, sslmode, kind, client):
    path = Path(shared.root, f"{sslmode}-{client}-{kind}")
    given = {"host": "127.0.0.1", "port": shared.record(sslmode)["port"], "database": shared.name(sslmode)}
    given.update(path=str(path), format=kind, username=USERNAME, password=PASSWORD, sslmode=sslmode, client=client)
    if sslmode == "verify-full":
        given["ca_certificate"] = shared.one(sslmode)["ca_certificate"]
    return path, shared._result("postgres_db_connection", given)["ca_file"]


def run(clients, program, argument, kind="python", **environment):
    command = {"python": [str(clients / "venv/bin/python"), "-c"], "node": ["node", "-e"], "sh": ["sh", "-c"]}[kind]
    script = [program, "sh"] if kind == "sh" else [program]
    paths = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "NODE_PATH": str(clients / "node_modules")}
    return subprocess.run(
        [*command, *script, argument],
        env={**paths, **environment},
        cwd=clients,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("sslmode", ["prefer", "require", "verify-full"])
@pytest.mark.parametrize("client", [name for name in PROGRAMS if name != "asyncpg"])
def test_each_client_connects_with_its_form(served, clients, sslmode, client):
    path, ca_file = written(served, sslmode, "url", client)
    authority = {"PGSSLROOTCERT": ca_file} if client == "sqlalchemy_asyncpg" and ca_file else {}
    kind = "node" if client == "node" else "python"
    done = run(clients, PROGRAMS[client], path.read_text().strip(), kind, **authority)
    assert done.stdout.strip() == USERNAME, done


@pytest.mark.parametrize("sslmode", ["prefer", "require", "verify-full"])
def test_asyncpg_reads_libpqs_form(served, clients, sslmode):
    path, _ca_file = written(served, sslmode, "url", "libpq")
    assert run(clients, PROGRAMS["asyncpg"], path.read_text().strip()).stdout.strip() == USERNAME


@pytest.mark.parametrize("reader", READERS)
def test_each_reader_of_variables_reads_the_same(served, clients, reader):
    path, _ca_file = written(served, "verify-full", "env", "libpq")
    kind = reader if reader in ("python", "sh") else "node"
    done = run(clients, READERS[reader], str(path), kind)
    if reader == "sh":
        found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    else:
        found = json.loads(done.stdout)
    assert found["PGPASSWORD"] == PASSWORD and found["PGUSER"] == USERNAME, done
    done = run(clients, PROGRAMS["libpq"], found["DATABASE_URL"])
    assert done.stdout.strip() == USERNAME, done
