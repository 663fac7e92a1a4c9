"""A job of very many pages: only the cells that are seen are in the page."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shared.settings import load_settings
from store import Store
from tests.bench.screens import fill
from tests.e2e.browser.steps import go_to
from tests.fakes.web_system import free_ports, serving

pytestmark = pytest.mark.timeout(120)
PAGES = 1500


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a thread of its own, with one long job that is done."""
    folder: Path = tmp_path_factory.mktemp("large")
    port, bus, events = free_ports(3)
    settings = load_settings(
        {
            "data": folder,
            "port": port,
            "bus": f"tcp://127.0.0.1:{bus}",
            "bus_events": f"tcp://127.0.0.1:{events}",
        },
        environ={},
    )
    store = Store.open(settings)
    job = fill(store, PAGES, 40, 1)
    ready, leave = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with serving(settings):
            ready.set()
            await leave.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    try:
        yield f"http://127.0.0.1:{port}/jobs/{job.id}"
    finally:
        loops[0].call_soon_threadsafe(leave.set)
        thread.join(30)
        store.close()
        shutil.rmtree(folder)


def cells_in_the_page(page: Page) -> int:
    return page.evaluate("document.querySelectorAll('.cell').length")


def test_cells_out_of_sight_are_not_in_the_page(page: Page, address: str):
    page.goto(f"{address}?page=700")
    expect(page.locator(".run")).to_have_count(PAGES // 50)
    expect(page.locator(".cell[aria-selected=true]")).to_be_in_viewport()
    expect(page.locator(".cell[data-page='1']")).to_have_count(0)  # was there when it was painted
    assert cells_in_the_page(page) < PAGES / 2
    high = page.locator(".strip").evaluate("strip => strip.scrollHeight")
    page.locator(".strip").evaluate("strip => strip.scrollTo(0, strip.scrollHeight)")
    expect(page.locator(f".cell[data-page='{PAGES}']")).to_be_in_viewport()
    expect(page.locator(".cell[data-page='701']")).to_have_count(0)
    assert cells_in_the_page(page) < PAGES / 2
    assert page.locator(".strip").evaluate("strip => strip.scrollHeight") == high
    page.locator(f".cell[data-page='{PAGES}']").click()
    expect(page.locator(f".sheet[data-number='{PAGES}']")).to_be_attached()


def test_keys_reach_every_cell(page: Page, address: str):
    page.goto(address)
    go_to(page, 1249)
    expect(page.locator(".sheet[data-number='1249']")).to_be_attached()
    page.locator(".cell[data-page='1249']").press("ArrowDown")
    expect(page.locator(".sheet[data-number='1299']")).to_be_attached()
    page.keyboard.press("Home")
    expect(page.locator(".sheet[data-number='1']")).to_be_attached()
    expect(page.locator(".cell[data-page='1']")).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator(f".cell[data-page='{PAGES}']")).to_be_focused()
    page.locator("h1").click()
    go_to(page, 9999)
    expect(page.locator(".notice")).to_contain_text("no page 9999")
    expect(page.locator("[data-goto]")).to_have_value(str(PAGES))
