# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image's own answer says of its first start. Real images: test_new_clusters.py."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host import images

ENTRYPOINT = ["docker-entrypoint.sh"]
# As the official image has it.
ENVIRONMENT = ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.utf8", "PG_MAJOR=15", "PGDATA=/var/lib/postgresql/data"]


@pytest.mark.parametrize(
    "config, lines, own",
    [
        ({"Entrypoint": ENTRYPOINT, "Env": ENVIRONMENT}, [], False),
        ({"Entrypoint": ["/usr/local/bin/docker-entrypoint.sh"], "Env": ENVIRONMENT}, ["plpgsql.control"], False),
        ({"Entrypoint": ENTRYPOINT}, ["script:10_postgis.sh", "postgis.control"], True),
        ({"Entrypoint": ENTRYPOINT, "Env": [*ENVIRONMENT, "POSTGRES_INITDB_WALDIR=/wal"]}, [], True),
        ({"Entrypoint": ["/opt/entrypoint.sh"], "Env": ENVIRONMENT}, [], True),
        ({"Entrypoint": ["tini", "docker-entrypoint.sh"], "Env": ENVIRONMENT}, [], True),
        ({"Entrypoint": None, "Env": None}, [], True),
        ({}, [], True),
    ],
)
def test_whether_a_first_start_does_more_than_initdb(config, lines, own):
    assert images._own_first_start(config, lines) is own
