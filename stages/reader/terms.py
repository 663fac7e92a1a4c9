"""What is asked of a reader and what it answers."""

from dataclasses import dataclass

from shared.ocr_backend import PDF, RGB
from shared.settings import MIB, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderLimits:
    """Limits of one child process.

    `memory_mib` is its address space. `max_pixels` is the largest image that is decoded.
    After `page_kill_limit` kills in a row, pages of that document fail at once for
    `give_up_seconds`. The child is replaced after `recycle_pages` pages or above
    `recycle_rss_mib` of resident memory, between pages.
    """

    memory_mib: int = 2048
    open_seconds: float = 30.0
    page_seconds: float = 20.0
    max_pages: int = 5000
    max_pixels: int = 150_000_000
    max_answer_bytes: int = 192 * MIB  # 40 megapixels of RGB, a preview, and room
    page_kill_limit: int = 3
    give_up_seconds: float = 600.0
    recycle_pages: int = 1000
    recycle_rss_mib: int = 768

    @classmethod
    def of(cls, settings: Settings) -> "ReaderLimits":
        """The limits that the settings name."""
        return cls(
            memory_mib=settings.reader_memory_mib,
            open_seconds=settings.open_seconds,
            page_seconds=settings.page_seconds,
            max_pages=settings.max_pages,
            max_pixels=settings.max_pixels,
            recycle_rss_mib=min(768, settings.reader_memory_mib // 2),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWant:
    """What an engine takes.

    `accepts` (PDF, RGB) in its order of preference, `dpi` and `max_pixels` of a rendered page,
    `preview_pixels` of the preview's long side (0: none). `sound_as_pdf`: a page with a sound text
    layer is given as PDF in any case, since it goes to another engine.
    """

    accepts: tuple[str, ...] = (PDF, RGB)
    dpi: int = 200
    max_pixels: int = 40_000_000
    preview_pixels: int = 1200
    sound_as_pdf: bool = False


@dataclass(frozen=True, slots=True)
class OpenedDocument:
    """`pages` counts from 1; `kind` is pdf, image or reflow (laid out or drawn by MuPDF)."""

    pages: int
    media_type: str
    kind: str


@dataclass(frozen=True, slots=True)
class PagePayload:
    """One page.

    `data` is PDF (`width` x `height` in points as displayed, `dpi` 72) or RGB (pixels; `dpi` 0
    when unknown). `preview` is of the type `preview_type`, empty when none was wanted. `text` is
    the kind of text layer (sound, hidden or ""), `ink` how much is on the page, -1 where nothing
    was drawn to look at.
    """

    media_type: str
    data: bytes
    width: int
    height: int
    dpi: float
    preview: bytes
    preview_type: str
    text: str
    ink: float
