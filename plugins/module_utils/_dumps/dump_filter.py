# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts a dump into what a role without privileges loads, and what the superuser does for it (dump_rules). Pure.

That a dump cannot do harm does not rest on this, but on who runs it: a role without privileges, by a psql that is told
to refuse its own commands (\\restrict), as a user of the operating system who owns nothing. What is handed to the
superuser is of a few known kinds, none of which evaluates what is in the database.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator

from .._domain.errors import Refused
from .._server import statements
from . import dump_functions
from . import dump_rules as rules
from . import dump_texts as texts
from .collected import Collected

END_MARK = b"-- PostgreSQL database dump complete"
# The kinds of what is asked of the superuser.
EXTENSION, STATEMENT, LET, LET_NO_MORE = "extension", "statement", "let", "let no more"

_QUALIFIED = rb"(?:" + rules.NAME + rb"\s*\.\s*)?" + rules.NAME
_COPY = re.compile(rb"COPY\s+(" + _QUALIFIED + rb")(?:\s*\(([^)]*)\))?\s+FROM\s+stdin\b", re.I | re.S)
_COPY_OTHERWISE = re.compile(rb"COPY\s.*\sFROM\s+stdin\b", re.I | re.S)
_INSERT = re.compile(rb"INSERT\s+INTO\s+(" + _QUALIFIED + rb")", re.I)
_SETVAL = re.compile(rb"SELECT\s+(?:pg_catalog\.)?setval\('((?:[^']|'')+)',\s*-?[0-9]+,\s*(?:true|false)\);\s*$", re.I)
_META = re.compile(rb"\\(\S*)[ \t]*([^\n]*)\n?")
_OWNER_TO = re.compile(rb"ALTER\s+(.*?)\s+OWNER\s+TO\s+(" + rules.NAME + rb")\s*;\s*$", re.I | re.S)
_EXTENSION = re.compile(
    rb"CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + rules.NAME + rb")"
    rb"(?:\s+WITH)?(?:\s+SCHEMA\s+(" + rules.NAME + rb"))?(?:\s+VERSION\s+(?:" + rules.NAME + rb"|'[^']*'))?"
    rb"(?:\s+CASCADE)?\s*;\s*$",
    re.I,
)
_SCHEMA = re.compile(rb"CREATE\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + rules.NAME + rb")", re.I)
# What somebody else owns there becomes the loading role's.
_AUTHORIZATION = re.compile(
    rb"(CREATE\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?" + rules.NAME + rb")\s+AUTHORIZATION\s+" + rules.NAME, re.I
)
_NO_BACKSLASH = re.compile(rb"SET\s+(?:SESSION\s+)?standard_conforming_strings\s*(?:=|TO)\s*'?(off|on)", re.I)
_ENCODING = re.compile(rb"SET\s+(?:client_encoding\s*(?:=|TO)|NAMES)\s*'?([\w-]+)", re.I)
_CREATE_FUNCTION = re.compile(rb"CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s", re.I)
_SERVER = re.compile(rb"\sSERVER\s+(" + rules.NAME + rb")", re.I)
_BEGIN = re.compile(rb"(BEGIN|START\s+TRANSACTION)\b", re.I)
_END = re.compile(rb"(COMMIT|END|ROLLBACK|ABORT)\b(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b)", re.I)
_SEARCH_PATH = re.compile(
    rb"SELECT\s+pg_catalog\.set_config\('search_path',\s*'',\s*false\)\s*;|SET\s+search_path\s*(?:=|TO)\s*''\s*;", re.I
)

# Rows as pg_dump --inserts writes them, any number at once. One that has more in it, such as a backslash, is looked at
# like everything else.
_ROWS = re.compile(
    rb"""(?:INSERT\ INTO\ [^'"$\-/\\;]*(?:(?:-(?!-)|/(?!\*)|'[^'\\]*'|"[^"]*")[^'"$\-/\\;]*)*;\n)+""", re.X
)
# pg_dump --clean writes them before everything else; there is nothing yet to remove.
_CLEANING = re.compile(
    rb"DROP\s|ALTER\s+(TABLE|DOMAIN)\s.*\sDROP\s+(CONSTRAINT|DEFAULT|IDENTITY)|CREATE\s+OR\s+REPLACE\s+VIEW"
    rb"|SELECT\s+(pg_catalog\.)?lo_unlink\(",
    re.I | re.S,
)
_CREATION = re.compile(rb"CREATE\s+(?!OR\s+REPLACE\s+VIEW|DATABASE\s)", re.I)
# What tells apart a dump of rows, or of what comes after them.
_OBJECT = re.compile(rb"CREATE\s+((UNLOGGED\s+|FOREIGN\s+)?TABLE|SCHEMA|TYPE|FUNCTION|SEQUENCE|VIEW|EXTENSION)\s", re.I)
# The name of what others in the dump may need.
_MADE = re.compile(
    rb"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TRUSTED\s+)?(?:PROCEDURAL\s+)?(?:TYPE|FUNCTION|PROCEDURE|AGGREGATE|LANGUAGE"
    rb"|OPERATOR\s+(?:CLASS|FAMILY)|FOREIGN\s+(?:DATA\s+WRAPPER|TABLE)|ACCESS\s+METHOD"
    rb"|TEXT\s+SEARCH\s+(?:PARSER|TEMPLATE))\s+(" + _QUALIFIED + rb")",
    re.I,
)
# What speaks of one thing: of one that was left out, it goes with that.
_COMMENT = re.compile(
    rb"COMMENT\s+ON\s+(?:TYPE|FUNCTION|PROCEDURE|AGGREGATE|OPERATOR\s+(?:CLASS|FAMILY)|FOREIGN\s+TABLE|COLUMN)\s+("
    + _QUALIFIED
    + rb")",
    re.I,
)
# What servers keep for themselves among the options of a column (15.20, 17.12 and others of their day), and what a
# pg_dump that does not know of it takes for somebody's: other servers do not know it either.
_COLUMN_OPTIONS = re.compile(rb"(ALTER\s+(?:FOREIGN\s+)?TABLE\s[^;]*?\sSET\s*\()([^();]*)(\)\s*;\s*)$", re.I)
_SERVERS_OWN = re.compile(rb"\s*\"?pg_attver\"?\s*=")
_DEFAULTS = re.compile(rb"\s+(?:DEFAULT|=)\s+(?:'(?:[^']|'')*'|[^,'])*", re.I)
_CONNECT = (b"connect", b"c")
_OTHERS_COMMANDS = re.compile(rb"\\(pset|timing|echo|set|unset|encoding|x|a|t|f|H)\b")


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the superuser is asked to do before the load goes on. kind: one of the above.

    name: the extension, or the quoted and qualified name of the table or sequence that may be written to; schema: of
    the extension, None where the dump names none; text: the statement; lines: how many of the dump it takes the place
    of.
    """

    kind: str
    text: bytes = b""
    name: str = ""
    schema: str | None = None
    lines: int = 1


def _none() -> frozenset[str]:
    return frozenset()


class Filter:
    """Parts SQL, statement by statement, in pieces of any size.

    policy: dump_rules.FOREIGN or OWN; major: of the server that is to run it; untrusted: the extensions that the
    superuser makes, where the dump has them; extension_tables: called once there may be some, it returns the qualified
    names of the tables and sequences of extensions whose rows a dump may have; search_path: what stands in the place
    of the empty one that pg_dump sets, so that functions find what they find in the database that was dumped;
    parameters: called once there are functions, it returns those that only a superuser may set; superusers: by name.

    collected: what is left for the end; complete: pg_dump's own last words have come by.
    """

    def __init__(
        self,
        policy: rules.Rules,
        major: int,
        untrusted: frozenset[str] = frozenset(),
        extension_tables: Callable[[], frozenset[str]] = _none,
        search_path: bytes | None = None,
        parameters: Callable[[], frozenset[str]] = _none,
        superusers: frozenset[str] = frozenset(),
    ) -> None:
        self._policy, self._major, self._untrusted = policy, major, untrusted
        self._look_up_tables, self._search_path = extension_tables, search_path
        self._look_up_parameters, self._superusers = parameters, superusers
        self._parameters: frozenset[str] | None = None
        self._function: dump_functions.Function | None = None
        self.foreign = policy is rules.FOREIGN
        self._tables: frozenset[str] | None = frozenset()
        # Those that are there without being made, and those that were.
        self._schemas = {"public", "pg_catalog"}
        self._buffer = bytearray()
        self._scanner = statements.Scanner()
        self._line = 1
        self._copying = False
        # The extension's table that may be written to: by the rows of a COPY, and by one INSERT after another.
        self._letting = self._inserting = ""
        self._before: list[Asked] = []
        self._after: list[Asked] = []
        self._creating = False
        self._left: set[bytes] = set()
        self._escapes = False
        self._open = False
        self.encoding = texts.UTF8
        self.collected = Collected()
        self.complete = False

    def pieces(self, data: bytes, last: bool = False) -> Iterator[bytes | memoryview | Asked]:
        """Take a piece, and yield what can be passed on by now and what is asked of the superuser, in order.

        Raises Refused for a command of psql, and at the end for what is not whole.
        """
        if self._copying and not last:
            yield from self._rows_at_once(data)
        else:
            self._buffer += data
        while self._buffer:
            piece = self._copied(last) if self._copying else self._statement(last)
            if piece is None:
                break
            yield from self._before
            yield piece
            yield from self._after
            self._before, self._after = [], []
        if last:
            self._end_inserts()
            yield from self._before
            self._refuse_half()

    def _rows_at_once(self, data: bytes) -> Iterator[bytes | memoryview]:
        """Pass whole lines on as they are, where none can end the rows: by far the most of a dump."""
        first, whole = data.find(b"\n") + 1, data.rfind(b"\n") + 1
        begun = bytes(self._buffer) + data[:first]
        # One byte is looked for ten times as fast as three.
        ends = b"\\" in data and data.find(b"\n\\.", first - 1, whole + 2) >= 0
        if not first or ends or begun.startswith(b"\\."):
            self._buffer += data
            return
        self._line += data.count(b"\n")
        self._buffer = bytearray(data[whole:])
        yield begun
        yield memoryview(data)[first:whole]

    def _refuse_half(self) -> None:
        if self._copying:
            raise Refused("The dump is truncated: it ends in the middle of a table's rows. Nothing was changed")
        if self._open:
            raise Refused(
                "The dump is truncated: it ends in the middle of a transaction (BEGIN without COMMIT). Nothing was"
                " changed"
            )

    def _take(self, end: int) -> bytes:
        piece = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._line += piece.count(b"\n")
        return piece

    # Rows

    def _copied(self, last: bool) -> bytes | None:
        end = self._end_of_copy()
        if end is not None:
            self._copying = False
            self._end_let()
            return self._take(end)
        if last:
            if b"\\." in self._buffer[-3:]:
                self._copying = False
            return self._take(len(self._buffer))
        # All but the last line, which the end may yet become.
        whole = self._buffer.rfind(b"\n") + 1
        return self._take(whole) if whole else None

    def _let(self, name: bytes) -> None:
        """Have the loading role be let write to an extension's table, for one statement: no other runs then."""
        self._letting = rules.canonical(name)
        self._before.append(Asked(LET, name=self._letting, lines=0))

    def _end_let(self) -> None:
        if self._letting:
            self._after.append(Asked(LET_NO_MORE, name=self._letting, lines=0))
            self._letting = ""

    def _end_inserts(self) -> None:
        if self._inserting:
            self._before.append(Asked(LET_NO_MORE, name=self._inserting, lines=0))
            self._inserting = ""

    def _end_of_copy(self) -> int | None:
        buffer, position = self._buffer, self._buffer.find(b"\\.")
        while position >= 0:
            newline = buffer.find(b"\n", position)
            starts_line = position == 0 or buffer[position - 1 : position] == b"\n"
            if newline >= 0 and starts_line and bytes(buffer[position + 2 : newline]) in (b"", b"\r"):
                return newline + 1
            position = buffer.find(b"\\.", position + 2)
        return None

    def _is_of_extension(self, name: bytes) -> bool:
        if self._tables is None:
            self._tables = self._look_up_tables()
        return bool(self._tables) and rules.canonical(name) in self._tables

    # Statements

    def _statement(self, last: bool) -> bytes | Asked | None:
        plain = not self._escapes and self.encoding.characters is None
        if self._scanner.position == 0 and plain and self._tables == frozenset():
            rows = _ROWS.match(self._buffer)
            if rows:
                return self._take(rows.end())
        end = self.encoding.end(self._scanner, self._buffer, last, self._escapes)
        if end is None:
            if not last:
                return None
            end, self._scanner = len(self._buffer), statements.Scanner()
        statement = self._take(end)
        if END_MARK in statement:
            self.complete = True
        start = statements.beginning(statement)
        if self._inserting and start < len(statement):
            match = _INSERT.match(statement, start)
            if match is None or rules.canonical(match.group(1)) != self._inserting:
                self._end_inserts()
        if statement.startswith(b"\\", start):
            return self._meta(statement, start)
        return self._fitting(statement, start)

    def _fitting(self, statement: bytes, start: int) -> bytes | Asked:
        if statement[start : start + 1] in b"Ii":
            return self._insert(statement, start)
        text, collected = statement[start:], self.collected
        collected.objects = collected.objects or bool(_OBJECT.match(statement, start))
        schema = _SCHEMA.match(statement, start)
        if schema:
            self._schemas.add(rules.canonical(schema.group(1)))
        if _CREATE_FUNCTION.match(text):
            function = self._parsed(text)
            if function is not None:
                return self._of_function(function, statement, start)
        decision = rules.decide(self._policy, statement, start, self._major)
        if decision.what == rules.PASS and self._spoken_of(text):
            collected.count("comments of others")
            return _blank(statement)
        # What the loading role has locked in a transaction, the superuser would wait for, and it for him.
        if decision.what == rules.PASS or (self._open and decision.what in (rules.SUPERUSER, rules.EXTENSION)):
            return self._passed(statement, start)
        if decision.what == rules.EXTENSION:
            return self._extension(statement, start)
        if decision.what == rules.SUPERUSER:
            return Asked(STATEMENT, text, lines=statement.count(b"\n"))
        if decision.what == rules.OWNER:
            match = _OWNER_TO.match(text)
            if match:
                what = self._shown(match.group(1))
                collected.owners.append((what, self._shown(match.group(2))))
                if self._function is not None and what.startswith(self._shown(self._function.signed)):
                    collected.given.append((what, self._shown(self._function.given)))
                    self._function = None
            collected.count(decision.words)
        elif decision.what == rules.MAPPING:
            if not self._is_superusers(text):
                return self._passed(statement, start)
            collected.mappings.append(self._shown(text))
        elif decision.what == rules.LATER:
            collected.later.append(self._shown(text))
        elif decision.what == rules.GRANT:
            collected.grants.append(self._shown(text))
        elif decision.what == rules.REFRESH:
            collected.refreshes.append(self._shown(text))
        else:
            if re.match(rb"CREATE\s+DATABASE\s", text, re.I):
                self._refuse_second()
            return self._leave_out(statement, start, decision.words)
        return _blank(statement)

    def _leave_out(self, statement: bytes, start: int, words: str | None) -> bytes:
        made = _MADE.match(statement, start)
        if made and words is not None:
            self.collected.names[rules.canonical(made.group(1))] = words
            self._left.add(_spoken(statement, made))
        self.collected.count(words)
        return _blank(statement)

    def _spoken_of(self, text: bytes) -> bool:
        """Say whether a statement comments on what was left out."""
        comment = _COMMENT.match(text) if self._left and text[:1] in b"Cc" else None
        return comment is not None and _spoken(text, comment) in self._left

    def _parsed(self, text: bytes) -> dump_functions.Function | None:
        if self._parameters is None:
            self._parameters = self._look_up_parameters()
        return dump_functions.parse(text, self._parameters)

    def _of_function(self, function: dump_functions.Function, statement: bytes, start: int) -> bytes | Asked:
        if function.untrusted and self.foreign:
            return self._leave_out(statement, start, "functions in C or an untrusted language")
        if function.untrusted and function.evaluates_nothing and not self._open:
            return Asked(STATEMENT, statement[start:], lines=statement.count(b"\n"))
        if not function.untrusted and function.reserved:
            if self.foreign:
                self.collected.count("what functions have of a superuser (LEAKPROOF, SUPPORT, parameters)")
            else:
                # The statement that says whose it is names it with its arguments.
                self._function = function
            statement = statement[:start] + function.without_reserved
        return self._passed(statement, start)

    def _is_superusers(self, mapping: bytes) -> bool:
        """Say whether somebody's mapping has to wait until its server is a superuser's again."""
        server = _SERVER.search(mapping)
        name = f"SERVER {self._shown(server.group(1))}" if server else None
        owners = [role for what, role in self.collected.owners if what == name]
        return b"password_required" in mapping or any(role.strip('"') in self._superusers for role in owners)

    def _passed(self, statement: bytes, start: int) -> bytes | Asked:
        if not self._creating:
            if _CLEANING.match(statement, start):
                return _blank(statement)
            self._creating = bool(_CREATION.match(statement, start))
        if b"pg_attver" in statement:
            statement = _without_servers_own(statement, start)
        if statement[start : start + 1] in b"BbCcSsEeRrAa":
            self._follow(statement, start)
        copied = _COPY.match(statement, start) if statement[start : start + 1] in b"Cc" else None
        if copied:
            self._copying = True
            if self._is_of_extension(copied.group(1)) and not self._open:
                self._let(copied.group(1))
            return statement
        self._copying = bool(_COPY_OTHERWISE.match(statement, start))
        sequence = _SETVAL.match(statement, start)
        if sequence and self._is_of_extension(sequence.group(1).replace(b"''", b"'")) and not self._open:
            self._let(sequence.group(1).replace(b"''", b"'"))
            self._end_let()
        if self._search_path is not None and _SEARCH_PATH.match(statement, start):
            return (
                _blank(statement[:start]) + b"SET search_path = " + self._search_path + b";" + _blank(statement[start:])
            )
        authorized = _AUTHORIZATION.match(statement, start)
        if authorized:
            self.collected.count("owners")
            return statement[:start] + authorized.group(1) + statement[authorized.end() :]
        return statement

    def _shown(self, statement: bytes) -> str:
        return self.encoding.text(statement)

    def _follow(self, statement: bytes, start: int) -> None:
        """Keep track of what the session is in."""
        encoding = _ENCODING.match(statement, start)
        if encoding:
            self.encoding = texts.encoding(encoding.group(1))
            if self.encoding.characters is not None and not self.foreign:
                # A superuser runs some of it, and no server keeps text like that.
                raise Refused(
                    f"The backup is in {self._shown(encoding.group(1))}, in which this collection takes none. Nothing"
                    " was changed: import it, with vellaric.postgres.postgres_db_import"
                )
        quoting = _NO_BACKSLASH.match(statement, start)
        if quoting:
            self._escapes = quoting.group(1).lower() == b"off"
        elif _BEGIN.match(statement, start):
            self._open = True
        elif _END.match(statement, start):
            self._open = False

    def _insert(self, statement: bytes, start: int) -> bytes:
        match = _INSERT.match(statement, start)
        if match and not self._inserting and self._is_of_extension(match.group(1)):
            if self._open:
                self.collected.count("rows of extensions' tables, as INSERT in a transaction")
                return _blank(statement)
            self._inserting = rules.canonical(match.group(1))
            self._before.append(Asked(LET, name=self._inserting, lines=0))
        return statement

    def _extension(self, statement: bytes, start: int) -> bytes | Asked:
        self._tables = None
        match = _EXTENSION.match(statement, start)
        if match is None:
            return statement
        name, schema = (rules.canonical(one or b"public") for one in match.groups())
        there = schema in self._schemas
        self._schemas.add(schema)
        if name.strip('"') in self._untrusted:
            shown = schema.strip('"').replace('""', '"') if match.group(2) else None
            return Asked(EXTENSION, name=name.strip('"'), schema=shown, lines=statement.count(b"\n"))
        # Heroku and Supabase leave out the schema, which is their own. In the same line: the server counts them.
        made = b"" if there else b"CREATE SCHEMA " + match.group(2) + b"; "
        return statement[:start] + made + statement[start:]

    # psql's own commands

    def _refuse_second(self) -> None:
        if self._creating:
            raise Refused(
                f"Line {self._line} of the dump begins another database: the file holds more than one. Nothing was"
                " changed: take a dump of the one that is meant, with pg_dump, or take the file apart"
            )

    def _meta(self, statement: bytes, start: int) -> bytes:
        match = _META.match(statement, start)
        command, argument = (match.group(1), match.group(2).strip()) if match else (b"", b"")
        if command in (b"restrict", b"unrestrict"):
            return _blank(statement)
        if command in _CONNECT:
            self._refuse_second()
            self.collected.count("the database itself and its settings")
            return _blank(statement)
        if command == b"encoding" and re.fullmatch(rb"'?[A-Za-z0-9_-]+'?", argument):
            # Before it connects anew pg_dump writes SQL_ASCII for a name that needs quotes: no bytes of it are text.
            wanted = argument.strip(b"'")
            known = b"SET client_encoding = '" + wanted + b"';" if wanted.upper() != b"SQL_ASCII" else b""
            return known + _blank(statement)
        line = self._line - statement.count(b"\n", start)
        shown = (match.group() if match else statement[start:]).decode("utf-8", "replace").strip()[:60]
        if _OTHERS_COMMANDS.match(statement, start):
            why = "pg_dump does not write it. Nothing was changed: take out that line, or take the dump with pg_dump"
        else:
            why = (
                "which a dump of pg_dump does not have: it could run programs. Nothing was imported. Look at who made"
                " this dump, or take another with pg_dump"
            )
        raise Refused(f"Line {line} of the dump has {shown!r}, a command to psql: {why}")


def extensions_of(head: bytes) -> frozenset[str]:
    """Return the names of the extensions that a dump makes, of its beginning: pg_dump writes them first."""
    pattern = rb"^CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + rules.NAME + rb")"
    return frozenset(rules.canonical(name).strip('"') for name in re.findall(pattern, head, re.I | re.M))


def _blank(statement: bytes) -> bytes:
    """Keep the lines, so that what the server says of a line is true of the dump."""
    return b"\n" * statement.count(b"\n")


def _without_servers_own(statement: bytes, start: int) -> bytes:
    match = _COLUMN_OPTIONS.match(statement, start)
    if match is None or not any(_SERVERS_OWN.match(option) for option in match.group(2).split(b",")):
        return statement
    options = [option for option in match.group(2).split(b",") if not _SERVERS_OWN.match(option)]
    return (statement[:start] + match.group(1) + b",".join(options) + match.group(3)) if options else _blank(statement)


def _spoken(text: bytes, named: re.Match[bytes]) -> bytes:
    """Return by which name a statement speaks of a thing; of a function or an aggregate, with its arguments."""
    name: bytes = named.group(1)
    rest = text[named.end() :]
    arguments = re.match(rb"\s*\(((?:[^()'\"]|'(?:[^']|'')*'|\"[^\"]*\"|\([^()]*\))*)\)", rest)
    kind = re.search(rb"\b(FUNCTION|PROCEDURE|AGGREGATE)\s+$", text[: named.start(1)], re.I)
    return name if arguments is None or kind is None else name + b"(" + _DEFAULTS.sub(b"", arguments.group(1)) + b")"
