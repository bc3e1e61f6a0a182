# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of other servers, as providers write them."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import remote_database

PASSWORD = "a password of the source"


@pytest.mark.parametrize(
    ("url", "sslmode", "ignored"),
    [
        ("postgresql://app@ep-a-1.eu.aws.neon.tech/shop?sslmode=require&channel_binding=require", "require", 1),
        ("postgresql://app@ep-a-1.neon.tech/shop?sslmode=require&options=endpoint%3Dep-a-1", "require", 1),
        ("postgresql://postgres.abc@aws-0-eu.pooler.supabase.com:5432/postgres", "require", 0),
        ("postgres://postgres.abc@aws-0-eu.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1", "require", 2),
        ("postgres://abc@ec2-1.compute-1.amazonaws.com:5432/d1a2", "require", 0),
        ("postgresql://app@db:5432/shop?schema=public&connection_limit=5&pool_timeout=10&sslmode=prefer", "prefer", 3),
        ("postgresql://app@db/shop?sslmode=no-verify", None, 0),
        ("postgresql://app@db/shop?sslmod=disable", None, 0),
        ("postgresql://app@db/shop?hostaddr=10.0.0.1", None, 0),
    ],
)
def test_what_providers_write(url, sslmode, ignored):
    if sslmode is None:
        with pytest.raises(DatabaseError, match="sslmode"):
            remote_database.parse(url, PASSWORD, None)
        return
    known = remote_database.parse(url, PASSWORD, None)
    assert known.sslmode == sslmode and len(known.ignored) == ignored
