"""Which pages are read as one document."""

import pytest

from engines.mineru import gathering
from engines.mineru.gathering import Gatherer
from engines.mineru.reading import OCR, TEXT, Reading
from shared.errors import PageFailed
from shared.ocr_backend import PDF, PageBatch, PageInput

REFUSED = PageFailed("It is none.", code="bad_media_type")


def prepare(page):
    """The key says it: the first letter is the mode, then come tier and options."""
    mode = {"s": OCR, "t": TEXT}.get(page.key[0])
    tier = str(page.options.get("tier", "flash"))
    return REFUSED if mode is None else Reading(page, bytes(page.data), tier, mode)


def taken(most, *pages):
    """All documents of a feed, by the keys of their pages, and what was refused."""
    made = [
        PageInput(key, PDF, data, options=options)
        for key, data, options in (
            page if isinstance(page, tuple) else (page, b"", {}) for page in pages
        )
    ]
    feed = PageBatch(made)
    gatherer = Gatherer(feed, prepare)
    documents, refused = [], []
    while len(gatherer) or not feed.closed:
        readings = gatherer.take(most, 0.0)
        documents += [[reading.page.key for reading in readings]] if readings else []
        refused += gatherer.refusals()
    return documents, refused


def test_scans_that_wait_are_read_together_up_to_a_number():
    assert taken(3, "s1", "s2", "s3", "s4") == ([["s1", "s2", "s3"], ["s4"]], [])
    assert taken(1, "s1", "s2") == ([["s1"], ["s2"]], [])


def test_a_page_that_is_read_otherwise_ends_the_document_and_is_not_lost():
    documents, _ = taken(4, "s1", "t2", "t3", "s4", "s5")
    assert documents == [["s1"], ["t2"], ["t3"], ["s4", "s5"]]


@pytest.mark.parametrize("options", [{"tier": "basic"}, {"image_analysis": False}])
def test_other_options_are_another_document(options):
    documents, _ = taken(4, "s1", ("s2", b"", options), ("s3", b"", options))
    assert documents == [["s1"], ["s2", "s3"]]


def test_pages_for_a_vlm_are_read_alone():
    options = {"tier": "standard"}
    assert taken(4, ("s1", b"", options), ("s2", b"", options))[0] == [["s1"], ["s2"]]


def test_bytes_are_bounded(monkeypatch):
    monkeypatch.setattr(gathering, "MOST_BYTES", 10)
    sized = [("s1", b"x" * 4, {}), ("s2", b"x" * 6, {}), ("s3", b"x", {}), ("s4", b"x" * 99, {})]
    assert taken(4, *sized)[0] == [["s1", "s2"], ["s3"], ["s4"]]


def test_a_refused_page_is_answered_and_ends_nothing_else():
    assert taken(4, "s1", "x", "s2") == ([["s1"], ["s2"]], [("x", REFUSED)])
    assert taken(4, "x") == ([], [("x", REFUSED)])


def test_a_page_alone_does_not_wait_for_others():
    waits = []

    class Feed(PageBatch):
        def take(self, limit=1, timeout_seconds=None):
            waits.append(timeout_seconds)
            return super().take(limit, timeout_seconds)

    gatherer = Gatherer(Feed([PageInput("s1", PDF, b"")]), prepare)
    assert len(gatherer.take(4, None)) == 1
    assert waits == [None, 0.0]


def test_it_knows_whether_scans_come():
    gatherer = Gatherer(PageBatch([PageInput("s1", PDF, b""), PageInput("t2", PDF, b"")]), prepare)
    assert not gatherer.gathers
    gatherer.take(4, 0.0)
    assert gatherer.gathers
    gatherer.take(4, 0.0)
    assert not gatherer.gathers
