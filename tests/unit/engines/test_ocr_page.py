"""OCR lines on a PDF page for the layout model, and which regions are kept as pixels."""

import numpy as np
import pymupdf
import pytest

from engines.crops import crop_figure
from engines.ocr_page import make_page
from engines.rapid.reader import ReadLine
from engines.regions import Line, Region

DPI = 200
PAGE = np.full((1100, 850, 3), 230, np.uint8)


def line(text, x0, y0, x1, y1):
    return ReadLine(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32), text, 0.9)


def test_lines_stand_where_they_were_read_as_wide_as_they_were():
    given = [line("A (long) line", 100, 100, 700, 150), line("中文第一行", 90, 500, 240, 550)]
    with make_page(PAGE, given, DPI) as document:
        words = document[0].get_text("dict", flags=0)["blocks"]
        found = [span for block in words for each in block["lines"] for span in each["spans"]]
        assert [span["text"] for span in found] == [each.text for each in given]
        for span, each in zip(found, given, strict=True):
            x0, y0, x1, y1 = (value * DPI / 72 for value in span["bbox"])
            assert x0 == pytest.approx(each.box[0, 0], abs=2)
            assert x1 == pytest.approx(each.box[2, 0], abs=2)
            assert (y0 + y1) / 2 == pytest.approx(float(each.box[:, 1].mean()), abs=8)


def test_the_text_is_invisible_and_the_picture_fills_the_page():
    with make_page(PAGE, [line("unseen", 100, 100, 700, 150)], DPI) as document:
        drawn = document[0].get_pixmap(dpi=72)
        pixels = np.frombuffer(drawn.samples, np.uint8)
        assert abs(pixels.astype(int) - 230).max() < 4
        assert document[0].rect == pymupdf.Rect(0, 0, 850 * 72 / DPI, 1100 * 72 / DPI)


def test_a_page_without_lines_is_its_picture():
    with make_page(PAGE, [], DPI) as document:
        assert document[0].get_text().strip() == ""
        assert len(document[0].get_images()) == 1


@pytest.mark.parametrize(
    ("kind", "lines", "kept"),
    [
        ("picture", (), True),
        ("picture", ("a label",), True),
        ("formula", (), True),
        ("formula", ("E = mc^2",), False),
        ("text", ("some text",), False),
        ("table", ("a cell",), False),
    ],
)
def test_figures_alone_are_kept_as_pixels(kind, lines, kept):
    box = (10.0, 10.0, 200.0, 100.0)
    region = Region(kind, box, tuple(Line(box, text, 10.0) for text in lines))
    images: dict[str, bytes] = {}
    name = crop_figure(PAGE, region, 1.0, images)
    assert (name is not None) is kept
    assert list(images) == ([name] if kept else [])
