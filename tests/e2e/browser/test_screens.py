"""Every screen: screen readers, phones, both themes and languages; the history's bulk acts."""

from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.browser.steps import make_pdf, upload, wait_until_done
from tests.e2e.conftest import System
from tests.fakes.sentences import SAID

pytestmark = pytest.mark.timeout(240)
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def job(browser, system: System, tmp_path_factory: pytest.TempPathFactory) -> str:
    document = make_pdf(tmp_path_factory.mktemp("screens") / "screens.pdf", 2, "Avalon")
    page = browser.new_page()
    found = upload(page, system, document)
    wait_until_done(page)
    page.close()
    return found


def screens(job: str) -> list[str]:
    return [
        "/",
        "/jobs",
        "/jobs?q=avalon",
        "/jobs?q=nowhere",
        f"/jobs/{job}",
        f"/jobs/{job}/compare",
        "/system",
        "/docs",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_has_serious_barriers(page: Page, system: System, job: str, scheme: str):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    axe = Axe()
    for path in [*screens(job), "/nothing-here"]:
        page.goto(system.url + path)
        found = [
            f"{path}: {violation['id']}: {node['html'][:200]}"
            for violation in axe.run(page).response["violations"]
            if violation["impact"] in SERIOUS
            for node in violation["nodes"]
        ]
        assert found == []


def test_open_dialogs_have_no_serious_barriers(page: Page, system: System, job: str):
    page.goto(f"{system.url}/jobs/{job}")
    for key in ("r", "?"):
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        found = Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in SERIOUS] == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()  # keys do nothing until then


CONTROLS = """() => {
    const kinds = "a[href], button, input, select, summary, [tabindex]";
    const all = [...document.querySelectorAll(kinds)];
    const stops = all.filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility()
        && one.getAttribute("aria-disabled") !== "true" && one.id !== "main"
        && !(one.type === "radio" && !one.checked));
    window.unreached = new Set(stops);
    window.unseen = [];
    addEventListener("focusin", ({ target }) => {
        window.unreached.delete(target);
        if (!target.matches(":focus-visible")) window.unseen.push(target.outerHTML.slice(0, 90));
    });
    return stops.length;
}"""


def test_tab_reaches_every_control(page: Page, system: System, job: str):
    for path in [*screens(job), "/nothing-here"]:
        page.goto(system.url + path)
        for _ in range(page.evaluate(CONTROLS) + 3):
            page.keyboard.press("Tab")
        left = page.evaluate("[...window.unreached].map((one) => one.outerHTML.slice(0, 120))")
        assert (path, left, page.evaluate("window.unseen")) == (path, [], [])


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(page: Page, system: System, job: str, width: int):
    page.set_viewport_size({"width": width, "height": 844})
    for path in screens(job):
        page.goto(system.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_language_and_theme_are_chosen_and_kept(page: Page, system: System, job: str):
    page.goto(f"{system.url}/jobs?q=avalon")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    expect(page).to_have_url(f"{system.url}/jobs?q=avalon")
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.locator("h1")).to_have_text("历史")
    page.locator("[name=theme][value=dark]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.goto(f"{system.url}/jobs/{job}")
    expect(page.locator("#job-state")).to_contain_text("已完成")
    assert page.evaluate(paper) == dark
    page.locator("[name=theme][value=light]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.evaluate(paper) != dark


def test_the_browsers_language_is_taken(browser, system: System):
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(system.url)
    expect(page.locator("h1")).to_have_text("把文档变成文字")
    script = page.locator("script[src*='upload.js']").get_attribute("src").split("upload")[0]
    told = page.evaluate(
        """async ([path, texts]) => {
            const { said } = await import(path);
            return texts.map((text) => said(text));
        }""",
        [f"{script}sentences.js", [english for english, _ in SAID]],
    )
    assert told == [chinese for _, chinese in SAID]
    page.locator("#file").set_input_files(
        files=[{"name": "n.pdf", "mimeType": "", "buffer": b"no"}]
    )
    expect(page.locator("#uploads")).to_contain_text("不是可读取的类型")
    context.close()


def test_keys_are_listed_and_lead_somewhere(page: Page, system: System):
    page.goto(system.url)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.wait_for_url("**/jobs#search")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("us?")  # somebody who writes presses no keys of ours
    expect(page.get_by_role("searchbox")).to_have_value("us?")


def test_a_key_works_in_the_frame_in_which_a_dialog_closes(page: Page, system: System, job: str):
    page.goto(f"{system.url}/jobs/{job}")
    opened = page.evaluate(
        """() => {
            const press = (key) => document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
            press("r");
            document.querySelector("#again-dialog [name=engine]").focus();
            document.querySelector("#again-dialog").close();
            press("?");
            return document.querySelector("#keys").open;
        }"""
    )
    assert opened


def test_several_jobs_are_deleted_at_once(page: Page, system: System, tmp_path: Path):
    for name in ("one", "two", "three"):
        upload(page, system, make_pdf(tmp_path / f"{name}-bulk.pdf", 1, name))
        wait_until_done(page)
    page.goto(f"{system.url}/jobs?q=-bulk.pdf")
    boxes = page.locator("input[name=job]")
    expect(boxes).to_have_count(3)
    expect(page.locator("#bulk")).to_be_hidden()
    boxes.nth(0).check()
    boxes.nth(1).click(modifiers=["Shift"])
    expect(page.locator("#bulk")).to_contain_text("2 chosen")
    page.locator("[data-bulk=delete]").click()
    page.get_by_role("button", name="Keep them").click()
    expect(boxes).to_have_count(3)
    page.locator("[data-bulk=delete]").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(boxes).to_have_count(1)
    with httpx.Client(base_url=system.url, trust_env=False) as client:
        left = client.get("/api/v1/jobs", params={"q": "-bulk.pdf"}).json()["jobs"]
    assert [one["document"]["name"] for one in left] == ["one-bulk.pdf"]


def test_a_thumbnail_stands_for_each_document(page: Page, system: System, job: str):
    page.goto(f"{system.url}/jobs?q=screens.pdf")
    image = page.locator(f"[data-job='{job}'] .thumb img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
