# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bytes of a dump are as text. Pure."""

from __future__ import annotations

import re

# What Python calls the encodings of single bytes that databases have; text of others is read as UTF-8.
CODECS = {
    **{f"LATIN{n}": f"iso8859-{part}" for n, part in enumerate((1, 2, 3, 4, 9, 10, 13, 14, 15, 16), 1)},
    **{f"WIN{page}": f"cp{page}" for page in (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)},
    **{f"ISO_8859_{part}": f"iso8859-{part}" for part in (5, 6, 7, 8)},
    **{"KOI8R": "koi8-r", "KOI8U": "koi8-u", "EUC_JP": "euc_jp", "EUC_KR": "cp949", "EUC_CN": "gb2312"},
}
_PARTS = re.compile(rb"([\x00-\x7f]*)([\x80-\xff]*)")


def text(statement: bytes, codec: str = "utf-8") -> str:
    """Return the text of a statement, in which every byte of ASCII is what it was, whatever stands before it: a decoder
    may take a quote for the second half of a character that is none."""
    parts = []
    for ascii_, others in _PARTS.findall(statement):
        parts += [ascii_.decode("ascii"), others.decode(codec, "replace")]
    return "".join(parts).strip()
