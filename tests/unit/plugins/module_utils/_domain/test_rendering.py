# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever text gets past the options, files and commands have just the lines and words that they are to have."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import configuration, container, spec
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import connection as connections
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import remote_database
from ansible_collections.vellaric.postgres.plugins.module_utils._modules import postgres_db_connection
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import cron, recipients, schedule
from ansible_collections.vellaric.postgres.tests.unit import builders
from hypothesis import given, settings
from hypothesis import strategies as st

# Right values of each option that holds a text: what is wrong begins as one of these.
RIGHT = {
    "name": ["app", "my-database"],
    "version": ["15-alpine", "17"],
    "image": ["postgres:15", "registry.example.com:5000/a/b@sha256:" + "0" * 64],
    "backup_root": ["/srv/backups"],
    "data_root": ["/srv/data"],
    "port_range": ["5432-6431"],
    "bind_address": ["127.0.0.1", "::1", "fe80::1"],
    "base_domain": ["example.com"],
    "address": ["192.0.2.7", "db1.example.com", "fe80::1"],
    "trusted_sources": ["10.0.0.0/8", "fe80::1", "fd00::/8"],
    "networks": ["shop", "back_end.1"],
    "network_aliases": ["db", "db.shop-1"],
    "username": ["db_user_0123456789ab"],
    "memory": ["512m", "2g"],
    "cpus": ["1.5"],
    "shm_size": ["256m"],
    "settings": ["work_mem", "pg_x.y"],
    "extensions": ["pg_trgm", "postgis=3.4.2"],
    "users": ["reporting"],
}
LISTS = ("trusted_sources", "networks", "network_aliases", "extensions")
# What a line, a word or a quoted text could end with, in one of the files or for one of their readers.
HOSTILE = ["\n", "\r", "\r\n", "\t", " ", "\0", "\x0b", "\x0c", "\x1b[2J", "\x85", "\u2028", "\u2029", "%", "%x", "#"]
HOSTILE += [
    "'",
    '"',
    "\\",
    "`",
    "$(id)",
    ";",
    "|",
    "&",
    ",",
    ":",
    "=",
    "]",
    "[",
    "/",
    "..",
    "\ud800",
    "\u212a",
    "\u0661",
]
HOSTILE += [
    " scram-sha-256\nhost all all all trust\n#",
    "%x scram-sha-256\nhost all all all trust\n#",
    "all",
    "samehost",
]
PIECES = st.sampled_from(HOSTILE) | st.text(max_size=3)


@st.composite
def altered(draw, right):
    """A right text with something put into it, which need not be wrong."""
    text, piece = draw(st.sampled_from(right)), draw(PIECES)
    place = draw(st.integers(0, len(text)))
    return text[:place] + piece + text[place if draw(st.booleans()) else len(text) :]


def parse(**options):
    return builders.declared(**options)


def lines_of(text):
    """The lines of a file, upon which all readers agree."""
    lines = text.split("\n")
    assert lines[-1] == "" and text.splitlines() == lines[:-1]
    return [line for line in lines if line and not line.startswith("#")]


def option_given(option, text):
    if option == "settings":
        return {text: "on"}
    if option == "users":
        return [{"name": text, "role": "readonly"}]
    return [text] if option in LISTS else text


def texts_of(argument):
    return argument.get("type", "str") in ("str", "path", "list", "dict") and "choices" not in argument


def test_each_option_that_holds_a_text_is_tried():
    # What is in no file and no command, but as a hash or in a block of base64 of its own.
    elsewhere = {"password", "tls_certificate", "tls_key", "tls_ca"}
    assert {name for name, argument in spec.ARGUMENTS.items() if texts_of(argument)} == {
        *(set(RIGHT) - {"data_root"}),
        *elsewhere,
    }


@pytest.mark.parametrize("option", sorted(RIGHT))
@settings(max_examples=60)
@given(data=st.data())
def test_what_passes_is_one_word_wherever_it_is_written(option, data):
    text = data.draw(altered(RIGHT[option]))
    try:
        wanted = parse(**{"networks": ["shop"], option: option_given(option, text)})
    except DatabaseError as error:
        assert "\n" not in error.message
        return
    check_rendered(wanted)


@settings(max_examples=100)
@given(st.text(max_size=20) | altered(["on"]))
def test_a_setting_is_one_line_and_reads_back(value):
    try:
        wanted = parse(settings={"search_path": value})
    except DatabaseError:
        return
    check_rendered(wanted)
    assert configuration.parameters(configuration.postgresql_conf(wanted, 15))["search_path"] == value


def check_rendered(wanted):
    record = builders.record_of(wanted)
    texts = configuration.render(wanted, record, 15)
    who = [f'"{wanted.name}"', ",".join(f'"{name}"' for name in (record.username, *[u.name for u in wanted.users]))]
    access = [line.split(" ") for line in lines_of(texts[configuration.PG_HBA_CONF])]
    sources = configuration.EVERYWHERE if wanted.trusted_sources is None else wanted.trusted_sources
    assert access[:3] == [
        ["local", "all", "postgres", "peer", "map=superuser"],
        ["local", *who, "peer", "map=operator"],
        ["host", *who, "samehost", "scram-sha-256"],
    ]
    assert [line[:3] + line[4:] for line in access[3:]] == [["host", *who, "scram-sha-256"]] * len(sources)
    assert all(re.fullmatch(r"[0-9a-f.:]+/[0-9]+", line[3]) for line in access[3:])
    ident = [line.split(" ") for line in lines_of(texts[configuration.PG_IDENT_CONF])]
    assert [line[:2] for line in ident] == [["superuser", "postgres"], ["superuser", "root"]] + [
        ["operator", "postgres"]
    ] * (1 + len(wanted.users))
    assert all(re.fullmatch(r'"[a-z0-9_-]+"', line[2]) for line in ident[2:])
    assert all(re.fullmatch(r'"[a-z0-9_-]+"', part) for part in [who[0], *who[1].split(",")])
    server = lines_of(texts[configuration.POSTGRESQL_CONF])
    assert len(server) == 2 + len(configuration.parameters("\n".join(server)))
    # JSON holds anything, but what is half a character, or none.
    arguments = container.create_arguments(
        container.desired(wanted, record, builders.image()), wanted.container, {"POSTGRES_PASSWORD": "bootstrap"}
    )
    written = json.dumps([arguments, wanted.declared()], ensure_ascii=False)
    assert written.encode("utf-8") and "\\u0000" not in written
    for text in (wanted.directory, wanted.backup_directory):
        assert text.startswith("/") and text.splitlines() == [text] and "\0" not in text and ":" not in text
    for text in (wanted.bind_address, wanted.host):
        assert re.fullmatch(r"[A-Za-z0-9.:-]+", text), text
    # Among them are aliases in networks, which may have an underscore.
    for text in wanted.certificate_names:
        assert re.fullmatch(r"[A-Za-z0-9._:-]+", text), text
    assert shlex.quote(wanted.container) == wanted.container


def test_the_scope_of_an_address_is_refused():
    """Which may be any text, and got a line of an attacker's choice into pg_hba.conf."""
    hostile = "fe80::1%x scram-sha-256\nhost all all all trust\n#"
    for option, text in (("bind_address", hostile), ("address", hostile), ("trusted_sources", [hostile])):
        with pytest.raises(DatabaseError, match=option):
            spec.from_parameters({"name": "app", "environment": "development", option: text})
    with pytest.raises(DatabaseError, match="trusted_sources.*leave out the scope"):
        parse(trusted_sources=["fe80::1%eth0"])


PROGRAM = {
    "backup_archive": "/usr/local/lib/vellaric/backup.pyz",
    "backup_python": "/usr/bin/python3",
    "backup_data_root": "/var/vellaric/postgres",
    "backup_delay": "1800",
    "backup_run_timeout": "86400",
}


@settings(max_examples=200)
@given(st.sampled_from(sorted(PROGRAM)), st.data())
def test_what_a_unit_and_a_table_of_cron_hold_is_one_word(option, data):
    text = data.draw(altered([PROGRAM[option]]))
    try:
        schedule.refuse_program({**PROGRAM, option: text})
    except DatabaseError:
        return
    if option in ("backup_delay", "backup_run_timeout"):
        # The templates take the number of it.
        assert str(int(text)).isdigit()
    else:
        assert shlex.quote(text) == text and text.splitlines() == [text]


@settings(max_examples=200)
@given(st.sampled_from(["systemd", "cron"]), altered(["daily", "Mon..Fri *-*-* 02:30", "30 2 * * 1-5"]))
def test_a_calendar_is_one_line_and_in_cron_five_fields(scheduler, calendar):
    declared = {
        "scheduler": scheduler,
        "data_root": "/data",
        "docker_host": "unix:///x",
        "wait_timeout": 60,
        "environments": {"production": {"calendar": calendar, "verify": None}, "staging": {"calendar": None}},
    }
    try:
        known = schedule.from_declaration(declared).schedules()
    except DatabaseError:
        return
    for own in known:
        assert re.fullmatch(r"[ -~]+", own.calendar + own.what + own.name)
        if scheduler == "cron":
            assert len(cron.parse(own.calendar).expression.split()) == 5


@settings(max_examples=100)
@given(altered(["/usr/local/bin/page"]), altered(["https://example.com/hook"]))
def test_whom_to_tell_is_a_command_without_a_shell_and_a_url_without_blanks(command, url):
    try:
        known = recipients.from_declaration({"command": [command, "--team"], "url": url})
    except DatabaseError:
        return
    assert len(known.command) == 2 and "\0" not in known.command[0] and not re.search(r"[\x00-\x20]", known.url or "")


CONNECTION = {
    "host": "db1.example.com",
    "database": "app",
    "username": "db_user_0123456789ab",
    "password": "correct-horse-battery",
    "ca_file": "/etc/ssl/ca.crt",
    "service": "app",
}
OTHERS = {
    **{"port": 5432, "sslmode": "prefer", "client": "libpq", "ca_certificate": None, "path": "/srv/app/.env"},
    "prepared_statements": True,
}
LINES = {"docker_env": 8, "env": 8, "jdbc": 1, "pg_service": 8, "pgpass": 1, "url": 1}


@settings(max_examples=300)
@given(st.sampled_from(sorted(CONNECTION)), st.sampled_from(sorted(LINES)), st.data())
def test_a_file_of_a_connection_has_its_lines_and_no_more(option, kind, data):
    text = data.draw(altered([CONNECTION[option]]))
    try:
        known = postgres_db_connection.parsed({**CONNECTION, **OTHERS, option: text})
        written = connections.edited(kind, "", known)
    except (DatabaseError, ValueError):
        return
    lines = written.split("\n")[:-1]
    assert len(lines) == LINES[kind] and written.splitlines() == lines
    if kind == "pg_service":
        values = dict(line.split("=", 1) for line in lines[1:])
        assert values[{"database": "dbname", "username": "user", "ca_file": "sslrootcert"}.get(option, "host")]
        assert all(value == value.strip() for value in values.values())
    if kind == "env":
        assert all(len(shlex.split(line)) == 1 for line in lines)
    if kind == "pgpass":
        assert len(re.findall(r"(?<!\\)(?:\\\\)*:", lines[0])) == 4


@settings(max_examples=200)
@given(altered(["postgresql://app@db1.example.com:5432/shop?sslmode=require"]))
def test_the_source_of_an_import_is_one_server(url):
    try:
        known = remote_database.parse(url, "a password of the source", None)
    except DatabaseError:
        return
    for text in (known.host, known.database, known.username):
        assert text.splitlines() == [text] and "\0" not in text
    assert "," not in known.host and not known.host.startswith("/")
