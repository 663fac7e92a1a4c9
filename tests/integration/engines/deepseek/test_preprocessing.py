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
from engines.deepseek.resampling import resize

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors: more threads than cores that are free would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def test_resizing_in_whole_numbers_gives_pillows_bytes() -> None:
    draw = random.Random(3)
    noise = np.random.default_rng(3)
    for _ in range(40):
        before = draw.randint(1, 300), draw.randint(1, 300)
        after = draw.randint(1, 200), draw.randint(1, 200)
        image = noise.integers(0, 256, (before[1], before[0], 3), dtype=np.uint8)
        expected = np.array(Image.fromarray(image).resize(after, Image.Resampling.BICUBIC))
        pixels = torch.from_numpy(image)
        across_first = resize(pixels, *after)
        down_first = resize(resize(pixels, before[0], after[1]), *after)
        # Pillow takes either order
        equal = [np.array_equal(found, expected) for found in (across_first, down_first)]
        assert any(equal), (before, after)


def test_a_small_view_without_tiles_is_squeezed_for_v1() -> None:
    plan = plan_image(V1, 1000, 500, view=640, tiles=False)
    assert plan.scaled == (640, 640)
    assert plan_image(V1, 1000, 500, view=1024, tiles=False).scaled == (1024, 512)
    assert plan_image(V2, 1000, 500, view=768, tiles=False).scaled == (768, 384)


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="299 bytes are no 10 x 10 pixels"):
        make_views(bytes(299), plan_image(V2, 10, 10), CPU, torch.float32)
