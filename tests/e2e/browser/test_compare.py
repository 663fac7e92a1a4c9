"""Several engines: two readings beside each other, and what became of a page."""

from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.browser.steps import make_pdf, upload, wait_until_done
from tests.e2e.conftest import ROOT, System
from tests.fakes.systems import BETTER_ENGINE, TEXT_ENGINE, scan_of

OTHER_ENGINE = "other=tests.fakes.engines:OtherEngine"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def two_engines(system: System):
    """The CPU engine, and some that say the text layer in another way."""
    system.stop()
    system.environment |= {
        "QUIRE_ENGINES": "pymupdf,text,other,better",
        "QUIRE_ENGINE_CLASSES": f"{TEXT_ENGINE},{OTHER_ENGINE},{BETTER_ENGINE}",
        "QUIRE_BACKOFF_SECONDS": "0.05",
        "PYTHONPATH": str(ROOT),
    }
    system.start()
    return system


def test_several_engines_are_compared_and_a_page_is_taken(
    page: Page, two_engines: System, tmp_path: Path
):
    document = make_pdf(tmp_path / "compared.pdf", 3, "Hy-phens")
    page.goto(two_engines.url)
    page.locator("#several").click()
    page.locator("[data-engine=pymupdf] input").check()
    page.locator("[data-engine=text] input").check()
    expect(page.locator("[name=engine][value=auto]")).not_to_be_checked()
    page.locator("#file").set_input_files(document)
    page.wait_for_url("**/jobs/*")
    wait_until_done(page)
    expect(page.locator(".strip")).to_have_count(2)
    page.locator(".chip[data-reader-of=text]").click()
    expect(page.locator(".sheet[data-engine=text]")).to_be_attached()

    job = page.url.rpartition("/")[2].partition("?")[0]
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".ranked")).to_have_count(3)
    expect(page.locator("[data-side]")).to_have_count(2)
    expect(page.locator("[data-side=right] .words")).to_contain_text("stands on page")
    assert [
        v["id"] for v in Axe().run(page).response["violations"] if v["impact"] == "serious"
    ] == []
    page.keyboard.press("j")
    expect(page.locator(".ranked").nth(1)).to_have_attribute("aria-current", "true")
    page.locator("[data-take=right]").click()
    expect(page.locator("[data-take=right]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".notice")).to_contain_text("now shows")
    number = int(page.url.partition("page=")[2].partition("&")[0])
    with httpx.Client(base_url=two_engines.url, trust_env=False) as client:
        sides = client.get(f"/api/v1/jobs/{job}/compare/{number}").json()
    assert sides["left"]["engine"] == "text"
    assert sides["left"]["taken"]


def test_two_runs_are_compared_with_their_differences_marked(
    page: Page, two_engines: System, tmp_path: Path
):
    first = upload(page, two_engines, make_pdf(tmp_path / "twice.pdf", 1, "Same words"))
    wait_until_done(page)
    page.keyboard.press("r")
    page.locator("#again-form [name=engine][value=text]").check()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: "/jobs/" in url and first not in url)
    wait_until_done(page)
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".ranked")).to_have_count(1)
    expect(page.locator("[data-side=left] .words")).to_contain_text("Same words")
    expect(page.locator(".words del, .words ins")).to_have_count(0)
    expect(page.locator(".share")).to_have_text("100%")
    expect(page.locator("[data-part=count]")).to_have_text("No difference in words")


def test_differences_are_stepped_through_beside_each_other_and_in_one_text(
    page: Page, two_engines: System, tmp_path: Path
):
    document = make_pdf(tmp_path / "zeros.pdf", 1, "Xanadu too")
    page.goto(two_engines.url)
    page.locator("#several").click()
    page.locator("[data-engine=text] input").check()
    page.locator("[data-engine=other] input").check()
    page.locator("#file").set_input_files(document)
    page.wait_for_url("**/jobs/*")
    wait_until_done(page)
    page.set_viewport_size({"width": 1280, "height": 300})
    page.get_by_role("link", name="Compare").click()
    expect(page.locator("[data-part=count]")).to_contain_text("differences")
    page.keyboard.press("p")  # from the first one back to the last
    last = page.locator("[data-words=left] del.current")
    expect(last).to_be_in_viewport()
    expect(page.locator("[data-words=right] ins.current")).to_be_in_viewport()
    assert page.locator("[data-words=left]").evaluate("column => column.scrollTop") > 0

    page.locator("[data-words=left]").hover()
    page.mouse.wheel(0, -5000)  # one column takes the other along
    expect(page.locator("[data-words=right]")).to_have_js_property("scrollTop", 0)
    page.get_by_role("button", name="In one text").click()
    expect(page.locator("[data-words=both] del").first).to_be_visible()
    expect(page.locator("[data-words=left]")).to_be_hidden()
    page.keyboard.press("n")
    expect(page.locator("[data-words=both] .current").first).to_be_in_viewport()
    found = Axe().run(page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.reload()
    expect(page.get_by_role("button", name="In one text")).to_have_attribute("aria-pressed", "true")


def test_the_strip_shows_how_a_page_came_about_and_what_was_refused(
    page: Page, two_engines: System, tmp_path: Path
):
    document = tmp_path / "refused.pdf"
    document.write_bytes(scan_of("a good page", "LOOP for ever", "LOOPCOLD only", "CRASH now"))
    upload(page, two_engines, document)
    wait_until_done(page)
    marks = [cell.get_attribute("data-state") for cell in page.locator(".cell").all()]
    assert marks == ["done", "fallback", "retried", "quarantined"]
    page.locator(".cell[data-page='4']").hover()
    expect(page.locator("#hint")).to_contain_text("died of signal 9")
    expect(page.locator(".legend [data-legend=quarantined]")).to_be_visible()
    page.locator(".cell[data-page='2']").click()
    expect(page.locator(".choice")).to_contain_text("better was refused")
    page.locator(".history-of-page summary").click()
    page.locator("[data-said='0']").click()
    expect(page.locator(".history-of-page pre")).to_contain_text("and so on and so on")
    page.get_by_role("button", name="Run the failed pages again").click()
    expect(page.locator("#again-form [name=pages]")).to_have_value("4")
