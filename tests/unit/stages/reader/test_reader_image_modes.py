import pytest
from PIL import Image

from stages.reader.image_pages import _dpi, to_rgb


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 0, (0, 0, 0)),
        ("1", 1, (255, 255, 255)),
        ("L", 128, (128, 128, 128)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (0, 0, 0, 128), (127, 127, 127)),
        ("CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("I;16", 0x8000, (128, 128, 128)),
        ("I", 0xFF00, (255, 255, 255)),
    ],
)
def test_every_mode_becomes_the_color_that_is_seen(mode, color, expected):
    image = to_rgb(Image.new(mode, (4, 4), color))

    assert image.mode == "RGB"
    assert all(abs(a - b) <= 1 for a, b in zip(image.getpixel((1, 1)), expected, strict=True))


def test_transparent_palette_color_is_white():
    image = Image.new("P", (2, 2), 3)
    image.putpalette([0] * 768)
    image.info["transparency"] = 3

    assert to_rgb(image).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "tag", "expected"),
    [
        ((2480, 3508), (300, 300), 300),
        ((612, 792), (72, 72), 72),
        ((4032, 3024), (72, 72), 0),  # a camera's default: that would be 56 inches
        ((2480, 3508), (1, 1), 0),
        ((2480, 3508), (300, 20), 0),
        ((2480, 3508), ("x", None), 0),
        ((2480, 3508), None, 0),
    ],
)
def test_resolution_is_believed_only_where_it_gives_a_page(size, tag, expected):
    image = Image.new("1", size)
    if tag is not None:
        image.info["dpi"] = tag

    assert _dpi(image) == expected
