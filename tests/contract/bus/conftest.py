"""The contract of the bus, on sockets with a broker process, and on its twin in memory."""

from collections.abc import Iterator

import pytest

from tests.fakes.live_bus import Bus, BusInMemory


@pytest.fixture(params=[Bus, BusInMemory], ids=["sockets", "memory"])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    made: Bus = request.param()
    made.start_broker()
    yield made
    made.close()
