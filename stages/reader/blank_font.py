"""A font without ink for text that is only searched and copied: every script in one kilobyte.

PDF text is found through its font's ToUnicode map. The codes here are UTF-16 units; characters
beyond the first plane get a code of the surrogate range, which no text uses by itself. The one
glyph is an empty box, so that no viewer needs a font of its own for invisible text, and none
complains about a missing one. ISO 32000-1, 9.7 and 9.10; OpenType 1.9.
"""

import struct
from functools import cache

import pymupdf

UNITS_PER_EM = 1000
ASCENT, DESCENT = 800, -200  # together one em: a line's box is the box of its text
HALF_WIDTH, FULL_WIDTH = 500, 1000
FIRST_LETTER, LAST_LETTER = 0x20, 0x52F
FIRST_SPARE, LAST_SPARE = 0xD800, 0xDFFF  # codes for characters beyond the first plane
_WIDE = ((0x2E80, 0xA4CF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE6F), (0xFF01, 0xFF60))


@cache
def letter_widths() -> dict[int, int]:
    """Widths of Latin, Greek and Cyrillic letters as in Helvetica, in thousandths of an em.

    So words lie where they are printed also in the middle of a line, in most fonts.
    """
    font = pymupdf.Font("helv")
    return {
        code: round(UNITS_PER_EM * font.glyph_advance(code)) or HALF_WIDTH
        for code in range(FIRST_LETTER, LAST_LETTER + 1)
    }


def width_of(character: str) -> int:
    """The character's width in thousandths of an em."""
    code = ord(character)
    if code > 0xFFFF or any(first <= code <= last for first, last in _WIDE):
        return FULL_WIDTH
    return letter_widths().get(code, HALF_WIDTH)


def width_array() -> str:
    """The `W` of the font; codes that it does not name have the default, a half."""
    letters = " ".join(map(str, letter_widths().values()))
    spans = sorted((*_WIDE, (FIRST_SPARE, LAST_SPARE)))
    wide = " ".join(f"{first} {last} {FULL_WIDTH}" for first, last in spans)
    return f"[{FIRST_LETTER} [{letters}] {wide}]"


def to_unicode(spare: dict[str, int]) -> bytes:
    """The ToUnicode CMap: each code is its own character, but for the `spare` ones."""
    lines = [
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Quire-UCS def /CMapType 2 def",
        "1 begincodespacerange <0000> <FFFF> endcodespacerange",
    ]
    # Ranges may not cross a change of the high byte.
    highs = [high for high in range(256) if not FIRST_SPARE <= high << 8 <= LAST_SPARE]
    for start in range(0, len(highs), 100):
        part = highs[start : start + 100]
        lines.append(f"{len(part)} beginbfrange")
        lines += [f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>" for high in part]
        lines.append("endbfrange")
    pairs = sorted((code, character) for character, code in spare.items())
    for start in range(0, len(pairs), 100):
        chunk = pairs[start : start + 100]
        lines.append(f"{len(chunk)} beginbfchar")
        lines += [f"<{code:04X}> <{c.encode('utf-16-be').hex().upper()}>" for code, c in chunk]
        lines.append("endbfchar")
    lines.append("endcmap CMapName currentdict /CMap defineresource pop end end")
    return "\n".join(lines).encode("ascii")


def font_file() -> bytes:
    """A TrueType font whose only glyph is empty."""
    head = struct.pack(
        ">IIIIHHQQhhhhHHhhh",
        *(0x10000, 0x10000, 0, 0x5F0F3CF5, 0, UNITS_PER_EM, 0, 0),
        *(0, DESCENT, FULL_WIDTH, ASCENT, 0, 8, 2, 0, 0),
    )
    hhea = struct.pack(
        ">IhhhHhhhhhhhhhhhH",
        *(0x10000, ASCENT, DESCENT, 0, FULL_WIDTH, 0, 0, FULL_WIDTH, 1, 0, 0, 0, 0, 0, 0, 0, 1),
    )
    maxp = struct.pack(">IHHHHHHHHHHHHHH", 0x10000, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    post = struct.pack(">IIhhIIIII", 0x30000, 0, 0, 0, 1, 0, 0, 0, 0)
    cmap = struct.pack(
        ">HHHHIHHHHHHHHHHHHh", 0, 1, 3, 1, 12, 4, 24, 0, 2, 2, 0, 0, 0xFFFF, 0, 0xFFFF, 1, 0, 0
    )
    tables = {
        b"cmap": cmap[:36],
        b"glyf": bytes(4),
        b"head": head,
        b"hhea": hhea,
        b"hmtx": struct.pack(">Hh", FULL_WIDTH, 0),
        b"loca": struct.pack(">HH", 0, 0),
        b"maxp": maxp,
        b"post": post,
    }
    count = len(tables)
    directory = struct.pack(">IHHHH", 0x10000, count, 128, 3, count * 16 - 128)
    at, body = 12 + 16 * count, b""
    for tag, data in sorted(tables.items()):
        padded = data + bytes(-len(data) % 4)
        directory += struct.pack(">4sIII", tag, _checksum(padded), at, len(data))
        body, at = body + padded, at + len(padded)
    return directory + body


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 4}I", data))
    return total & 0xFFFFFFFF
