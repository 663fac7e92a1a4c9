"""The CPU engine with its real models."""

import re

import numpy as np
import pymupdf
import pytest
from rapidfuzz.distance import Levenshtein

from engines.registry import make_engine, parse_raw
from shared.blocks import BlockType, PageOutput
from shared.errors import OutsideFailed, PageFailed
from shared.ocr_backend import PDF, RGB, PageBatch, PageInput
from shared.settings import Settings


@pytest.fixture(scope="module")
def engine():
    made = make_engine("pymupdf", Settings(), None)
    assert not made.health().model_loaded
    made.load()
    yield made
    made.close()


def answer(engine, data, **options):
    page = PageInput("k", PDF, data, options=options)
    ticks = []
    ((key, found),) = engine.recognize(PageBatch([page]), lambda: ticks.append(1))
    assert key == "k"
    if isinstance(found, PageOutput):
        assert ticks
        assert parse_raw("pymupdf", found.raw, options, Settings()) == found.blocks
    return found


def one_page(path, number=0):
    with pymupdf.open(path) as source, pymupdf.open() as single:
        single.insert_pdf(source, from_page=number, to_page=number)
        return single.tobytes()


def picture_pdf(text="Known words at a known place", turned=0, at=(100, 200)):
    """A scan: text drawn at a place, as pixels, the picture turned clockwise on its page."""
    with pymupdf.open() as drawn:
        page = drawn.new_page(width=600, height=800)
        page.insert_text(at, text, fontsize=20)
        for n in range(6):
            page.insert_text(
                (100, 400 + 40 * n), f"Further line number {n} of the page", fontsize=16
            )
        page.set_rotation(turned)
        pixmap = page.get_pixmap(dpi=150)
    with pymupdf.open() as scan:
        page = scan.new_page(width=pixmap.width * 72 / 150, height=pixmap.height * 72 / 150)
        page.insert_image(page.rect, pixmap=pixmap)
        return scan.tobytes()


def words(text):
    return re.sub(r"[\W_]", "", re.sub(r"%%IGNORE.*|<[^>]+>", "", text)).lower()


def ned(corpus, output, truth):
    want = words((corpus / "dev" / "truth" / truth).read_text(encoding="utf-8"))
    got = words("".join(block.content for block in output.blocks if not block.is_furniture))
    return Levenshtein.normalized_distance(want, got)


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_boxes_lie_where_the_text_is_on_the_page_as_displayed(engine, turned):
    output = answer(engine, picture_pdf(turned=turned))
    assert output.source == "ocr"
    assert output.turned_degrees == (360 - turned) % 360
    (block,) = [b for b in output.blocks if "Known words" in b.content]
    width = pymupdf.get_text_length("Known words at a known place", fontsize=20)
    x0, y0, x1, y1 = 100 / 600, 183 / 800, (100 + width) / 600, 206 / 800
    wanted = {
        0: (x0, y0, x1, y1),
        90: (1 - y1, x0, 1 - y0, x1),
        180: (1 - x1, 1 - y1, 1 - x0, 1 - y0),
        270: (y0, 1 - x1, y1, 1 - x0),
    }[turned]
    assert block.bbox == pytest.approx(wanted, abs=0.015)


@pytest.mark.parametrize(
    ("name", "page", "truth", "source", "most"),
    [
        ("dpr_two_column.pdf", 0, "dpr_two_column.pdf.p1.md", "text_layer", 0.02),
        ("chinese_tables.pdf", 0, "chinese_tables.pdf.md", "text_layer", 0.01),
        ("francais.pdf", 0, "francais.pdf.md", "ocr", 0.02),
        ("cardinal.pdf", 2, "cardinal.pdf.p3.md", "ocr", 0.05),
        ("rotated_skew.pdf", 0, "rotated_skew.pdf.md", "ocr", 0.05),
    ],
)
def test_corpus_pages_read_well(engine, corpus, name, page, truth, source, most):
    output = answer(engine, one_page(corpus / "dev" / name, page))
    assert output.source == source
    assert ned(corpus, output, truth) < most


@pytest.mark.parametrize("name", ["chinese_tables.pdf", "otsl_page9.pdf"])
def test_printed_rules_make_the_tables_of_a_scan(engine, corpus, name):
    truth = (corpus / "dev" / "truth" / f"{name}.md").read_text(encoding="utf-8")
    output = answer(engine, one_page(corpus / "dev" / name), ocr="always")
    assert output.source == "ocr"
    wanted = re.findall(r"<table>.*?</table>", truth)
    tables = [block.content for block in output.blocks if block.type is BlockType.TABLE]
    assert len(tables) == len(wanted) > 0
    for table, want in zip(tables, wanted, strict=True):
        cells = [re.findall(r"<t[rd][^>]*>", each) for each in (table, want)]
        spans = [[sorted(re.findall(r"\w+=.\d", cell)) for cell in each] for each in cells]
        assert spans[0] == spans[1]
        assert Levenshtein.normalized_distance(words(table), words(want)) < 0.03


@pytest.mark.parametrize("name", ["horribleocr.pdf", "truetype_font_nomapping.pdf"])
def test_unsound_text_layers_are_not_used(engine, corpus, name):
    output = answer(engine, one_page(corpus / "dev" / name))
    assert output.source == "ocr"
    assert output.warnings
    assert answer(engine, one_page(corpus / "dev" / name), ocr="never").source == "text_layer"


def test_form_values_are_read(engine):
    with pymupdf.open() as form:
        page = form.new_page()
        page.insert_text((50, 80), "Name of the person who fills this form:")
        field = pymupdf.Widget()
        field.field_name, field.field_type = "name", pymupdf.PDF_WIDGET_TYPE_TEXT
        field.rect, field.field_value = pymupdf.Rect(50, 100, 300, 120), "Ada Lovelace"
        page.add_widget(field)
        output = answer(engine, form.tobytes())
    assert "Ada Lovelace" in " ".join(block.content for block in output.blocks)


def test_a_blank_page_is_an_empty_result(engine):
    with pymupdf.open() as blank:
        blank.new_page()
        assert answer(engine, blank.tobytes()).blocks == ()
    white = np.full((1000, 800, 3), 255, np.uint8).tobytes()
    ((_, output),) = engine.recognize(
        PageBatch([PageInput("k", RGB, white, 800, 1000)]), lambda: None
    )
    assert output.blocks == ()


def test_figures_bring_their_crops(engine, corpus):
    output = answer(engine, one_page(corpus / "dev" / "faa_amt_handbook.pdf"))
    figures = [block for block in output.blocks if block.type is BlockType.FIGURE]
    assert figures
    assert all(figure.image in output.images for figure in figures)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4\nnothing", b"\x00" * 100])
def test_what_is_no_page_fails_with_a_sentence(engine, data):
    failed = answer(engine, data)
    assert isinstance(failed, PageFailed)
    assert failed.code == "damaged"


def test_pixels_that_do_not_fit_fail(engine):
    ((_, failed),) = engine.recognize(
        PageBatch([PageInput("k", RGB, b"123", 10, 10)]), lambda: None
    )
    assert isinstance(failed, PageFailed)


def test_onnx_runtime_reads_the_same_page():
    other = make_engine("pymupdf", Settings(ocr_runtime="onnxruntime", engine_threads=1), None)
    other.load()
    assert other.health().details == {"runtime": "onnxruntime", "precision": "f32", "threads": 1}
    output = answer(other, picture_pdf())
    assert "Known words at a known place" in " ".join(block.content for block in output.blocks)
    other.close()


@pytest.mark.parametrize("precision", ["int8", "bf16", "f32"])
def test_every_precision_of_the_cpu_reads_the_same_page(precision):
    other = make_engine("pymupdf", Settings(ocr_precision=precision, engine_threads=1), None)
    try:
        other.load()
    except OutsideFailed as missing:  # not every CPU has them all: then it says so
        assert missing.code == "precision_missing"  # noqa: PT017
        assert precision != "f32"
        return
    assert other.health().details["precision"] == precision
    output = answer(other, picture_pdf())
    assert "Known words at a known place" in " ".join(block.content for block in output.blocks)
    other.close()


@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_a_precision_without_a_runtime_for_it_is_refused(precision):
    settings = Settings(ocr_runtime="onnxruntime", ocr_precision=precision)
    made = make_engine("pymupdf", settings, None)
    with pytest.raises(OutsideFailed, match="ocr_precision"):
        made.load()
    assert "ocr_precision" in made.health().message


def mixed_pdf(*, labelled=False):
    """A page of text with a picture of text between its paragraphs."""
    with pymupdf.open() as drawn:
        inside = drawn.new_page(width=420, height=120)
        for number, line in enumerate(("Letters that are pixels alone", "and their second line")):
            inside.insert_text((20, 45 + 35 * number), line, fontsize=18)
        pixmap = inside.get_pixmap(dpi=200)
    with pymupdf.open() as document:
        page = document.new_page()
        for top, name in ((60, "before"), (460, "after")):
            for number in range(6):
                line = f"Paragraph {name}, line {number}: plain words of the text layer go on."
                page.insert_text((72, top + 16 * number), line, fontsize=11)
        place = pymupdf.Rect(72, 220, 492, 340)
        page.insert_image(place, pixmap=pixmap, overlay=False)
        if labelled:  # what the picture shows stands over it as text, too
            page.insert_text((92, 265), "Letters that are pixels alone", fontsize=18)
        return document.tobytes()


def test_text_in_a_picture_is_read_between_what_stands_above_and_below(engine):
    output = answer(engine, mixed_pdf())
    assert output.source == "text_layer"
    text = " ".join(block.content for block in output.blocks)
    places = [
        text.index(part)
        for part in ("before, line 5", "Letters that are pixels", "second line", "after, line 0")
    ]
    assert places == sorted(places)
    assert any(block.type is BlockType.FIGURE for block in output.blocks)


def test_what_the_text_layer_says_over_a_picture_is_not_read_twice(engine):
    text = " ".join(b.content for b in answer(engine, mixed_pdf(labelled=True)).blocks)
    assert text.count("pixels alone") == 1
    assert text.count("second line") == 1


def test_pictures_are_left_alone_when_ocr_is_never_wanted(engine):
    text = " ".join(b.content for b in answer(engine, mixed_pdf(), ocr="never").blocks)
    assert "pixels" not in text
    assert "after, line 5" in text
