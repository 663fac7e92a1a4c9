"""A server, its store and the broker's side of the events, for each test new."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.settings import Settings
from store.store import Store
from tests.fakes.web_system import Bus, free_ports, serving


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    port, bus, events = free_ports(3)
    return Settings(
        port=port,
        data=tmp_path / "data",
        bus=f"tcp://127.0.0.1:{bus}",
        bus_events=f"tcp://127.0.0.1:{events}",
        min_free_mib=1,
        max_file_bytes=3_000_000,
        max_files=3,
    )


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings) as client:
        yield client


@pytest.fixture
def store(settings: Settings):
    store = Store.open(settings)
    yield store
    store.close()


@pytest.fixture
def bus(settings: Settings):
    bus = Bus(settings)
    yield bus
    bus.close()
