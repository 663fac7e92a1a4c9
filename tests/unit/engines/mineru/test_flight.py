"""Pages in hand."""

import asyncio

from engines.mineru.flight import Flight
from shared.errors import PageFailed
from shared.ocr_backend import PDF, PageInput


def page(key):
    return PageInput(key=key, media_type=PDF, data=b"")


async def refuse(given):
    return PageFailed(given.key)


async def never(given):
    await asyncio.Event().wait()
    return PageFailed(given.key)


def test_every_page_is_answered_once():
    flight = Flight(refuse, lambda _page: 60.0)
    for number in range(20):
        flight.start(page(str(number)))
    assert len(flight) == 20
    answers = []
    while len(flight):
        answers += flight.finished(5.0)
    flight.close()
    assert sorted(int(key) for key, _ in answers) == list(range(20))
    assert all(str(answer) == key for key, answer in answers)


def test_a_page_that_is_over_its_time_no_longer_moves():
    flight = Flight(never, lambda given: float(given.key))
    assert flight.moves
    flight.start(page("60"))
    assert flight.moves
    flight.start(page("0"))
    assert not flight.moves
    assert flight.finished(0.0) == []
    flight.close()  # and does not wait for it
