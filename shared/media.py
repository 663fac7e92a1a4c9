"""What a file is, by its first bytes; never by its name. Pure Python: nothing is parsed.

Sources: the signatures in the PDF, PNG, JPEG, TIFF, GIF, WebP (RIFF) and BMP specifications, and
APPNOTE.TXT for the local file headers of ZIP, which EPUB, XPS and CBZ are made of.
"""

import struct
from collections.abc import Iterator

HEAD_BYTES = 65536  # the names inside XPS and CBZ need a look past the first entries

PDF = "application/pdf"
EPUB = "application/epub+zip"
XPS = "application/vnd.ms-xpsdocument"
CBZ = "application/vnd.comicbook+zip"
SVG = "image/svg+xml"

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),  # BigTIFF
    (b"MM\x00+", "image/tiff"),
)
_EXTENSIONS = {
    PDF: "pdf",
    EPUB: "epub",
    XPS: "xps",
    CBZ: "cbz",
    SVG: "svg",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/tiff": "tif",
    "image/webp": "webp",
    "image/bmp": "bmp",
}
MEDIA_TYPES = tuple(_EXTENSIONS)
_PDF_SEARCH_BYTES = 1024  # readers accept that much before the header (PDF 1.7, appendix H)
_BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})
_ZIP_ENTRY = b"PK\x03\x04"
_ZIP_ENTRY_BYTES = 30
_COMIC_PAGES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_OFFICE = ("word/", "xl/", "ppt/")
_XML_SPACE = b" \t\r\n"


def extension_of(media_type: str) -> str:
    """The usual file extension without a dot; "bin" for a type that is not ours."""
    return _EXTENSIONS.get(media_type, "bin")


def sniff_media_type(head: bytes) -> str | None:
    """The media type that the first bytes of a file show, None when it is none that we take.

    `head` is the beginning of the file; with less than HEAD_BYTES of a longer file an XPS or CBZ
    may be missed. Nothing is said about the rest: the file may still be damaged.
    """
    head = bytes(head[:HEAD_BYTES])
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if _is_bmp(head):
        return "image/bmp"
    if head.startswith(_ZIP_ENTRY):
        return _zip_media_type(head)
    if b"%PDF-" in head[:_PDF_SEARCH_BYTES]:
        return PDF
    return SVG if _is_svg(head) else None


def _is_bmp(head: bytes) -> bool:
    if not head.startswith(b"BM") or len(head) < 18:
        return False
    (size,) = struct.unpack_from("<I", head, 14)
    return size in _BMP_HEADER_SIZES


def _is_svg(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", errors="ignore").encode()
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(_XML_SPACE)
    if not start.startswith((b"<?xml", b"<!--", b"<!DOCTYPE", b"<svg")):
        return False
    at = _root_element(start)
    return at >= 0 and start.startswith((b"<svg", b"<svg:svg"), at)


def _root_element(text: bytes) -> int:
    """Where the first element starts, behind declaration, comments and DOCTYPE; -1 for nowhere."""
    at = 0
    while 0 <= at < len(text):
        if text.startswith(b"<!--", at):
            end, closing = text.find(b"-->", at), 3
        elif text.startswith((b"<?", b"<!"), at):
            end, closing = _declaration_end(text, at), 1
        else:
            return at if text.startswith(b"<", at) else -1
        if end < 0:
            return -1
        at = end + closing
        while at < len(text) and text[at] in _XML_SPACE:
            at += 1
    return -1


def _declaration_end(text: bytes, at: int) -> int:
    """The ">" that ends a declaration; one with an internal subset ends behind its "]"."""
    end = text.find(b">", at)
    subset = text.find(b"[", at)
    if 0 <= subset < end:
        end = text.find(b">", text.find(b"]", subset)) if b"]" in text[subset:] else -1
    return end


def _zip_media_type(head: bytes) -> str | None:
    names = []
    for name, content in _zip_entries(head):
        if name == "mimetype" and content.startswith(EPUB.encode()):
            return EPUB
        names.append(name)
    if any(name.startswith(_OFFICE) for name in names):
        return None
    lower = [name.lower() for name in names]
    if any(name.endswith((".fdseq", ".fdoc", ".fpage")) for name in lower):
        return XPS
    if any(name.endswith(_COMIC_PAGES) for name in lower) and "[content_types].xml" not in lower:
        return CBZ
    return None


def _zip_entries(head: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and stored bytes of the entries whose local header lies in `head`.

    Entries written as a stream say their size only behind their data; the next header is then
    searched for. A false find in compressed bytes gives a name that matches nothing.
    """
    at = 0
    while at >= 0 and at + _ZIP_ENTRY_BYTES <= len(head):
        flags, size, name_bytes, extra_bytes = struct.unpack_from("<6xH10xI4xHH", head, at)
        start = at + _ZIP_ENTRY_BYTES
        name = head[start : start + name_bytes].decode("utf-8", errors="replace")
        body = start + name_bytes + extra_bytes
        yield name, head[body : body + min(size, 128)]
        streamed = bool(flags & 0x08)
        at = head.find(_ZIP_ENTRY, body) if streamed else body + size
        if not streamed and not head.startswith(_ZIP_ENTRY, at):
            return
