"""The picture of a page and its text, tied to each other."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.steps import make_pdf, upload, wait_until_done
from tests.e2e.conftest import System

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def address(browser, system: System, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A job of three pages that is done."""
    document = make_pdf(tmp_path_factory.mktemp("reading") / "book.pdf", 3, "Ultima Thule")
    page = browser.new_page()
    job = upload(page, system, document)
    wait_until_done(page)
    page.close()
    return f"{system.url}/jobs/{job}"


def inside(inner: dict, outer: dict) -> bool:
    return (
        inner["x"] >= outer["x"] - 1
        and inner["y"] >= outer["y"] - 1
        and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
        and inner["y"] + inner["height"] <= outer["y"] + outer["height"] + 1
    )


def test_blocks_lead_to_their_text_and_back(page: Page, address: str):
    page.goto(address)
    boxes = page.locator(".box")
    texts = page.locator("#panel-rendered [data-order]")
    assert boxes.count() == texts.count() >= 2
    picture = page.locator(".stage img")
    picture.evaluate("image => image.decode()")
    for number in range(boxes.count()):
        assert inside(boxes.nth(number).bounding_box(), picture.bounding_box())

    order = texts.nth(1).get_attribute("data-order")
    texts.nth(1).hover()
    expect(page.locator(f".box[data-order='{order}']")).to_have_class("box lit")
    boxes.nth(0).hover()
    expect(texts.nth(0)).to_have_class("lit")
    boxes.nth(0).click()
    expect(texts.nth(0)).to_have_class("lit chosen")
    texts.nth(1).click()
    expect(page.locator(".box.chosen")).to_have_attribute("data-order", order)


def test_kinds_and_blocks_are_hidden_and_stay_hidden_on_the_next_page(page: Page, address: str):
    page.goto(address)
    kind = page.locator(".kind").first
    name = kind.get_attribute("data-kind")
    kind.click()
    expect(page.locator(f".box[data-type={name}]:visible")).to_have_count(0)
    expect(page.locator(".box:visible").first).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator(".sheet[data-number='2']")).to_be_attached()
    expect(page.locator(f".box[data-type={name}]:visible")).to_have_count(0)
    page.keyboard.press("b")
    expect(page.locator(".box:visible")).to_have_count(0)
    page.keyboard.press("b")
    expect(page.locator(".box:visible").first).to_be_visible()


def test_zoom_keeps_the_boxes_on_the_picture(page: Page, address: str):
    page.goto(address)
    before = page.locator(".stage").bounding_box()["width"]
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(page.locator("[data-part=zoom]")).to_have_text("150%")
    stage, box = page.locator(".stage").bounding_box(), page.locator(".box").first.bounding_box()
    assert stage["width"] == pytest.approx(1.5 * before, rel=0.05)
    assert inside(box, stage)
    page.keyboard.press("0")
    expect(page.locator("[data-part=zoom]")).to_have_text("100%")


def test_tabs_show_the_page_in_five_ways(page: Page, address: str):
    page.goto(f"{address}?page=2")
    page.keyboard.press("2")
    expect(page.locator("#panel-markdown")).to_contain_text("# Chapter 2")
    page.keyboard.press("3")
    expect(page.locator(".block-list > li").first).to_contain_text("Chapter 2")
    page.keyboard.press("4")
    expect(page.locator("#panel-json")).to_contain_text('"bbox"')
    page.keyboard.press("5")
    expect(page.locator("#panel-raw")).to_contain_text("Chapter 2")
    page.locator("#tab-raw").press("ArrowRight")
    expect(page.locator("#panel-rendered")).to_be_visible()


def test_pages_are_turned_and_a_reload_stays_where_it_was(page: Page, address: str):
    page.goto(address)
    page.locator("[rel=next]").click()
    expect(page.locator(".sheet[data-number='2']")).to_be_attached()
    expect(page.locator(".cell[aria-selected=true]")).to_have_text("2")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".sheet[data-number='3']")).to_be_attached()
    expect(page.locator("[rel=next]")).to_have_attribute("aria-disabled", "true")
    page.reload()
    expect(page.locator(".sheet[data-number='3']")).to_be_attached()
    expect(page.locator(".sheet-head")).to_contain_text("of 3")


def test_the_markdown_is_copied(page: Page, address: str):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{address}?page=3")
    page.keyboard.press("c")
    expect(page.locator("[data-copy]")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("# Chapter 3")
    page.keyboard.press("d")
    page.locator("#copy-all").click()
    expect(page.locator(".notice")).to_contain_text("clipboard")
    assert "Chapter 1" in page.evaluate("navigator.clipboard.readText()")


def test_what_was_searched_for_is_marked(page: Page, address: str):
    page.goto(f"{address}?page=1&find=thule+%22page+1%22")
    marks = page.locator(".rendered mark")
    expect(marks.first).to_have_text("Thule")
    assert {text.lower() for text in marks.all_inner_texts()} == {"thule", "page 1"}
    expect(marks.first).to_be_in_viewport()
