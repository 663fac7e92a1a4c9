"""What moves while somebody looks: engines, the queue, the time left, a server that restarts."""

from pathlib import Path

import pymupdf
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.steps import make_pdf, upload, wait_until_done
from tests.e2e.conftest import ROOT, System
from tests.fakes.systems import BETTER_ENGINE, TEXT_ENGINE

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def down(system: System, tmp_path: Path) -> Path:
    """While this file exists the engine `better` does not load; it reads three pages a second."""
    file = tmp_path / "down"
    file.touch()
    system.stop()
    system.environment |= {
        "QUIRE_ENGINES": "pymupdf,text,better",
        "QUIRE_ENGINE_CLASSES": f"{TEXT_ENGINE},{BETTER_ENGINE}",
        "QUIRE_TEST_NAP_SECONDS": "0.3",
        "QUIRE_TEST_DOWN": str(file),
        "PYTHONPATH": str(ROOT),
    }
    system.start(healthy=False)
    return file


def short_pages(path: Path, pages: int) -> Path:
    """A line on each page: more of the same would be taken for a model that repeats itself."""
    with pymupdf.open() as document:
        for number in range(1, pages + 1):
            document.new_page().insert_text((72, 90), f"Page {number} of {path.stem}.")
        document.save(path)
    return path


def send(page: Page, system: System, document: Path, engine: str) -> str:
    page.goto(system.url)
    page.locator(f"[data-engine={engine}] input").check()
    page.locator("#file").set_input_files(document)
    page.wait_for_url("**/jobs/*")
    return page.url


def test_engines_the_queue_and_the_time_left_are_told_as_they_change(
    page: Page, system: System, down: Path, tmp_path: Path
):
    page.goto(system.url)
    card = page.locator("[data-engine=better]")
    expect(card).to_have_attribute("data-state", "unhealthy")
    expect(card).to_contain_text("The weights are gone")
    expect(page.locator("#drop")).to_contain_text("up to 512 MB and 5,000 pages each")

    send(page, system, short_pages(tmp_path / "first.pdf", 3), "better")
    second = send(page, system, short_pages(tmp_path / "second.pdf", 40), "better")
    expect(page.locator("#progress")).to_contain_text("1 job before it, 3 pages")
    expect(page.locator(".cell[data-state=queued]")).to_have_count(40)
    start = page.context.new_page()
    start.goto(system.url)
    down.unlink()
    expect(start.locator("[data-engine=better]")).to_have_attribute("data-state", "healthy")
    expect(page.locator("#progress")).to_contain_text("left")
    expect(page.locator(".rendered")).to_contain_text("Page 1 of second.")  # while it runs
    assert page.locator("#job").get_attribute("data-state") == "running"

    page.reload()  # what was read before stays read
    expect(page.locator(".cell[data-state=done]").first).to_be_attached()
    system.stop()
    system.start()
    assert page.url.startswith(second)
    wait_until_done(page)  # without another reload
    expect(page.locator(".cell[data-state=done]")).to_have_count(40)


def test_a_pasted_file_is_sent(page: Page, system: System, tmp_path: Path):
    document = make_pdf(tmp_path / "pasted.pdf", 1, "Pasted")
    page.goto(system.url)
    page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "pasted.pdf"));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        list(document.read_bytes()),
    )
    page.wait_for_url("**/jobs/*")
    expect(page.locator("h1")).to_have_text("pasted.pdf")
    wait_until_done(page)


def test_history_is_filtered_and_jobs_are_run_again_and_downloaded_together(
    page: Page, system: System, tmp_path: Path
):
    for name in ("alpha", "beta"):
        upload(page, system, make_pdf(tmp_path / f"{name}-many.pdf", 1, name))
        wait_until_done(page)
    page.goto(f"{system.url}/jobs")
    page.get_by_role("searchbox").fill("-many.pdf")
    page.get_by_label("State").select_option("done")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".job")).to_have_count(2)
    page.get_by_label("Engine").select_option("auto")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".job")).to_have_count(2)
    page.get_by_label("State").select_option("cancelled")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    page.goto(f"{system.url}/jobs?q=-many.pdf")
    for box in page.locator("input[name=job]").all():
        box.check()
    names = []
    page.on("download", lambda download: names.append(download.suggested_filename))
    with page.expect_download(lambda one: one.suggested_filename.startswith("alpha")):
        page.locator("[data-bulk=zip]").click()
    assert sorted(names) == ["alpha-many.zip", "beta-many.zip"]
    page.locator("[data-bulk=again]").click()
    page.wait_for_url(f"{system.url}/jobs")
    expect(page.locator(".job", has_text="run again")).to_have_count(2)
