# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bytes of a dump are as text. Pure."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._server.statements import Scanner

# What Python calls the encodings of single bytes that databases have; text of others is read as UTF-8.
CODECS = {
    **{f"LATIN{n}": f"iso8859-{part}" for n, part in enumerate((1, 2, 3, 4, 9, 10, 13, 14, 15, 16), 1)},
    **{f"WIN{page}": f"cp{page}" for page in (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)},
    **{f"ISO_8859_{part}": f"iso8859-{part}" for part in (5, 6, 7, 8)},
    **{"KOI8R": "koi8-r", "KOI8U": "koi8-u", "EUC_JP": "euc_jp", "EUC_KR": "cp949", "EUC_CN": "gb2312"},
}
_PARTS = re.compile(rb"([\x00-\x7f]*)([\x80-\xff]*)")

# Encodings of clients alone, in which the second byte of a character may be one of ASCII, such as a backslash; and how
# long psql takes a character for, of which the end of a line is no part.
# https://github.com/postgres/postgres/blob/master/src/common/wchar.c
_TWO = re.compile(rb"([\x80-\xff])[^\n]")
_SJIS = re.compile(rb"([\x80-\xa0\xe0-\xff])[^\n]")
_JOHAB = re.compile(rb"(\x8f)[^\n]{1,2}|([\x80-\xff])[^\n]")
_GB18030 = re.compile(rb"([\x80-\xff])(?:[0-9][^\n]{0,2}|[^\n])")
_OF_CLIENTS = {
    "sjis": ("cp932", _SJIS),
    "shiftjis2004": ("shift_jis_2004", _SJIS),
    "big5": ("cp950", _TWO),
    "gbk": ("gbk", _TWO),
    "uhc": ("cp949", _TWO),
    "johab": ("johab", _JOHAB),
    "gb18030": ("gb18030", _GB18030),
}
# https://github.com/postgres/postgres/blob/master/src/common/encnames.c
_CALLED = {
    **dict.fromkeys(("mskanji", "shiftjis", "win932", "windows932"), "sjis"),
    **dict.fromkeys(("win950", "windows950"), "big5"),
    **dict.fromkeys(("win936", "windows936"), "gbk"),
    **dict.fromkeys(("win949", "windows949"), "uhc"),
}

# How much is looked at first for the end of a statement: it is masked for that.
_LINES = 1 << 12


@dataclasses.dataclass(frozen=True)
class Encoding:
    """codec: what Python calls it. characters: those of several bytes, whose others may be ASCII; None where not."""

    codec: str = "utf-8"
    characters: re.Pattern[bytes] | None = None

    def text(self, statement: bytes) -> str:
        """Return the text of a statement. No byte of ASCII comes of a character of several."""
        if self.characters is None:
            return text(statement, self.codec)
        parts, position = [], 0
        for match in self.characters.finditer(statement):
            shown = match.group().decode(self.codec, "replace")
            parts += [text(statement[position : match.start()], self.codec, False), _REPLACED.sub("\ufffd", shown)]
            position = match.end()
        return "".join([*parts, text(statement[position:], self.codec, False)]).strip()

    def masked(self, data: bytes) -> bytes:
        """Return whole lines as psql looks at them: of each character, all bytes but the first are none of ASCII."""
        if self.characters is None:
            return data
        if self.characters in (_TWO, _SJIS):
            return self.characters.sub(b"\\1\xff", data)
        return self.characters.sub(lambda match: match.group()[:1] + b"\xff" * (len(match.group()) - 1), data)

    def end(self, scanner: Scanner, buffer: bytearray, last: bool, escapes: bool) -> int | None:
        """Return where the statement ends that a buffer begins with, as psql sees it; None where that is yet to come.

        The arguments are those of Scanner.end.
        """
        if self.characters is None:
            return scanner.end(buffer, last, escapes)
        # Of what has been read before, nothing is looked at again.
        start, size = buffer.rfind(b"\n", 0, scanner.position) + 1, _LINES
        while True:
            whole = last and start + size >= len(buffer)
            stop = len(buffer) if whole else buffer.rfind(b"\n", start, start + size) + 1
            lines = self.masked(bytes(buffer[start : max(start, stop)]))
            end = scanner.end(buffer[:start] + lines, whole, escapes)
            if end is not None or start + size >= len(buffer):
                return end
            size *= 4


_REPLACED = re.compile(r"[\x00-\x7f]")
UTF8 = Encoding()


def encoding(name: bytes) -> Encoding:
    """Return the encoding that the server knows by a name."""
    shown = name.decode("ascii", "replace")
    plain = re.sub(r"[^a-z0-9]", "", shown.lower())
    if _CALLED.get(plain, plain) in _OF_CLIENTS:
        return Encoding(*_OF_CLIENTS[_CALLED.get(plain, plain)])
    return Encoding(CODECS.get(shown.upper(), "utf-8"))


def text(statement: bytes, codec: str = "utf-8", stripped: bool = True) -> str:
    """Return the text of a statement, in which every byte of ASCII is what it was, whatever stands before it: a decoder
    may take a quote for the second half of a character that is none."""
    parts = []
    for ascii_, others in _PARTS.findall(statement):
        parts += [ascii_.decode("ascii"), others.decode(codec, "replace")]
    shown = "".join(parts)
    return shown.strip() if stripped else shown
