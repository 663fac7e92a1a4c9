"""Where the text of pictures goes, and which pictures are looked at."""

import pymupdf

from engines.picture_text import PictureText, pictures_of, with_picture_text
from engines.regions import Line, Region


def image(page, box, *, overlay=True):
    pixmap = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 8, 8))
    page.insert_image(pymupdf.Rect(box), pixmap=pixmap, keep_proportion=False, overlay=overlay)


def test_icons_are_passed_over_and_strips_are_one_picture():
    with pymupdf.open() as document:
        page = document.new_page()
        image(page, (500, 40, 520, 60))
        for top in range(100, 300, 20):
            image(page, (100, top, 300, top + 20))
        (found,) = pictures_of(page)
    assert [round(value) for value in found] == [100, 100, 300, 300]


def test_the_background_of_a_text_is_no_picture_to_read():
    with pymupdf.open() as document:
        page = document.new_page()
        image(page, page.rect, overlay=False)
        assert len(pictures_of(page)) == 1
        for top in range(60, 800, 16):
            page.insert_text((50, top), "words of the page over its background " * 2, fontsize=11)
        assert pictures_of(page) == []


def region(kind, top, bottom):
    return Region(kind, (50, top, 500, bottom), (Line((50, top, 500, bottom), kind, 10),))


def test_text_of_a_picture_stands_before_it_and_an_unseen_picture_is_added():
    said = region("text", 210, 290)
    text = PictureText((50, 200, 500, 300), (said,), 0.97)
    before, after = region("title", 40, 60), region("x", 400, 500)
    picture = region("picture", 200, 300)
    placed = with_picture_text([before, picture, after], [text])
    assert placed == [(before, None), (said, 0.97), (picture, None), (after, None)]
    placed = with_picture_text([before, after], [text])
    assert [each.kind for each, _ in placed] == ["title", "text", "picture", "x"]
