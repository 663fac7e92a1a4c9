"""How a page becomes the model's views: sizes, tiles, and how many tokens they take."""

from dataclasses import dataclass
from functools import lru_cache

from engines.deepseek.families import Family

PATCH = 16  # pixels on a side of the vision encoder's patches ...
SHRINK = 4  # ... of which 4 x 4 become one token
_V2_QUERIES = (144, 256)  # DeepSeek-OCR-2 has learned queries for 12 x 12 and for 16 x 16 patches


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """The views of one page of `width` x `height` pixels.

    The whole page is scaled to `scaled` (width, height) and put at `offset` (left, top) into a
    grey square of `view` pixels. Where `columns` is not 0 the page is also stretched to
    `columns` x `rows` tiles of `tile` pixels.
    """

    family: Family
    width: int
    height: int
    view: int
    scaled: tuple[int, int]
    offset: tuple[int, int]
    columns: int = 0
    rows: int = 0

    @property
    def tile(self) -> int:
        """The side of a tile in pixels."""
        return self.family.tile

    @property
    def tiles(self) -> int:
        """How many tiles there are."""
        return self.columns * self.rows

    @property
    def tokens(self) -> int:
        """How many tokens the views take in the prompt, their separator included."""
        if not self.family.newline_tokens:
            return _v2_queries(self.view) + self.tiles * _v2_queries(self.tile) + 1
        side, small = _side(self.view), _side(self.tile)
        local = self.rows * small * (self.columns * small + 1)
        return side * (side + 1) + 1 + local


def plan_image(
    family: Family, width: int, height: int, *, view: int = 1024, tiles: bool = True
) -> ImagePlan:
    """Plan a page's views as the model's own processor does.

    A side that would vanish stays one pixel: such a page is a line, but no reason to fail.
    """
    if not tiles and view <= family.squeezed_view:
        scaled = (view, view)
    else:
        scale = view / max(width, height)
        scaled = (max(1, round(width * scale)), max(1, round(height * scale)))
    offset = ((view - scaled[0]) // 2, (view - scaled[1]) // 2)
    columns = rows = 0
    if tiles and max(width, height) > family.tile:
        columns, rows = _grid(family, width, height)
    return ImagePlan(family, width, height, view, scaled, offset, columns, rows)


def _grid(family: Family, width: int, height: int) -> tuple[int, int]:
    """The (columns, rows) whose shape is nearest to the page's.

    Of equally near ones the larger, as long as the page has pixels for half of it.
    """
    best, nearest = (1, 1), float("inf")
    for columns, rows in _grids(family.min_tiles, family.max_tiles):
        distance = abs(width / height - columns / rows)
        enough = width * height > 0.5 * family.tile**2 * columns * rows
        if distance < nearest or (distance == nearest and enough):
            best, nearest = (columns, rows), distance
    return best


@lru_cache(maxsize=8)
def _grids(fewest: int, most: int) -> tuple[tuple[int, int], ...]:
    sides = range(1, most + 1)
    found = [(c, r) for c in sides for r in sides if fewest <= c * r <= most]
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def _side(pixels: int) -> int:
    return -(-(pixels // PATCH) // SHRINK)


def _v2_queries(pixels: int) -> int:
    few, many = _V2_QUERIES
    return few if (pixels // PATCH // SHRINK) ** 2 <= few else many
