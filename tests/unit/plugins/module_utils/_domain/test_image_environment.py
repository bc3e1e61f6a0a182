# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import image_environment
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import Refused

OFFICIAL = ["PATH=/usr/bin", "LANG=en_US.utf8", "PG_MAJOR=15", "PG_VERSION=15.1", "PGDATA=/var/lib/postgresql/data"]


def arguments(*environment):
    return image_environment.initdb_arguments(image_environment.observed(list(environment)), "--ours")


def test_the_official_image_has_nothing_to_keep_off():
    found = image_environment.observed(OFFICIAL)
    assert found == {"LANG": "en_US.utf8"} and image_environment.kept_off(found) == {}
    assert arguments(*OFFICIAL) == "--ours"


@pytest.mark.parametrize(
    "name",
    "POSTGRES_USER POSTGRES_DB POSTGRES_PASSWORD_FILE POSTGRES_INITDB_WALDIR POSTGRES_HOST_AUTH_METHOD"
    " PGPORT PGHOST PGUSER PGOPTIONS PGSSLMODE PG_COLOR".split(),
)
def test_what_would_mislead_a_run_is_kept_off(name):
    assert image_environment.kept_off(image_environment.observed([*OFFICIAL, f"{name}=x"])) == {name: None}


@pytest.mark.parametrize("own", ["POSTGRES_MULTIPLE_DATABASES=a", "PGDATA=/x", "PG_MAJOR=15", "TZ=Europe/Zurich"])
def test_what_is_the_images_own_matter_stays(own):
    assert image_environment.kept_off(image_environment.observed([own])) == {}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ([], "--encoding=UTF8 --ours"),
        (["LANG=C"], "--encoding=UTF8 --ours"),
        (["LANG=en_US.utf8", "LC_ALL=POSIX"], "--encoding=UTF8 --ours"),
        (["LANG=C.UTF-8"], "--ours"),
        (["LANG=de_DE.iso88591"], "--ours"),
        (["LANG=C", "POSTGRES_INITDB_ARGS=--locale=de_CH.utf8"], "--locale=de_CH.utf8 --ours"),
        (["LANG=C", "POSTGRES_INITDB_ARGS=-E LATIN1 --no-locale"], "--encoding=LATIN1 --no-locale --ours"),
        (["LANG=C", "POSTGRES_INITDB_ARGS=-ELATIN1"], "--encoding=LATIN1 --ours"),
        (["LANG=x.utf8", "POSTGRES_INITDB_ARGS=--no-locale"], "--no-locale --encoding=UTF8 --ours"),
        (["LANG=x.utf8", "POSTGRES_INITDB_ARGS=--wal-segsize 64"], "--wal-segsize=64 --ours"),
        (
            ["LANG=x.utf8", "POSTGRES_INITDB_ARGS=--set 'application_name=a b' -c x=y"],
            "'--set=application_name=a b' --set=x=y --ours",
        ),
        (["LANG=x.utf8", "POSTGRES_INITDB_ARGS=-A trust --auth-host=trust -k -U app -X /wal --pwfile=/x"], "--ours"),
    ],
)
def test_the_arguments_of_initdb(environment, expected):
    assert arguments(*environment) == expected


@pytest.mark.parametrize(
    "text", ["--show", "--encoding", "-Z", "x", "--locale=$LANG", "$(id)", "--no-locale; id", "'", "--no-locale=x"]
)
def test_what_is_not_understood_is_refused_by_name(text):
    with pytest.raises(Refused, match="POSTGRES_INITDB_ARGS"):
        arguments(f"POSTGRES_INITDB_ARGS={text}")
