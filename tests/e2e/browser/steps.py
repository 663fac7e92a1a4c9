"""What browser tests do again and again."""

from pathlib import Path

import pymupdf
from playwright.sync_api import Page, expect

from tests.e2e.conftest import System


def make_pdf(path: Path, pages: int, words: str) -> Path:
    """A heading and a paragraph on each page."""
    with pymupdf.open() as document:
        for number in range(1, pages + 1):
            sheet = document.new_page()
            sheet.insert_text((72, 90), f"Chapter {number}", fontsize=24)
            body = f"{words} stands on page {number}. " * 12
            sheet.insert_textbox((72, 120, 520, 500), body, fontsize=11)
        document.save(path)
    return path


def upload(page: Page, system: System, document: Path, **fields: str) -> str:
    """Choose the file on the start page; the id of its job."""
    page.goto(system.url)
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("#file").set_input_files(document)
    page.wait_for_url("**/jobs/*")
    return page.url.rpartition("/")[2].partition("?")[0]


def go_to(page: Page, number: int) -> None:
    """A page of the job by its number, from the keyboard."""
    page.keyboard.press("g")
    page.keyboard.type(str(number))
    page.keyboard.press("Enter")


def wait_until_done(page: Page) -> None:
    """Until the job that is shown is done, and its buttons are those of a done one."""
    expect(page.locator("#job[data-state=done]")).to_be_attached()
    expect(page.locator("#downloads")).to_be_visible()
