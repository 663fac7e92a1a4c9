"""When the queue is full, the answer says for how long to stay away."""

from typing import Any

import pytest

from shared.errors import Busy
from shared.settings import Settings
from web.admission import check_queue


class OpenWork:
    """A store that has so much unfinished work."""

    def __init__(self, jobs: int, pages: int) -> None:
        self._work = (jobs, pages)

    def open_work(self) -> tuple[int, int]:
        return self._work


def wait(jobs: int, pages: int, speed: float) -> int:
    settings = Settings(max_queued_jobs=10, max_queued_pages=1000)
    store: Any = OpenWork(jobs, pages)
    with pytest.raises(Busy) as caught:
        check_queue(settings, store, speed)
    return caught.value.retry_after_seconds


def test_room_is_room():
    store: Any = OpenWork(9, 999)
    check_queue(Settings(max_queued_jobs=10, max_queued_pages=1000), store, 60.0)


def test_the_wait_follows_the_speed_within_bounds():
    assert wait(1, 1000, speed=60) == 50
    assert wait(1, 1000, speed=600) == 5
    assert wait(1, 1000, speed=0) == 50
    assert wait(1, 50_000, speed=1) == 600
    assert wait(10, 0, speed=60) >= 5
