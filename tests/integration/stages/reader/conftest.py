"""Documents made for one test each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pymupdf
import pytest

from stages.reader import DocumentReader, ReaderLimits

LIMITS = ReaderLimits(memory_mib=1024, open_seconds=5, page_seconds=5)


@pytest.fixture
def reader() -> Iterator[Callable[..., DocumentReader]]:
    """Makes readers; at the end none may have left a process or descriptor behind."""
    process = psutil.Process()
    descriptors = process.num_fds()
    others = {child.pid for child in process.children()}
    readers: list[DocumentReader] = []

    def make(path: Path, limits: ReaderLimits = LIMITS) -> DocumentReader:
        readers.append(DocumentReader(path, limits))
        return readers[-1]

    yield make
    for one in readers:
        one.close()
    assert [child.name() for child in process.children() if child.pid not in others] == []
    assert process.num_fds() <= descriptors


@pytest.fixture
def good_pdf(tmp_path: Path) -> Path:
    """Three pages of text, each with its number."""
    path = tmp_path / "good.pdf"
    with pymupdf.open() as document:
        for number in (1, 2, 3):
            page = document.new_page()
            page.insert_text((72, 72), f"This is the sound text of page {number}.")
        document.save(path)
    return path


@pytest.fixture
def slow_pdf(tmp_path: Path) -> Path:
    """Four pages: the first good, the others of forms that call forms, 10 ** 9 drawings."""
    path = tmp_path / "slow.pdf"
    with pymupdf.open() as document:
        page = document.new_page()
        page.insert_text((72, 72), "This page is good and quick.")
        inner = document.get_new_xref()
        form = "<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<<{}>>>>"
        document.update_object(inner, form.format(""))
        document.update_stream(inner, b"0 0 m 500 700 l 3 w S")
        for _ in range(9):
            outer = document.get_new_xref()
            document.update_object(outer, form.format(f"/XObject<</X {inner} 0 R>>"))
            document.update_stream(outer, b"/X Do " * 10)
            inner = outer
        for _ in range(3):
            page = document.new_page()
            contents = document.get_new_xref()
            document.update_object(contents, "<<>>")
            document.update_stream(contents, b"/X Do")
            document.xref_set_key(page.xref, "Contents", f"{contents} 0 R")
            document.xref_set_key(page.xref, "Resources", f"<</XObject<</X {inner} 0 R>>>>")
        document.save(path)
    return path
