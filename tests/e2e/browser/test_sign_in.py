"""A server with an API key, used by a person."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import System

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def locked(system: System):
    system.stop()
    system.environment["QUIRE_API_KEYS"] = "open sesame"
    system.start()
    yield system
    del system.environment["QUIRE_API_KEYS"]


def test_a_person_signs_in_and_out(page: Page, locked: System):
    page.goto(f"{locked.url}/jobs")
    page.wait_for_url("**/login")
    assert Axe().run(page).violations_count == 0
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known")
    page.get_by_label("API key").fill("open sesame")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#drop")).to_be_visible()
    page.goto(f"{locked.url}/system")
    expect(page.locator(".engine-tile").first).to_contain_text("pymupdf")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    page.goto(f"{locked.url}/system")
    page.wait_for_url("**/login")
