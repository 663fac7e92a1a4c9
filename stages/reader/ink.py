"""How much is on a page, from its preview.

Ink is the mean darkness beside what is around it, 0..1: each pixel against the mean of its
neighbourhood, so that yellowed paper, gray scans and dark pages count like white ones. The image
is halved first, which takes away the noise of scanners and hardly anything of a line; the grain
that is left stays under the floor. A page of text has 0.004 to 0.1, one short line 0.0007, a page
number alone 0.00003, a line of letters that hardly differ from the paper 0.000002, an empty page 0,
an empty page of a bad scanner up to 0.001.
"""

from PIL import Image, ImageChops, ImageFilter

LONG_SIDE = 600  # pixels at which ink is measured: grain is gone, a hairline is not
_AROUND = 12  # pixels of the neighbourhood to each side: wider than strokes
_FLOOR = 6  # levels of 255 that paper and JPEG differ by
_WEIGHTS = [max(0, level - _FLOOR) for level in range(256)]


def ink_of(image: Image.Image) -> float:
    """Ink of an upright RGB or gray page image."""
    gray = image.convert("L")
    factor = max(1, max(gray.size) // LONG_SIDE)
    if factor > 1:
        gray = gray.reduce(factor)
    around = gray.filter(ImageFilter.BoxBlur(_AROUND))
    counts = ImageChops.difference(gray, around).histogram()
    total = sum(weight * count for weight, count in zip(_WEIGHTS, counts, strict=True))
    return total / (255 * gray.width * gray.height)
