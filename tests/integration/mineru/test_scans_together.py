"""Scans of several documents that MinerU reads as one: each comes out as if it were alone."""

import json
import subprocess

import pymupdf
import pytest

from tests.fakes.mineru_weights import IMAGE, REGIONS, TEXT, make_weights
from tests.fakes.scans import scan
from tests.fakes.systems import ROOT

pytestmark = pytest.mark.timeout(180)  # loads MinerU, and reads each page on the CPU

FIGURE = (IMAGE, 0.95, 0.05, 0.87, 0.95, 0.97)
WITH_FIGURE = (*REGIONS[:2], (TEXT, 0.95, 0.05, 0.51, 0.95, 0.85), FIGURE)
BEGINS = "a paragraph of one page that is not at its end where the page ends and which seems"
GOES_ON = "to go on here on the page of quite another document that somebody else has sent"


def drawn(name, text, top, size=(595, 842), turned=0):
    """A page of pixels: a paragraph, and a figure that shows the page's name."""
    with pymupdf.open() as source:
        page = source.new_page(width=size[0], height=size[1])
        for line in range(4 if text else 0):
            page.insert_text((72, top + 16 * line), text, fontsize=11)
        page.insert_text((72, 0.92 * size[1]), f"The figure of {name}", fontsize=14)
        picture = page.get_pixmap(dpi=150)
    document = pymupdf.open()
    page = document.new_page(width=size[0], height=size[1])
    page.insert_image(page.rect, pixmap=picture)
    page.set_rotation(turned)
    return document


@pytest.fixture
def pages(tmp_path) -> list[tuple[str, dict[str, str]]]:
    """Scans of several kinds, a page with a text layer among them, and one that is no PDF."""
    text = pymupdf.open()
    text.new_page().insert_text((72, 72), "This page was born with its text. " * 3, fontsize=9)
    cut = drawn("cut", "a page of which only a part is shown", 300, size=(700, 900))
    cut[0].set_cropbox(pymupdf.Rect(30, 60, 600, 880))
    made = {
        "begins": drawn("begins", BEGINS, 640),
        "goes_on": drawn("goes_on", GOES_ON, 130),
        "empty": drawn("empty", "", 0),
        "text": text,
        "cut": cut,
        "turned": drawn("turned", BEGINS, 200, turned=90),
    }
    for name, document in made.items():
        document.save(tmp_path / f"{name}.pdf")
        document.close()
    (tmp_path / "picture.png").write_bytes(scan())
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    names = ("begins.pdf", "goes_on.pdf", "empty.pdf", "picture.png")
    names += ("text.pdf", "cut.pdf", "broken.pdf", "turned.pdf")
    always = {"goes_on.pdf", "broken.pdf"}  # nothing looks at what these are
    return [(str(tmp_path / name), {"ocr": "always"} if name in always else {}) for name in names]


def read(python, pages, **settings):
    child = ROOT / "tests" / "fakes" / "mineru_child.py"
    command = [python, child, json.dumps(settings), json.dumps(pages)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def test_each_page_is_what_it_is_alone(mineru_python, tmp_path, pages):
    weights = make_weights(tmp_path / "weights", WITH_FIGURE)
    found = read(mineru_python, pages, data=str(tmp_path), mineru_models=str(weights))
    first, second, *tries = found["documents"]
    assert first == ["begins.pdf", "goes_on.pdf", "empty.pdf", "picture.png"]
    assert second == ["text.pdf"]  # what it has in common with others would change it
    assert tries == [
        ["cut.pdf", "broken.pdf", "turned.pdf"],
        ["cut.pdf"],
        ["broken.pdf"],
        ["turned.pdf"],
    ]

    alone, together = dict(found["alone"]), dict(found["together"])
    assert len(found["together"]) == len(together) == len(pages)
    assert together == alone
    assert together["broken.pdf"] == {"error": "PageFailed", "code": "damaged"}
    assert together["cut.pdf"]["width"] == 570
    assert [len(together[key]["images"]) for key in first] == [1, 1, 1, 1]
    # MinerU would have joined them, had they been of one document.
    joins = [block.get("continues_prev") for block in found["whole"]["pages"][1]["blocks"]]
    assert True in joins
    assert not any(block["continues_prev"] for block in together["goes_on.pdf"]["blocks"])
    assert found["frozen"] > 100_000  # all that MinerU has loaded
