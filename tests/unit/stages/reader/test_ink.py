"""Blank pages, faint lines, noise and paper: how much is on a page."""

import random

import pytest
from PIL import Image, ImageDraw

from stages.gate.judging import Thresholds
from stages.reader.ink import ink_of

LIMITS = Thresholds()


def paper(color=255, size=(848, 1200)):
    return Image.new("RGB", size, (color,) * 3)


def with_line(color, width=1, background=255):
    image = paper(background)
    ImageDraw.Draw(image).line((100, 300, 700, 300), fill=(color,) * 3, width=width)
    return image


def noisy(spread):
    noise = random.Random(3)
    image = Image.new("L", (424, 600))
    image.putdata([min(255, max(0, round(noise.gauss(240, spread)))) for _ in range(424 * 600)])
    return image.resize((848, 1200), Image.Resampling.BILINEAR)


@pytest.mark.parametrize("color", [255, 240, 128, 0])
def test_paper_of_any_colour_is_blank(color):
    assert ink_of(paper(color)) == 0.0
    assert ink_of(paper(color, (5000, 7000))) == ink_of(paper(color, (1, 1))) == 0.0


def test_a_shaded_page_is_blank():
    assert ink_of(Image.linear_gradient("L").resize((848, 1200))) < LIMITS.blank_ink


@pytest.mark.parametrize(("color", "background"), [(238, 255), (0, 255), (255, 20), (220, 240)])
def test_a_faint_line_is_not_blank(color, background):
    assert ink_of(with_line(color, background=background)) > LIMITS.blank_ink


def test_a_page_of_a_scanner_is_neither_blank_nor_written_on():
    assert ink_of(noisy(4)) < LIMITS.page_ink


def test_a_line_of_text_is_something():
    image = paper()
    draw = ImageDraw.Draw(image)
    for row in range(3):
        draw.text(
            (100, 100 + 30 * row), "These are words on a page, in a usual size.", fill="black"
        )
    assert ink_of(image) > LIMITS.page_ink
    assert ink_of(image.convert("L")) == pytest.approx(ink_of(image), rel=0.1)
