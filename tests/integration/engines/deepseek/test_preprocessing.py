"""Views and tiles are those of the model's own image processor, number for number.

transformers has no image processor for DeepSeek-OCR. That of Unlimited-OCR needs torchvision, and
adds one thing to that of DeepSeek-OCR-2, which it derives from: a small view without tiles is
squeezed, which has a test of its own here. So all three are compared with that of DeepSeek-OCR-2,
in the variant of Pillow, set to their own side and number of tiles.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers.models.deepseek_ocr2.image_processing_pil_deepseek_ocr2 import (
    DeepseekOcr2ImageProcessorPil,
    get_optimal_tiled_canvas,
)

from engines.deepseek.families import UNLIMITED, V1, V2, Family
from engines.deepseek.image_plan import ImagePlan, plan_image
from engines.deepseek.pixels import make_views
from engines.deepseek.resampling import across_first, resize

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("family", [V1, V2, UNLIMITED], ids=lambda family: family.name)
def test_the_grid_is_the_references_for_thousands_of_sizes(family: Family) -> None:
    draw = random.Random(5)
    sizes = [(draw.randint(1, 6000), draw.randint(1, 6000)) for _ in range(3000)]
    # whole multiples of tiles: where two grids are equally near
    sizes += [
        (a * family.tile // 2, b * family.tile // 2) for a in range(1, 9) for b in range(1, 9)
    ]
    for width, height in sizes:
        plan = plan_image(family, width, height)
        expected = (0, 0)
        if max(width, height) > family.tile:
            tile = (family.tile, family.tile)
            expected = get_optimal_tiled_canvas((height, width), tile, 2, family.max_tiles)
        assert (plan.columns, plan.rows) == expected, (width, height)


def _processor(family: Family, view: int, *, tiles: bool) -> DeepseekOcr2ImageProcessorPil:
    # without tiles the reference takes the side of its view from tile_size
    return DeepseekOcr2ImageProcessorPil(
        max_patches=family.max_tiles,
        tile_size=family.tile if tiles else view,
        size={"height": view, "width": view},
        crop_to_patches=tiles,
    )


def _check(
    processor: DeepseekOcr2ImageProcessorPil, plan: ImagePlan, image: NDArray[np.uint8]
) -> None:
    """Padding, scaling, tiles and levels of one page, each number the same."""
    size = (plan.width, plan.height)
    expected = processor(images=[image], return_tensors="pt")
    views = make_views(image.tobytes(), plan, CPU, torch.float32)
    assert torch.equal(views.view, expected["pixel_values"][0]), size
    if plan.tiles:
        assert torch.equal(views.tiles, expected["pixel_values_local"]), size
    else:
        assert "pixel_values_local" not in expected, size


SIZES = [(1240, 1754), (1754, 1240), (300, 200), (768, 768), (769, 500), (40, 3000), (1025, 1024)]


@pytest.mark.parametrize("family", [V1, V2, UNLIMITED], ids=lambda family: family.name)
@pytest.mark.parametrize("tiles", [True, False])
def test_pixels_are_the_references(family: Family, tiles: bool) -> None:
    noise = np.random.default_rng(1)
    processor = _processor(family, 1024, tiles=tiles)
    for width, height in SIZES:
        image = noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
        _check(processor, plan_image(family, width, height, tiles=tiles), image)


def _small_sizes(count: int, view: int) -> Iterator[tuple[int, int]]:
    """Sizes of all shapes up to 1:30 and 30:1, from less than a view to eight times its side.

    None with a side of four pixels or fewer, of its own or in the view: the reference takes those
    for channels.
    """
    draw = random.Random(11)
    while count:
        pixels = math.exp(draw.uniform(math.log(view), math.log(64 * view**2)))
        shape = math.exp(draw.uniform(-math.log(30), math.log(30)))
        width, height = round(math.sqrt(pixels * shape)), round(math.sqrt(pixels / shape))
        if min(width, height) > 4 and view * min(width, height) / max(width, height) > 4.5:
            count -= 1
            yield width, height


@pytest.mark.parametrize("family", [V1, V2, UNLIMITED], ids=lambda family: family.name)
def test_pixels_are_the_references_for_thousands_of_sizes(family: Family) -> None:
    # a twentieth of everything: as many shapes, grids and odd paddings, four hundred times as fast
    small = replace(family, tile=family.tile // 20, squeezed_view=0)
    view = 1024 // 20
    processors = {tiles: _processor(small, view, tiles=tiles) for tiles in (True, False)}
    noise = np.random.default_rng(1).integers(0, 256, 600_000, dtype=np.uint8)
    grids: set[tuple[int, int]] = set()
    for number, (width, height) in enumerate(_small_sizes(1000, view)):
        tiles = number % 4 > 0
        plan = plan_image(small, width, height, view=view, tiles=tiles)
        image = noise[number : number + width * height * 3].reshape(height, width, 3)
        _check(processors[tiles], plan, image)
        grids.add((plan.columns, plan.rows))
    # every number of tiles that the family knows came, and pages without any
    counts = {columns * rows for columns, rows in grids}
    assert {0, 2, 3, 4, 5, 6} <= counts, counts


def _resizes() -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Sizes before and after: lying, standing, square, extreme; smaller, larger, as they were."""
    draw = random.Random(3)
    for _ in range(300):
        before = draw.randint(1, 300), draw.randint(1, 300)
        yield before, (draw.randint(1, 200), draw.randint(1, 200))
    for _ in range(100):  # around the place where Pillow 13 changes its order
        before = draw.randint(20, 200), draw.randint(60, 300)
        fewer = draw.randint(-5, 15)
        after = before[0] - fewer, before[1] - 2 * fewer - draw.randint(-1, 2)
        yield before, after
    sides = (1, 2, 31, 64, 200)
    for width in sides:
        for height in sides:
            for after in ((64, 64), (31, 200), (200, 31), (width, 31), (31, height)):
                yield (width, height), after
    # as high as a hundred widths and more, where Pillow 12.3 changes its order
    yield from (((width, rows), (7, 90)) for width in (2, 3) for rows in (200, 201, 300, 301))


def test_resizing_in_whole_numbers_gives_pillows_bytes() -> None:
    noise = np.random.default_rng(3)
    orders = {True: 0, False: 0}
    for before, after in _resizes():
        image = noise.integers(0, 256, (before[1], before[0], 3), dtype=np.uint8)
        expected = np.array(Image.fromarray(image).resize(after, Image.Resampling.BICUBIC))
        found = resize(torch.from_numpy(image), *after)
        assert np.array_equal(found, expected), (before, after)
        orders[across_first(before, after)] += 1
    assert min(orders.values()) >= 2, orders  # both came


@pytest.mark.parametrize(
    ("before", "after", "twelve", "thirteen"),
    [
        ((1654, 2339), (724, 1024), True, True),  # A4 at 200 dpi, its view
        ((1654, 2339), (1536, 2304), True, True),
        ((2339, 1654), (1024, 724), True, True),
        ((2339, 1654), (2304, 1536), True, False),  # the tiles of a page that lies
        ((10, 100), (5, 90), True, True),  # twice as many rows as columns less: not more
        ((10, 100), (5, 89), True, False),
        ((10, 100), (20, 100), True, True),
        ((10, 100), (20, 101), True, True),
        ((10, 1001), (10, 1000), False, False),
        ((10, 1000), (1, 990), True, True),
        ((10, 1001), (1, 990), False, True),
    ],
)
def test_the_order_of_passes_is_that_of_each_pillow(
    before: tuple[int, int], after: tuple[int, int], twelve: bool, thirteen: bool
) -> None:
    assert across_first(before, after, 12) == twelve
    assert across_first(before, after, 13) == thirteen


@pytest.mark.parametrize("size", [(2339, 1654), (1654, 2339)], ids=["lying", "standing"])
def test_the_scaled_pages_of_a4_are_pillows(size: tuple[int, int]) -> None:
    plan = plan_image(V2, *size)
    image = np.random.default_rng(4).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    for after in (plan.scaled, (plan.columns * plan.tile, plan.rows * plan.tile)):
        expected = np.array(Image.fromarray(image).resize(after, Image.Resampling.BICUBIC))
        assert np.array_equal(resize(torch.from_numpy(image), *after), expected), after


def test_a_small_view_without_tiles_is_squeezed_for_v1() -> None:
    plan = plan_image(V1, 1000, 500, view=640, tiles=False)
    assert plan.scaled == (640, 640)
    assert plan_image(V1, 1000, 500, view=1024, tiles=False).scaled == (1024, 512)
    assert plan_image(V2, 1000, 500, view=768, tiles=False).scaled == (768, 384)


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="299 bytes are no 10 x 10 pixels"):
        make_views(bytes(299), plan_image(V2, 10, 10), CPU, torch.float32)
