"""What a person does: drop a document, watch it being read, find it again tomorrow."""

import zipfile
from pathlib import Path

import httpx
import pymupdf
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.steps import go_to, make_pdf, upload, wait_until_done
from tests.e2e.conftest import System

pytestmark = pytest.mark.timeout(240)


def test_upload_watch_read_restart_find(page: Page, system: System, tmp_path: Path):
    document = make_pdf(tmp_path / "Annual report.pdf", 4, "Zanzibar")
    job = upload(page, system, document)
    expect(page.locator(".cell")).to_have_count(4)
    expect(page.locator(".rendered")).to_contain_text("Zanzibar stands on page 1")
    wait_until_done(page)
    expect(page.locator(".cell[data-state=done]")).to_have_count(4)

    page.locator(".cell[data-page='3']").click()
    expect(page.locator(".rendered")).to_contain_text("Zanzibar stands on page 3")
    assert "page=3" in page.url
    page.get_by_role("tab", name="Markdown").click()
    expect(page.locator("#panel-markdown pre")).to_contain_text("Chapter 3")
    page.locator(".cell[data-page='3']").press("ArrowRight")
    expect(page.locator("#panel-markdown pre")).to_contain_text("Chapter 4")
    image = page.locator(".picture img")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    page.go_back()
    expect(page.locator(".sheet-head")).to_contain_text("Page 3")
    page.keyboard.press("d")
    with page.expect_download() as download:
        page.get_by_role("link", name="Markdown").click()
    assert download.value.suggested_filename == "Annual report.md"
    assert "Zanzibar" in Path(download.value.path()).read_text()

    system.stop()
    system.start()
    page.goto(f"{system.url}/jobs")
    page.get_by_role("searchbox").fill("zanzibar chapter")
    page.keyboard.press("Enter")
    page.locator(".hits a", has_text="page 2").click()
    expect(page.locator(".rendered")).to_contain_text("Zanzibar stands on page 2")
    expect(page.locator(".rendered mark").first).to_have_text("Chapter")
    assert job in page.url


def test_a_dropped_file_is_sent(page: Page, system: System, tmp_path: Path):
    document = make_pdf(tmp_path / "dropped.pdf", 1, "Timbuktu")
    page.goto(system.url)
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            const file = new File([new Uint8Array(bytes)], "dropped.pdf");
            transfer.items.add(file);
            return transfer;
        }""",
        list(document.read_bytes()),
    )
    page.dispatch_event("main", "dragenter", {"dataTransfer": transfer})
    expect(page.locator("#veil")).to_be_visible()
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    page.wait_for_url("**/jobs/*")
    expect(page.locator(".rendered")).to_contain_text("Timbuktu")


def test_pages_are_chosen_run_again_and_deleted(page: Page, system: System, tmp_path: Path):
    document = make_pdf(tmp_path / "chosen.pdf", 5, "Samarkand")
    first = upload(page, system, document, pages="2,4-5")
    wait_until_done(page)
    expect(page.locator(".cell")).to_have_text(["2", "4", "5"])

    page.get_by_role("button", name="Run again").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=pages]").fill("4")
    dialog.locator("[name=engine][value=pymupdf]").check()
    expect(dialog.locator("[name=engine][value=auto]")).not_to_be_checked()
    dialog.locator("[name=reuse]").check()
    dialog.get_by_role("button", name="Run").click()
    page.wait_for_url(lambda url: "/jobs/" in url and first not in url)
    wait_until_done(page)
    expect(page.locator(".cell")).to_have_text(["4"])
    expect(page.get_by_role("link", name="run again from an earlier job")).to_be_visible()

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/jobs")
    expect(page.locator(".job-name", has_text="chosen.pdf")).to_have_count(1)


def test_a_refusal_is_said_in_a_sentence(page: Page, system: System, tmp_path: Path):
    bad = tmp_path / "notes.pdf"
    bad.write_text("These are notes, and no PDF.")
    page.goto(system.url)
    cut = tmp_path / "cut.pdf"
    cut.write_bytes(b"%PDF-1.7 and no more")
    good = make_pdf(tmp_path / "beside.pdf", 1, "Kublai")
    page.locator("#file").set_input_files([bad, cut, good])
    rows = page.locator("#uploads li")
    expect(rows.nth(0)).to_contain_text("none of the types that can be read")
    expect(rows.nth(1)).to_contain_text("damaged")  # found while it is opened, told here too
    expect(rows.nth(2)).to_contain_text("done")
    with httpx.Client(base_url=system.url, trust_env=False) as client:
        names = [job["document"]["name"] for job in client.get("/api/v1/jobs").json()["jobs"]]
    assert "notes.pdf" not in names


def test_a_long_job_is_cancelled(page: Page, system: System, tmp_path: Path):
    upload(page, system, make_pdf(tmp_path / "long.pdf", 300, "Xanadu"))
    expect(page.locator(".cell[data-state=done]").first).to_be_attached()
    expect(page.locator(".strip.many")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#job[data-state=cancelled]")).to_be_attached()
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    assert page.locator(".cell[data-state=cancelled]").count() > 100
    expect(page.locator(".run")).to_have_count(6)
    go_to(page, 249)
    expect(page.locator(".sheet[data-number='249']")).to_be_attached()
    page.locator(".cell[data-page='249']").press("ArrowDown")
    expect(page.locator(".sheet[data-number='299']")).to_be_attached()
    page.locator("h1").click()
    page.keyboard.press("d")  # what was read until then is a result
    with page.expect_download() as download:
        page.get_by_role("link", name="Everything as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        text = archive.read("result.txt").decode()
    assert "Xanadu stands on page 1." in text
    assert "was cancelled]" in text


def test_a_document_that_needs_a_password_is_not_run_again(
    page: Page, system: System, tmp_path: Path
):
    locked = tmp_path / "locked.pdf"
    with pymupdf.open(make_pdf(tmp_path / "open.pdf", 1, "Shangri-La")) as document:
        document.save(locked, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="sesame")
    upload(page, system, locked)
    expect(page.get_by_role("alert")).to_contain_text("needs a password: remove it")
    expect(page.get_by_role("button", name="Delete")).to_be_visible()
    expect(page.get_by_role("button", name="Run again")).to_have_count(0)
    page.keyboard.press("r")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto(f"{system.url}/jobs?q=locked")
    page.locator("input[name=job]").check()
    expect(page.locator("[data-bulk=again]")).to_be_disabled()
