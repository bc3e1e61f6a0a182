# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pg_restore may run by several sessions is what it has written as a script, entry by entry."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps.archive import queries
from ansible_collections.vellaric.postgres.plugins.module_utils._server import loader

CLUSTERED = b"CREATE INDEX u ON public.a USING btree (t);\n\nALTER TABLE public.a CLUSTER ON u;\n"
EVIL = b"COMMENT ON TABLE public.a IS 'evil';"
# An entry that holds what looks like the beginning of another one.
POSING = (
    b"CREATE INDEX e ON public.a ((t || '\n\n--\n-- Name: z; Type: INDEX\n--\n\n"
    + EVIL.replace(b"'", b"''")
    + b"\n\n'));\n"
)
SCRIPT = (
    b"--\n-- PostgreSQL database dump\n--\n\n\\restrict x\n\nSET standard_conforming_strings = on;\n\n"
    b"SET default_tablespace = '';\n\n--\n-- Name: u; Type: INDEX\n--\n\n"
    + CLUSTERED
    + b"\n\nSET default_tablespace = fast;\n\n--\n-- Name: e; Type: INDEX\n--\n\n"
    + POSING
    + b"\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
)


def test_each_entry_is_known_as_one_query():
    known = queries(SCRIPT)
    for one in (CLUSTERED + b"\n\n", POSING, b"SET default_tablespace = fast;", CLUSTERED.split(b"\n\n")[1]):
        assert loader.checksum(one) in known, one
    for one in (EVIL, EVIL.replace(b"'", b"''"), CLUSTERED + EVIL, b"", POSING + CLUSTERED):
        assert loader.checksum(one) not in known, one


def test_a_session_says_which_it_is_or_nothing():
    assert loader.session("|123 1796024463844317\r") == "123 1796024463844317"
    for said in ("", "|", "|123", "|123 x", "|1 2'; DROP", "1 2\n3 4"):
        with pytest.raises(DatabaseError):
            loader.session(said)
    assert "IS DISTINCT FROM ''" in loader.guard()
