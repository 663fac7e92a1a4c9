"""A skewed scan through the CPU engine into a searchable PDF: words lie where they are printed."""

import io
import math

import pymupdf
import pytest
from PIL import Image

from engines.registry import make_engine
from shared.ocr_backend import PDF, PageBatch, PageInput
from shared.settings import Settings
from stages.export import make_export
from store import Store
from tests.fakes.export_jobs import finished_job

LINES = [
    "Searchable documents begin here",
    "and the second line is printed below",
    "while the third closes the page.",
    "A fourth is there for good measure",
    "before the fifth and last one ends.",
]
SKEW = 3.0  # degrees, counter-clockwise: lines rise to the right


def skewed_scan():
    """(PDF, each word's place in points of the page): text as pixels, turned round the middle."""
    with pymupdf.open() as drawn:
        page = drawn.new_page(width=600, height=400)
        for number, line in enumerate(LINES):
            page.insert_text((80, 80 + 50 * number), line, fontsize=20)
        words = {word[4]: word[:4] for word in page.get_text("words")}
        pixmap = page.get_pixmap(dpi=150)
    image = Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples)
    image = image.rotate(SKEW, Image.Resampling.BICUBIC, fillcolor="white")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    with pymupdf.open() as scan:
        page = scan.new_page(width=600, height=400)
        page.insert_image(page.rect, stream=buffer.getvalue())
        return scan.tobytes(), words


def turned(x, y):
    """A point of the straight page on the skewed one."""
    cosine, sine = math.cos(math.radians(SKEW)), math.sin(math.radians(SKEW))
    x, y = x - 300, y - 200
    return 300 + x * cosine + y * sine, 200 - x * sine + y * cosine


def test_words_of_a_skewed_scan_are_found_where_they_are_printed(tmp_path):
    data, words = skewed_scan()
    settings = Settings(data=tmp_path)
    engine = make_engine("pymupdf", settings, None)
    engine.load()
    ((_, output),) = engine.recognize(PageBatch([PageInput("k", PDF, data)]), lambda: None)
    engine.close()
    assert output.skew_degrees == pytest.approx(SKEW, abs=0.5)
    store = Store.open(settings)
    job = finished_job(
        store,
        data,
        {1: output.blocks},
        engine="pymupdf",
        raw=output.raw,
        width=output.width,
        height=output.height,
        turned_degrees=output.turned_degrees,
        skew_degrees=output.skew_degrees,
    )
    made = store.blobs.read(make_export("pdf", job, store, settings, lambda: None))
    store.close()
    with pymupdf.open(stream=made) as document:
        found = {word[4]: word[:4] for word in document[0].get_text("words")}
        blocks = document[0].get_text("dict")["blocks"]
        lines = [line for block in blocks for line in block.get("lines", ())]
    read = words.keys() & found.keys()
    assert len(read) >= len(words) - 3  # a letter or two may be misread
    for word in read:
        x0, y0, x1, y1 = words[word]
        expected = turned((x0 + x1) / 2, (y0 + y1) / 2)
        box = found[word]
        assert (box[0] + box[2]) / 2 == pytest.approx(
            expected[0], abs=12
        )  # letters differ in width
        assert (box[1] + box[3]) / 2 == pytest.approx(expected[1], abs=6)
    for line in lines:
        assert math.degrees(math.atan2(-line["dir"][1], line["dir"][0])) == pytest.approx(
            SKEW, abs=0.6
        )
