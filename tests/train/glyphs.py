"""Pages from a table of glyphs, drawn on any torch device as MuPDF draws them.

MuPDF draws a glyph of under 48 pixels at one of at most 4 places within a pixel across, and at
whole pixels down. All of them make a table (`tests.train.drawing`), and a page is a sum over it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tests.train.pages import ADVANCE, ALPHABET, BODY_POINTS, DPI, PAGE_PIXELS, TITLE_POINTS, Page

CELL = 40  # pixels: a glyph with its surroundings
ORIGIN = (6, 28)  # where in the cell the glyph's origin lies, in pixels
PLACES = 4  # within a pixel, across
SIZES = (BODY_POINTS, TITLE_POINTS)
GLYPHS = "".join(character for character in ALPHABET if not character.isspace())

_NUMBER = np.full(128, -1, np.int32)
for _place, _glyph in enumerate(GLYPHS):
    _NUMBER[ord(_glyph)] = _place


def entries(pages: Sequence[Page]) -> NDArray[np.int32]:
    """What to draw: rows of (page, entry of the table, x, y), x and y of the cell in pixels."""
    scale = DPI / 72
    parts = []
    for number, page in enumerate(pages):
        for line in page.lines:
            glyphs = _NUMBER[np.frombuffer(line.text.encode("ascii"), np.uint8)]
            x = (line.x + np.arange(len(glyphs)) * (ADVANCE * line.size)) * scale
            # smaller than 24 pixels, to the nearest of 4 places; above, up to the nearest of 2
            x += 0.125 if line.size * scale < 24 else 0.0
            pixel = np.floor(x)
            place = ((x - pixel) * PLACES).astype(np.int32)
            entry = (SIZES.index(line.size) * len(GLYPHS) + glyphs) * PLACES + place
            y = np.full_like(entry, int(np.floor(line.baseline * scale + 0.5)) - ORIGIN[1])
            rows = np.stack(
                [np.full_like(entry, number), entry, pixel.astype(np.int32) - ORIGIN[0], y], 1
            )
            parts.append(rows[glyphs >= 0])
    return np.concatenate(parts).astype(np.int32)


class Painter:
    """Draws batches of pages on a device from the table."""

    def __init__(self, table: NDArray[np.uint8], device: torch.device) -> None:
        self._table = torch.from_numpy(table.reshape(-1, CELL, CELL)).to(device).float()
        self._side = PAGE_PIXELS + 2 * CELL  # cells may hang over the edge
        dy, dx = torch.meshgrid(torch.arange(CELL), torch.arange(CELL), indexing="ij")
        self._cell = (dy * self._side + dx).to(device)

    def paint(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        """(count, 256, 256) levels 0..255, float32, white paper, from rows of `entries`."""
        page, entry, x, y = rows.long().unbind(1)
        side = self._side
        start = (page * side + y + CELL) * side + x + CELL
        ink = torch.zeros(count * side * side, device=rows.device)
        places = start[:, None, None] + self._cell
        ink.index_add_(0, places.flatten(), self._table[entry].flatten())
        ink = ink.view(count, side, side)[:, CELL:-CELL, CELL:-CELL]
        return 255 - ink.clamp(max=255)
