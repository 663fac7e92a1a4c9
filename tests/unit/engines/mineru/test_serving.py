"""Pages out of a feed, through a reader that is told what to do."""

import asyncio
import threading
from collections import deque

from engines.mineru.failures import MEMORY
from engines.mineru.reading import OCR, TEXT, Reading
from engines.mineru.serving import serve
from shared.blocks import PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.ocr_backend import PDF, PageFeed, PageInput

REFUSED = PageFailed("It is none.", code="bad_media_type")


class Feed(PageFeed):
    """Gives the pages of one list after the other, a list for each take that may wait."""

    def __init__(self, *arrivals):
        self._arrivals = deque(arrivals)
        self._here = deque()
        self.capacities = []

    def take(self, limit=1, timeout_seconds=None):
        if not self._here and timeout_seconds != 0 and self._arrivals:
            self._here += self._arrivals.popleft()
        return [
            PageInput(self._here.popleft(), PDF, b"") for _ in range(min(limit, len(self._here)))
        ]

    @property
    def closed(self):
        return not self._here and not self._arrivals

    def set_capacity(self, pages):
        self.capacities.append(pages)


class Reader:
    """The first letter of a key: s for a scan, t for a text layer, x for what is refused."""

    def __init__(self, memory_for=99):
        self.documents = []
        self._memory_for = memory_for
        self._reading = 0

    def prepare(self, page):
        if page.key[0] == "x":
            return REFUSED
        return Reading(page, b"", "flash", OCR if page.key[0] == "s" else TEXT)

    async def read(self, readings):
        self.documents.append([reading.page.key for reading in readings])
        self._reading += len(readings)
        await asyncio.sleep(0)
        fits = self._reading <= self._memory_for
        self._reading -= len(readings)
        if not fits:
            raise OutsideFailed("No memory.", code=MEMORY)
        return [PageOutput((), reading.page.key.encode()) for reading in readings]

    def seconds_for(self, _readings):
        return 60.0


def answers(feed, reader, documents=2):
    moved = threading.Event()
    found = list(serve(feed, reader, documents, moved.set))
    assert moved.is_set()
    return found


def test_every_page_is_answered_whatever_it_is():
    reader = Reader()
    feed = Feed(["s1"], ["s2", "s3", "x4", "t5"], ["t6", "s7"])
    found = dict(answers(feed, reader))
    assert {key: answer.raw.decode() for key, answer in found.items() if key != "x4"} == {
        key: key for key in ("s1", "s2", "s3", "t5", "t6", "s7")
    }
    assert found["x4"] is REFUSED
    assert ["s2", "s3"] in reader.documents


def test_a_page_that_was_taken_is_read_though_no_more_come():
    assert len(answers(Feed(["s1", "t2"]), Reader(), documents=1)) == 2


def test_more_pages_are_asked_for_while_scans_come():
    feed = Feed(["t1"], ["s2"], ["t3"], ["t4"])
    answers(feed, Reader(), documents=1)
    assert feed.capacities[0] == feed.capacities[-1] == 1
    assert max(feed.capacities) == 4


def test_fewer_pages_are_read_together_once_memory_ran_out():
    feed = Feed(["s1", "s2", "s3", "s4"], ["s5", "s6", "s7", "s8"])
    reader = Reader(memory_for=2)
    found = answers(feed, reader, documents=1)
    assert [len(keys) for keys in reader.documents] == [4, 2, 2]
    assert [key for key, answer in found if isinstance(answer, OutsideFailed)] == [
        "s1",
        "s2",
        "s3",
        "s4",
    ]
    assert feed.capacities[-1] == 2
