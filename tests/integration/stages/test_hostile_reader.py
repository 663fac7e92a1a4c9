"""Every hostile file ends within its limits, and a good document reads right behind it."""

import time

import psutil
import pytest

from shared.errors import PageFailed, Refused
from stages.reader import DocumentReader, PageWant, ReaderLimits

LIMITS = ReaderLimits(memory_mib=1024, open_seconds=5, page_seconds=3)
WANT = PageWant(preview_pixels=600)
CODES = {
    "encrypted", "not_a_document", "no_pages", "too_many_pages", "too_large", "open_timeout",
    "out_of_memory", "damaged", "page_timeout", "page_crashed",
}  # fmt: skip
OPENS = {  # a few whose end is known
    "hostile/enc_user_password.pdf": "encrypted",
    "hostile/enc_owner_only.pdf": "read",
    "hostile/zero_bytes.pdf": "not_a_document",
    "hostile/zero_page_document.pdf": "no_pages",
    "hostile/gen_100k_pages.pdf": "damaged",
    "hostile/gen_png_bomb.png": "too_large",
    "hostile/img_decompression_bomb.gif": "too_large",
    "hostile/cpu_trap_test_2548.pdf": "page_timeout",
    "hostile/png_named.pdf": "read",
    "hostile/xref_missing.pdf": "read",
}


def outcome(path):
    with DocumentReader(path, LIMITS) as reader:
        try:
            pages = reader.open().pages
            ends = [str(end) for end in (read(reader, n) for n in range(1, min(pages, 2) + 1))]
            return ends[0]
        except Refused as refused:
            return "names a path" if str(path.parent) in str(refused) else refused.code


def read(reader, number):
    try:
        payload = reader.page(number, WANT)
    except PageFailed as failed:
        return failed.code
    assert payload.data
    assert payload.preview
    return "read"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_whole_folder(corpus):
    good = DocumentReader(corpus / "dev" / "code_and_formula.pdf", LIMITS)
    ends, overdue = {}, {}
    others = set(psutil.Process().children())  # of fixtures that last for the session
    with good:
        for path in sorted((corpus / "hostile").iterdir()):
            if path.suffix == ".csv":
                continue
            started = time.monotonic()
            ends[f"hostile/{path.name}"] = outcome(path)
            seconds = time.monotonic() - started
            # Open and two pages, each at its limit, and three starts of a child.
            if seconds > LIMITS.open_seconds + 2 * LIMITS.page_seconds + 6:
                overdue[path.name] = seconds
            assert read(good, 1) == "read"
    assert len(ends) > 70
    assert overdue == {}
    assert {code for code in ends.values() if code != "read"} <= CODES
    assert {name: ends[name] for name in OPENS} == OPENS
    assert set(psutil.Process().children()) == others
