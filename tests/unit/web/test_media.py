"""Types are told by content; what we do not take is None."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.media import HEAD_BYTES, MEDIA_TYPES, extension_of, sniff_media_type


def archive(*names: str, stored: bytes = b"x" * 50, streamed: bool = False) -> bytes:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.data += data
            return len(data)

    pipe = Pipe()
    sink = pipe if streamed else io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            kind = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            file.writestr(name, stored, compress_type=kind)
    return bytes(pipe.data) if streamed else sink.getvalue()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"junk before it\n%PDF-1.4\n", "application/pdf"),
        (b"x" * 1030 + b"%PDF-1.4", None),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a....", "image/gif"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"MM\0+\0\x08\0\0", "image/tiff"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "image/bmp"),
        (b"BMW is a make of car, not a bitmap", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a > b --> <svg:svg/>", "image/svg+xml"),
        (b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a ">">]> <svg>', "image/svg+xml"),
        ("<svg/>".encode("utf-16"), "image/svg+xml"),
        (b"<!-- about <svg> --><html><svg/></html>", None),
        (b"<!DOCTYPE html><html><svg/></html>", None),
        (b"<?xml", None),
        (b"# A README with a picture <svg>", None),
        (b"%PD", None),
        (b"\x00\x00\x01\x00\x01\x00", None),
        (b"", None),
    ],
)
def test_signatures(head: bytes, expected: str | None):
    assert sniff_media_type(head) == expected


@pytest.mark.parametrize("streamed", [False, True])
def test_archives(streamed: bool):
    epub = archive("mimetype", "META-INF/container.xml", stored=b"application/epub+zip")
    assert sniff_media_type(epub) == "application/epub+zip"
    xps = archive("[Content_Types].xml", "_rels/.rels", "FixedDocSeq.fdseq", streamed=streamed)
    assert sniff_media_type(xps) == "application/vnd.ms-xpsdocument"
    comic = archive("issue 1/", "issue 1/001.JPG", streamed=streamed)
    assert sniff_media_type(comic) == "application/vnd.comicbook+zip"
    word = archive("[Content_Types].xml", "word/media/a.png", streamed=streamed)
    assert sniff_media_type(word) is None
    assert sniff_media_type(archive("notes.txt", streamed=streamed)) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_judged_without_an_error(data: bytes):
    for start in (b"", b"PK\x03\x04", b"<?xml", b"<!--", b"BM", b"\xff\xfe"):
        assert sniff_media_type(start + data) in {None, *MEDIA_TYPES}


def test_every_type_has_an_extension():
    assert {extension_of(media_type) for media_type in MEDIA_TYPES}.isdisjoint({"bin"})
    assert extension_of("text/html") == "bin"


def test_the_corpus(corpus: Path):
    kinds = {
        ".pdf": "application/pdf",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".tif": "image/tiff",
        ".tiff": "image/tiff",
    }
    for path in (corpus / "dev").iterdir():
        if path.suffix in kinds:
            head = path.read_bytes()[:HEAD_BYTES]
            assert sniff_media_type(head) == kinds[path.suffix], path.name
    for name in ("zero_bytes.pdf", "five_bytes.pdf", "not_a_pdf.pdf", "text_named.pdf"):
        assert sniff_media_type((corpus / "hostile" / name).read_bytes()) is None, name
