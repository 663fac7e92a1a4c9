"""What a watcher makes of the tables of brokers that are newer, or broken."""

import asyncio

import pytest

from bus.codec import encode
from bus.memory import MemoryBus
from shared.health import BusTable
from shared.messages import Table
from shared.settings import Settings

ROW = {"worker": "w", "role": "engine", "service": "s", "pid": 1, "host": "h", "state": "ready"}


@pytest.fixture
def bus():
    made = MemoryBus(Settings())
    yield made
    made.close()


async def test_an_unknown_field_is_left_out_and_a_wrong_row_ends_no_watch(bus, caplog):
    client = bus.client()
    await client.start()
    for number, row in enumerate([{"worker": "w"}, {**ROW, "running": 5}, {**ROW, "mood": "good"}]):
        client.hear([b"table", *encode(Table(f"said-{number}", 1.0, 1.0, (row,), {}, {}))])
    async with asyncio.timeout(10):
        async for event in client.watch():
            if isinstance(event, BusTable) and event.epoch.startswith("said"):
                break
    assert (event.epoch, event.workers[0].worker) == ("said-2", "w")
    assert caplog.text.count("An event was dropped") == 2
