"""Documents in hand."""

import asyncio

from engines.mineru.failures import MEMORY
from engines.mineru.flight import Flight
from engines.mineru.reading import OCR, Reading
from shared.blocks import PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.ocr_backend import PDF, PageInput


def readings(*keys):
    return [Reading(PageInput(key, PDF, b""), b"", "flash", OCR) for key in keys]


def output(key):
    return PageOutput((), key.encode())


class Reader:
    """Reads pages, except those whose key is a failure's; remembers what it was given."""

    def __init__(self, **failures):
        self.failures = failures
        self.given = []

    async def __call__(self, pages):
        keys = [reading.page.key for reading in pages]
        self.given.append(keys)
        for key in keys:
            if key in self.failures:
                raise self.failures[key]
        return [output(key) for key in keys]


async def never(_pages):
    await asyncio.Event().wait()
    return []


def landings(flight):
    found = []
    while len(flight):
        found += flight.finished(5.0)
    flight.close()
    return found


def minute(_pages):
    return 60.0


def test_every_page_is_answered_once():
    reader = Reader()
    flight = Flight(reader, minute)
    for number in range(0, 20, 2):
        flight.start(readings(str(number), str(number + 1)))
    assert (len(flight), flight.pages) == (10, 20)
    answers = [answer for landing in landings(flight) for answer in landing.answers]
    assert sorted(answers, key=lambda a: int(a[0])) == [(str(n), output(str(n))) for n in range(20)]
    assert len(reader.given) == 10
    assert flight.pages == 0


def test_one_bad_page_fails_alone():
    bad = PageFailed("It is bad.", code="damaged")
    reader = Reader(bad=bad)
    flight = Flight(reader, minute)
    flight.start(readings("a", "bad", "b"))
    answers = [landing.answers for landing in landings(flight)]
    assert answers == [(("a", output("a")),), (("bad", bad),), (("b", output("b")),)]
    assert reader.given == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]


def test_pages_for_which_memory_ran_out_are_not_read_again_here():
    full = OutsideFailed("No memory.", code=MEMORY)
    reader = Reader(b=full)
    flight = Flight(reader, minute)
    flight.start(readings("a", "b"))
    [landing] = landings(flight)
    assert landing.memory_ran_out
    assert landing.answers == (("a", full), ("b", full))
    assert reader.given == [["a", "b"]]


def test_a_document_that_is_over_its_time_no_longer_moves():
    flight = Flight(never, lambda pages: float(pages[0].page.key))
    assert flight.moves
    flight.start(readings("60"))
    assert flight.moves
    flight.start(readings("0"))
    assert not flight.moves
    assert flight.finished(0.0) == []
    flight.close()  # and does not wait for it
