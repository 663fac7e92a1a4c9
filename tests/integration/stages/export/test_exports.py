"""Exports of finished jobs: made by the real children, opened again by other libraries."""

import io
import re
import zipfile
from xml.etree import ElementTree as ET

import docx
import pymupdf
import pytest
from PIL import Image

from shared.errors import QuireError
from shared.settings import Settings
from stages.export import make_export
from store import Store
from tests.fakes.export_jobs import finished_job
from tests.fakes.merge_jobs import block

WORDS = {1: "A line of English text", 2: "第二页的中文内容", 3: "Строка Ελλάδα 😀 שלום"}


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data")


@pytest.fixture
def store(settings):
    store = Store.open(settings)
    yield store
    store.close()


def export(kind, job, store, settings) -> bytes:
    return store.blobs.read(make_export(kind, job, store, settings, lambda: None))


def scan(pages=1, rotate=0, crop=None) -> bytes:
    """Pages that are only pictures."""
    with pymupdf.open() as document:
        for _ in range(pages):
            page = document.new_page(width=600, height=800)
            picture = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 60, 80), False)
            picture.clear_with(220)
            page.insert_image(page.rect, pixmap=picture)
            page.set_rotation(rotate)
            if crop:
                page.set_cropbox(pymupdf.Rect(crop))
        return document.tobytes()


def lines_of(page):
    """(text, box in 0..1 of the page as displayed, direction as displayed) of each line."""
    found = []
    for each in page.get_text("dict")["blocks"]:
        for line in each.get("lines", ()):
            box = pymupdf.Rect(line["bbox"]) * page.rotation_matrix
            wide, high = page.rect.width, page.rect.height
            text = "".join(span["text"] for span in line["spans"])
            place = (box.x0 / wide, box.y0 / high, box.x1 / wide, box.y1 / high)
            found.append((text, place, line["dir"]))
    return found


@pytest.mark.parametrize(("rotate", "crop"), [(0, None), (90, None), (180, (30, 40, 500, 700))])
def test_a_scan_gets_each_line_at_its_place_and_keeps_its_look(store, settings, rotate, crop):
    data = scan(pages=3, rotate=rotate, crop=crop)
    box = (0.1, 0.2, 0.6, 0.22)
    pages = {n: [block("text", 0, text, bbox=box)] for n, text in WORDS.items()}
    made = export("pdf", finished_job(store, data, pages), store, settings)
    assert made.startswith(data)  # the original byte for byte, with an update behind it
    with pymupdf.open(stream=made) as after, pymupdf.open(stream=data) as before:
        for number, text in WORDS.items():
            ((found, place, _),) = lines_of(after[number - 1])
            assert found == text
            assert place == pytest.approx(box, abs=0.002)
            assert after[number - 1].search_for(text[:5])
            looks = [document[number - 1].get_pixmap().samples for document in (after, before)]
            assert looks[0] == looks[1]


@pytest.mark.parametrize(("turned", "direction"), [(90, (0, -1)), (180, (-1, 0)), (270, (0, 1))])
def test_content_that_lies_on_its_side_has_text_that_runs_with_it(
    store, settings, turned, direction
):
    wide = turned == 180
    box = (0.1, 0.2, 0.6, 0.22) if wide else (0.1, 0.2, 0.13, 0.7)
    job = finished_job(
        store, scan(), {1: [block("text", 0, WORDS[1], bbox=box)]}, turned_degrees=turned
    )
    with pymupdf.open(stream=export("pdf", job, store, settings)) as document:
        ((found, place, runs),) = lines_of(document[0])
    assert found == WORDS[1]
    assert runs == pytest.approx(direction, abs=0.01)
    assert place == pytest.approx(box, abs=0.002)


def test_a_sound_text_layer_stays_and_a_hidden_one_is_replaced(store, settings):
    with pymupdf.open() as document:
        document.new_page().insert_text((72, 72), "This page has sound text of its own.")
        hidden = document.new_page()
        hidden.insert_text((72, 72), "bad old scan words over here", render_mode=3)
        under = document.new_page()
        under.insert_text((72, 72), "bad old words under the scan")
        picture = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 60, 80), False)
        picture.clear_with(200)
        under.insert_image(under.rect, pixmap=picture)
        data = document.tobytes()
    pages = {
        n: [block("text", 0, "what the engine read", bbox=(0.1, 0.1, 0.5, 0.12))] for n in (1, 2, 3)
    }
    made = export("pdf", finished_job(store, data, pages), store, settings)
    with pymupdf.open(stream=made) as document:
        assert document[0].get_text().strip() == "This page has sound text of its own."
        assert document[1].get_text().strip() == "what the engine read"
        assert document[2].get_text().strip() == "what the engine read"
        assert document[2].get_pixmap().pixel(80, 70) == (200, 200, 200)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_images_become_pages_with_their_text(store, settings, kind):
    picture = Image.effect_noise((300, 400), 40).convert("RGB")
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": [picture.rotate(90)]} if kind == "TIFF" else {}
    picture.save(buffer, kind, dpi=(150, 150), **more)
    pages = {1: [block("text", 0, WORDS[2], bbox=(0.1, 0.1, 0.9, 0.2))]}
    job = finished_job(store, buffer.getvalue(), pages)
    with pymupdf.open(stream=export("pdf", job, store, settings)) as document:
        assert document.page_count == (2 if kind == "TIFF" else 1)
        page = document[0]
        assert (page.rect.width, page.rect.height) == pytest.approx((144, 192), abs=0.5)
        ((found, place, _),) = lines_of(page)
        assert (found, place) == (WORDS[2], pytest.approx((0.1, 0.1, 0.9, 0.2), abs=0.002))
        shown = page.get_pixmap(dpi=150)
        assert (shown.width, shown.height) == (300, 400)
        same = Image.frombytes("RGB", (300, 400), shown.samples)
        assert abs(same.getpixel((150, 200))[0] - picture.getpixel((150, 200))[0]) < 25


def test_a_document_that_is_gone_or_broken_is_an_error_with_a_sentence(store, settings):
    job = finished_job(store, b"%PDF-1.7\nnothing", {1: [block("text", 0, "x")]})
    with pytest.raises(QuireError, match=r"[.)]$"):
        make_export("pdf", job, store, settings, lambda: None)
    assert not list((settings.data / "tmp").glob("*.part"))


def test_word_has_headings_lists_tables_with_spans_figures_and_captions(store, settings):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(buffer, "WEBP")
    crop = buffer.getvalue()
    sha256 = store.blobs.put(crop)
    table = (
        "<table><tr><th colspan=2>Head</th></tr><tr><td rowspan=2>tall <b>x</b></td>"
        r"<td>1</td></tr><tr><td>at <i>\(\sqrt{z}\)</i></td></tr></table>"
    )
    pages = {
        1: [
            block("title", 0, "A *fine* title", level=1),
            block("heading", 1, "1 First", level=2),
            block("text", 2, "Some **bold** and $x^2$ and an exam-"),
        ],
        2: [
            block("text", 0, "ple that goes on.", continues_prev=True),
            block("list", 1, "- one\n  - two\n3. three"),
            block("table", 2, table),
            block("caption", 3, "Table 1: numbers", caption_of=2),
            block("figure", 4, "a red field", image=sha256),
            block("equation", 5, "\\frac{a}{b}"),
            block("code", 6, "if x:\n    y()"),
            block("equation", 7, "x_1_2"),
        ],
    }
    job = finished_job(store, scan(2), pages, images=[crop])
    data = export("docx", job, store, settings)
    document = docx.Document(io.BytesIO(data))
    styled = [(p.style.name, p.text) for p in document.paragraphs if p.text]
    assert ("Title", "A fine title") in styled
    assert ("Heading 2", "1 First") in styled
    assert ("Normal", "Some bold and  and an example that goes on.") in styled
    assert ("List Bullet", "one") in styled
    assert ("List Bullet 2", "two") in styled
    assert ("List", "3.\tthree") in styled
    assert ("Caption", "Table 1: numbers") in styled
    assert ("Formula", "x_1_2") in styled  # what cannot be read stays LaTeX
    assert ("Code", "if x:\n    y()") in styled
    (found,) = document.tables
    texts = [[cell.text for cell in row.cells] for row in found.rows]
    assert texts == [["Head", "Head"], ["tall x", "1"], ["tall x", "at "]]
    assert all(run.bold for run in found.cell(0, 0).paragraphs[0].runs)
    (shape,) = document.inline_shapes
    assert shape._inline.docPr.get("descr") == "a red field"
    runs = next(p for p in document.paragraphs if "bold" in p.text).runs
    assert [run.text for run in runs if run.bold] == ["bold"]
    xml = zipfile.ZipFile(io.BytesIO(data)).read("word/document.xml").decode()
    (fraction,) = re.findall(r"<m:oMathPara><m:oMath><m:f>(.*?)</m:f></m:oMath>", xml)
    assert re.findall(r"<m:t[^>]*>(.*?)</m:t>", fraction) == ["a", "b"]
    (cell,) = re.findall(r"at </w:t></w:r><m:oMath>(.*?)</m:oMath></w:p></w:tc>", xml)
    assert cell.startswith("<m:rad>")
    assert re.findall(r"<m:t[^>]*>(.*?)</m:t>", cell) == ["z"]
    assert re.search(r"<w:t[^>]*> and </w:t></w:r><m:oMath><m:sSup>", xml)
    assert re.findall(r'w:name="(page_\d)"', xml) == ["page_1", "page_2"]
    assert document.core_properties.title == "a book.pdf"


def test_word_takes_a_table_over_pages_and_every_odd_table(store, settings):
    head = "<table><tr><th>A</th><th>B</th></tr>"
    odd = "<table><tr><td rowspan=9 colspan=3>a</td></tr><tr><td colspan=99>b</td></tr></table>"
    many = "<table><tr>" + "".join(f"<td>c{n}</td>" for n in range(80)) + "</tr></table>"
    low, top = (0.1, 0.6, 0.9, 0.9), (0.1, 0.1, 0.9, 0.3)
    pages = {
        1: [block("table", 0, f"{head}<tr><td>1</td><td>2</td></tr></table>", bbox=low)],
        2: [
            block("table", 0, f"{head}<tr><td>3</td><td>4</td></tr></table>", bbox=top),
            block("text", 1, "between"),
            block("table", 2, odd),
            block("text", 3, "between"),
            block("table", 4, many),
        ],
    }
    data = export("docx", finished_job(store, scan(2), pages), store, settings)
    joined, spanned, wide = docx.Document(io.BytesIO(data)).tables
    assert [[c.text for c in row.cells] for row in joined.rows] == [
        ["A", "B"],
        ["1", "2"],
        ["3", "4"],
    ]
    assert {c.text for row in spanned.rows for c in row.cells} >= {"a", "b"}
    text = "\t".join(c.text for c in wide.rows[0].cells)
    assert len(wide.columns) == 63
    assert all(f"c{n}" in text.split() for n in range(80))


def test_hocr_is_xml_with_pages_areas_and_lines_at_their_pixels(store, settings):
    pages = {
        1: [
            block("header", 0, "a head", bbox=(0.1, 0.02, 0.9, 0.04)),
            block("text", 1, "A & B <i>x</i>", bbox=(0.1, 0.5, 0.9, 0.6), confidence=0.875),
        ],
        2: [],
    }
    job = finished_job(store, scan(2), pages, name="<b> & Söhne.pdf")
    tree = ET.fromstring(export("hocr", job, store, settings))
    spaces = {"h": "http://www.w3.org/1999/xhtml"}
    assert tree.findtext("h:head/h:title", namespaces=spaces) == "<b> & Söhne.pdf"
    first, second = tree.findall("h:body/h:div", spaces)
    assert first.get("title") == "bbox 0 0 2500 3333; ppageno 0; scan_res 300 300"
    assert second.get("title").endswith("ppageno 1; scan_res 300 300")
    head, area = first.findall("h:div", spaces)
    assert head.get("class") == "ocr_header"
    assert area.get("title") == "bbox 250 1666 2250 2000; x_type text; order 1; x_wconf 88"
    (line,) = area.findall("h:span", spaces)
    assert (line.get("class"), line.text) == ("ocr_line", "A & B x")
    assert line.get("title") == "bbox 250 1666 2250 2000"
