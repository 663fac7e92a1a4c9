"""What a person called a file: kept as text to show, never used as a path."""

import re
import unicodedata

MAX_CHARACTERS = 200
FALLBACK = "document"
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean_name(text: str) -> str:
    """The last component of a name without controls, at most MAX_CHARACTERS long.

    Direction marks go too: they make "fdp.exe" look like another name. The extension survives the
    cut.
    """
    text = unicodedata.normalize("NFC", re.split(r"[/\\]", text)[-1])
    kept = "".join(
        c for c in text if unicodedata.category(c) not in {"Cc", "Cs"} and c not in _BIDI
    )
    name = " ".join(kept.split()).strip()
    if not name.strip("."):
        return FALLBACK
    if len(name) > MAX_CHARACTERS:
        stem, dot, extension = name.rpartition(".")
        tail = dot + extension if stem and len(extension) <= 10 else ""
        name = name[: MAX_CHARACTERS - len(tail) - 1] + "…" + tail
    return name


def download_name(name: str, extension: str) -> str:
    """`Content-Disposition` for a result of a document (RFC 6266, RFC 8187)."""
    stem = name.rpartition(".")[0] or name
    ascii_stem = re.sub(r"[^A-Za-z0-9._ -]", "_", stem).strip() or FALLBACK
    encoded = "".join(
        chr(byte)
        if chr(byte).isascii() and (chr(byte).isalnum() or byte in b"-._~")
        else f"%{byte:02X}"
        for byte in f"{stem}.{extension}".encode()
    )
    return f"attachment; filename=\"{ascii_stem}.{extension}\"; filename*=UTF-8''{encoded}"
