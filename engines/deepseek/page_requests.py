"""Pages as requests: checked, turned upright, with the options of their job."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.deepseek.capabilities import MAX_TOKENS, prompt_of
from engines.deepseek.runtime import NGRAM, NGRAM_WINDOW, Request
from shared.errors import PageFailed
from shared.ocr_backend import RGB, PageFeed, PageInput

_MOST_TOKENS = 32_768  # Unlimited-OCR's; a job that asks for more gets that


@dataclass(frozen=True, slots=True)
class PageInHand:
    """A page that a runtime has: its pixels upright, and how far they were turned for that."""

    page: PageInput
    pixels: NDArray[np.uint8]  # (rows, columns, 3)
    turned_degrees: int


@dataclass(slots=True)
class Requests:
    """A `RequestFeed` over the pages that the host gives; remembers what it gave out.

    `free_ids` are those of the tokens that the n-gram ban leaves alone. Pages that cannot be read
    at all wait in `refused`.
    """

    pages: PageFeed
    free_ids: Callable[[], tuple[int, ...]]
    in_hand: dict[str, PageInHand] = field(default_factory=dict)
    refused: list[tuple[str, PageFailed]] = field(default_factory=list)

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Request]:
        """Up to `limit` pages, as `RequestFeed` says.

        [] also when none of those that came can be read: they are answered before the next wait.
        """
        requests: list[Request] = []
        for page in self.pages.take(limit, timeout_seconds):
            try:
                self.in_hand[page.key] = in_hand = _upright(page)
            except PageFailed as failed:
                self.refused.append((page.key, failed))
            else:
                requests.append(_request(in_hand, self.free_ids()))
        return requests

    @property
    def closed(self) -> bool:
        """No more pages will come."""
        return self.pages.closed

    def set_capacity(self, pages: int) -> None:
        """How many pages the runtime can hold."""
        self.pages.set_capacity(pages)


def _upright(page: PageInput) -> PageInHand:
    if page.media_type != RGB:
        raise PageFailed(f"The engine takes no {page.media_type}.", code="bad_media_type")
    if page.width < 1 or page.height < 1 or len(page.data) != page.width * page.height * 3:
        raise PageFailed(
            f"{len(page.data)} bytes are no page of {page.width} x {page.height} pixels.",
            code="bad_page",
        )
    turned = int(page.options.get("turned", 0)) % 360
    pixels = np.frombuffer(page.data, np.uint8).reshape(page.height, page.width, 3)
    if turned:
        pixels = np.ascontiguousarray(np.rot90(pixels, k=turned // 90))
    return PageInHand(page, pixels, turned)


def _request(in_hand: PageInHand, free_ids: tuple[int, ...]) -> Request:
    page, options = in_hand.page, in_hand.page.options
    rows, columns = in_hand.pixels.shape[:2]
    view = str(options.get("view", "auto"))
    tokens = int(options.get("max_tokens", MAX_TOKENS))
    return Request(
        key=page.key,
        pixels=page.data if not in_hand.turned_degrees else in_hand.pixels.tobytes(),
        width=columns,
        height=rows,
        prompt=prompt_of(options),
        view=int(view) if view.isdecimal() else 0,
        tiles=bool(options.get("tiles", True)),
        max_tokens=max(1, min(tokens, _MOST_TOKENS)),
        ngram=max(0, int(options.get("ngram", NGRAM))),
        ngram_window=max(1, int(options.get("ngram_window", NGRAM_WINDOW))),
        ngram_free=free_ids,
        temperature=max(0.0, float(options.get("temperature", 0.0))),
    )
