# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a dump is read with its encoding, and nothing in it hides what follows."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import dump_filter, dump_rules, dump_texts

# A decoder that is not used, too, which does take a quote: what is added to the table needs no other care.
CODECS = sorted({"utf-8", "euc_kr", *dump_texts.CODECS.values()})
# What begins a character in one of them, and the filler of EUC_KR, which begins one of eight bytes.
LEADING = (0x8E, 0x8F, 0xA1, 0xA4, 0xD4, 0xFE)


@pytest.mark.parametrize("codec", CODECS)
def test_no_byte_hides_what_follows_it(codec):
    """A decoder may take a quote for the second half of a character: what is quoted would be a statement then."""
    pairs = [bytes(pair) for length in (1, 2) for pair in itertools.product(range(0x80, 0x100), repeat=length)]
    longer = [bytes(some) for length in (3, 4, 5) for some in itertools.product(LEADING, repeat=length)]
    # What is left of an incomplete character may be all that follows, where that is short.
    for before, ends in itertools.product(pairs + longer, (b"'\";\\\n)$-x", b"';x")):
        shown = dump_texts.text(b"x" + before + ends, codec)
        assert shown.endswith(ends.decode()) and not any(c < "\x80" for c in shown[1 : -len(ends)]), before


def test_what_a_superuser_runs_of_korean_is_what_stands_there():
    """The filler of EUC_KR begins characters of eight bytes."""
    filtered = dump_filter.Filter(dump_rules.OWN, 15)
    given = b"SET client_encoding = 'EUC_KR';\nCOMMENT ON PUBLICATION p IS 'x\xa4\xd4';\n"
    assert list(filtered.pieces(given + b"COMMENT ON PUBLICATION q IS ';ALTER ROLE a SUPERUSER; --';\n", last=True))
    assert filtered.collected.later == [
        "COMMENT ON PUBLICATION p IS 'x\u3164';",
        "COMMENT ON PUBLICATION q IS ';ALTER ROLE a SUPERUSER; --';",
    ]
