# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image's own environment has to say on its databases: honoured, kept off, or refused by name. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping

from .errors import Refused

INITDB_ARGUMENTS = "POSTGRES_INITDB_ARGS"
# Of the official image's contract: each would name the superuser, the database or a file otherwise than we know it.
_OFFICIAL = (
    "POSTGRES_DB",
    "POSTGRES_DB_FILE",
    "POSTGRES_HOST_AUTH_METHOD",
    "POSTGRES_INITDB_ARGS_FILE",
    "POSTGRES_INITDB_WALDIR",
    "POSTGRES_PASSWORD_FILE",
    "POSTGRES_USER",
    "POSTGRES_USER_FILE",
)
# https://www.postgresql.org/docs/current/libpq-envars.html (the server reads PGPORT, too), and psql's own.
_CLIENTS = tuple(
    f"PG{name}"
    for name in (
        "APPNAME CHANNELBINDING CLIENTENCODING CONNECT_TIMEOUT DATABASE DATESTYLE GEQO GSSDELEGATION GSSENCMODE"
        " GSSLIB HOST HOSTADDR KRBSRVNAME LOADBALANCEHOSTS LOCALEDIR MAXPROTOCOLVERSION MINPROTOCOLVERSION OPTIONS"
        " PASSFILE PASSWORD PORT REQUIREAUTH REQUIREPEER REQUIRESSL SERVICE SERVICEFILE SSLCERT SSLCERTMODE"
        " SSLCOMPRESSION SSLCRL SSLCRLDIR SSLKEY SSLMAXPROTOCOLVERSION SSLMINPROTOCOLVERSION SSLMODE SSLNEGOTIATION"
        " SSLROOTCERT SSLSNI SYSCONFDIR TARGETSESSIONATTRS TZ USER"
    ).split()
) + ("PG_COLOR", "PG_COLORS", "PSQLRC")
_LOCALES = ("LC_ALL", "LC_CTYPE", "LANG")
NAMES = (INITDB_ARGUMENTS, *_OFFICIAL, *_CLIENTS, *_LOCALES)

# Options of initdb that an image may give: https://www.postgresql.org/docs/current/app-initdb.html
_LONG = {
    "E": "encoding",
    "T": "text-search-config",
    "c": "set",
    "A": "auth",
    "U": "username",
    "D": "pgdata",
    "X": "waldir",
    "g": "allow-group-access",
    "k": "data-checksums",
    "W": "pwprompt",
    "N": "no-sync",
    "n": "no-clean",
}
_HONOURED = (
    "builtin-locale",
    "encoding",
    "icu-locale",
    "icu-rules",
    "lc-collate",
    "lc-ctype",
    "lc-messages",
    "lc-monetary",
    "lc-numeric",
    "lc-time",
    "locale",
    "locale-provider",
    "set",
    "text-search-config",
    "wal-segsize",
)
_HONOURED_FLAGS = ("allow-group-access", "no-locale")
# What we decide ourselves, or would be without.
_KEPT_OFF = ("auth", "auth-host", "auth-local", "pgdata", "pwfile", "username", "waldir")
_KEPT_OFF_FLAGS = ("data-checksums", "no-clean", "no-data-checksums", "no-instructions", "no-sync", "pwprompt")
_WITHOUT_ENCODING = ("", "C", "POSIX")


def observed(environment: Iterable[str]) -> dict[str, str]:
    """Return those variables of an image's environment (as the engine lists it) that have to do with databases."""
    known = dict(entry.partition("=")[::2] for entry in environment)
    return {name: known[name] for name in NAMES if name in known}


def kept_off(environment: Mapping[str, str]) -> dict[str, None]:
    """Return the variables that a container of the image is not to have, each with None."""
    return {name: None for name in (*_OFFICIAL, *_CLIENTS) if name in environment}


def initdb_arguments(environment: Mapping[str, str], ours: str) -> str:
    """Return the arguments of initdb: the image's, as far as they are honoured, then ours. For a shell.

    Where the locale has no encoding, it is UTF8: SQL_ASCII would take any bytes. Raises Refused.
    """
    given, words = {}, []
    for option, value in _options(environment.get(INITDB_ARGUMENTS, "")):
        if option in _HONOURED or option in _HONOURED_FLAGS:
            given[option] = value
            words.append(f"--{option}" if value is None else f"--{option}={value}")
    locale = "C" if "no-locale" in given else given.get("lc-ctype", given.get("locale", _locale(environment)))
    if "encoding" not in given and locale in _WITHOUT_ENCODING and "locale-provider" not in given:
        words.append("--encoding=UTF8")
    return " ".join([*map(shlex.quote, words), ours])


def _locale(environment: Mapping[str, str]) -> str:
    # As setlocale looks for it: https://pubs.opengroup.org/onlinepubs/9799919799/functions/setlocale.html
    return next((environment[name] for name in _LOCALES if environment.get(name)), "")


def _options(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the options of initdb in a text for a shell, each as (its long name, its value or None)."""
    if any(character in text for character in "$`\\;&|<>()\n"):
        raise _refused(text)
    try:
        words = shlex.split(text)
    except ValueError:
        raise _refused(text) from None
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
        else:
            option, value = _LONG.get(word[1:2], "") if word[:1] == "-" else "", word[2:]
            equals = value
        if option in (*_HONOURED_FLAGS, *_KEPT_OFF_FLAGS) and not equals:
            yield option, None
        elif option in (*_HONOURED, *_KEPT_OFF) and (equals or words):
            yield option, value if equals else words.pop(0)
        else:
            raise _refused(word)


def _refused(what: str) -> Refused:
    return Refused(
        f"The image has {INITDB_ARGUMENTS} with {what!r}, which is not understood. Nothing was changed: use an image"
        " without it"
    )
