"""A bus of real sockets and a broker process."""

from collections.abc import Iterator

import pytest

from tests.fakes.live_bus import Bus


@pytest.fixture
def bus() -> Iterator[Bus]:
    made = Bus()
    made.start_broker()
    yield made
    made.close()
