"""One page in, its output out: text layer or OCR, layout, boxes on the page as displayed."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from engines.crops import crop_figure
from engines.frame import Frame, turn
from engines.layout import lay_out, load_layout
from engines.ocr_page import make_page
from engines.ocr_regions import regions_of
from engines.pdf_page import DPI, open_page, render, turn_of_text
from engines.picture_text import (
    PictureText,
    pictures_of,
    read_pictures,
    with_picture_text,
    words_of,
)
from engines.rapid.arrays import Pixels
from engines.rapid.reader import LineReader, ReadLine
from engines.raw_page import RawLine, RawRegion, dump_page, parse_page
from engines.regions import Line, Region
from engines.ruled_tables import ruled_tables
from engines.text_layer import describe, why_unsound
from engines.upright import read_upright
from shared.blocks import PageOutput
from shared.errors import PageFailed
from shared.ocr_backend import PDF, PageInput
from shared.settings import Settings

_LETTER_POINTS = 14.0  # height of a usual line's box: 10 point letters and the detector's margin
_LEAST_SIDE = 1000  # pixels of the long side; smaller pictures are enlarged
_MOST_ENLARGED = 3.0


class PageReader:
    """All models, loaded."""

    def __init__(self, lines: LineReader) -> None:
        self._lines = lines
        runtime = lines.runtime
        self.details = {
            "runtime": runtime.name,
            "precision": runtime.precision,
            "threads": runtime.threads,
        }
        self.model = f"pymupdf-layout, rapidocr {lines.version} PP-OCRv6 ({runtime.name})"

    @classmethod
    def open(cls, settings: Settings) -> "PageReader":
        """Load. OutsideFailed when models or the runtime asked for are missing."""
        lines = LineReader.open(
            runtime=settings.ocr_runtime,
            precision=settings.ocr_precision,
            threads=settings.engine_threads,
        )
        cv2.setNumThreads(lines.runtime.threads)
        load_layout(lines.runtime.threads)
        return cls(lines)

    def read(self, page: PageInput, progress: Callable[[], None]) -> PageOutput:
        """Read one page. PageFailed when it cannot be read."""
        work = _Work(self._lines, page.options, progress, self.model)
        if page.media_type == PDF:
            return work.read_pdf(page.data)
        if page.width <= 0 or page.height <= 0 or len(page.data) != page.width * page.height * 3:
            raise PageFailed("The picture's size does not fit its pixels.", code="damaged")
        image = np.frombuffer(page.data, dtype=np.uint8).reshape(page.height, page.width, 3)
        return work.read_image(image, page.dpi or DPI, "")


class _Work:
    """One page on its way."""

    def __init__(
        self,
        lines: LineReader,
        options: Mapping[str, Any],
        progress: Callable[[], None],
        model: str,
    ) -> None:
        self._lines = lines
        self._ocr = str(options.get("ocr", "auto"))
        self._tables = bool(options.get("tables", True))
        self._progress = progress
        self._model = model
        self._timings: dict[str, float] = {}
        self._clock = time.perf_counter()

    def read_pdf(self, data: bytes | memoryview) -> PageOutput:
        with open_page(data) as (document, page):
            content = page.get_text("dict", flags=0x40 | 0x200000 | 4)["blocks"]
            self._step("open")
            has_ink = any(block["type"] == 1 for block in content) or bool(page.get_cdrawings())
            area = max(1.0, abs(page.rect.width * page.rect.height))
            unsound = why_unsound(describe(content, area, has_ink=has_ink))
            if self._ocr == "never" or (self._ocr == "auto" and unsound is None):
                return self._read_text_layer(document, page, turn_of_text(content))
            image, dpi = render(page)
            self._step("render")
            return self.read_image(image, dpi, unsound or "")

    def _read_text_layer(self, document: Any, page: Any, turned: int) -> PageOutput:
        width, height = float(page.rect.width), float(page.rect.height)
        page.set_rotation((page.rotation + turned) % 360)
        own = (height, width) if turned in {90, 270} else (width, height)
        _, frame = turn(np.zeros((1, 1, 3), np.uint8), Frame.of_image(1, 1), turned)
        scaled = Frame(frame.to_page @ np.diag([1 / own[0], 1 / own[1], 1.0]), turned)
        regions = lay_out(document, ocr=False, tables=self._tables)
        self._step("layout")
        pictures = pictures_of(document[0]) if self._ocr != "never" else []
        images: dict[str, bytes] = {}
        drawn: Pixels | None = None
        dpi = float(DPI)
        if pictures or any(region.kind == "picture" for region in regions):
            drawn, dpi = render(document[0])
            self._step("render")
        texts: list[PictureText] = []
        if pictures and drawn is not None:
            words = words_of(document[0])
            texts = read_pictures(drawn, dpi / 72, pictures, words, self._lines, self._progress)
            self._step("pictures")
        raw = []
        for region, confidence in with_picture_text(regions, texts):
            name = crop_figure(drawn, region, dpi / 72, images) if drawn is not None else None
            raw.append(_on_page(region, scaled, name, confidence))
        return self._output(raw, width, height, "text_layer", scaled, images, ())

    def read_image(self, image: Pixels, dpi: float, unsound: str) -> PageOutput:
        """Read pixels H x W x 3 RGB at `dpi`."""
        shown = image.shape[1] * 72 / dpi, image.shape[0] * 72 / dpi
        frame = Frame.of_image(image.shape[1], image.shape[0])
        enlarge = min(_MOST_ENLARGED, _LEAST_SIDE / max(image.shape[:2]))
        if enlarge > 1:
            image = np.asarray(
                cv2.resize(image, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC),
                dtype=np.uint8,
            )
            frame = Frame.of_image(image.shape[1], image.shape[0])
            dpi *= enlarge
        upright = read_upright(
            image, frame, self._lines, self._step, self._progress, grids=self._tables
        )
        image, frame, found = upright.image, upright.frame, upright.lines
        heights = [float(line.box[3, 1] - line.box[0, 1]) for line in found]
        # Pages are laid out at the size at which their letters would be usual.
        scale = _LETTER_POINTS / float(np.median(heights)) if heights else 72 / dpi
        size = 72 / dpi / scale  # of letters: back to points of the page as displayed
        lines = [_line(line, scale) for line in found]
        laid_out: list[Region] = []
        if lines:
            document = make_page(image, found, 72 / scale)
            try:
                laid_out = lay_out(document, ocr=True, tables=self._tables)
            except (RuntimeError, ValueError, IndexError):
                laid_out = []  # the order of the lines needs no model
            finally:
                document.close()
        self._step("layout")
        ruled = ruled_tables(upright.grids, lines, scale)
        high = image.shape[0] * scale
        regions = regions_of(lines, laid_out, high, tables=self._tables, ruled=ruled)
        sure = {id(line): read.confidence for line, read in zip(lines, found, strict=True)}
        per_point = Frame(
            frame.to_page @ np.diag([1 / scale, 1 / scale, 1.0]),
            frame.turned_degrees,
            frame.skew_degrees,
        )
        images: dict[str, bytes] = {}
        raw = []
        for region in regions:
            name = crop_figure(image, region, 1 / scale, images)
            if region.kind == "picture" and name is None:
                continue
            known = [sure[id(line)] for line in region.lines if id(line) in sure]
            confidence = round(sum(known) / len(known), 4) if known else None
            raw.append(_on_page(region, per_point, name, confidence, size))
        warnings = (unsound,) if unsound and unsound != "no text layer" else ()
        return self._output(raw, *shown, "ocr", per_point, images, warnings)

    def _step(self, name: str) -> None:
        now = time.perf_counter()
        self._timings[name] = self._timings.get(name, 0.0) + 1000 * (now - self._clock)
        self._clock = now
        self._progress()

    def _output(
        self,
        regions: list[RawRegion],
        width: float,
        height: float,
        source: str,
        frame: Frame,
        images: dict[str, bytes],
        warnings: tuple[str, ...],
    ) -> PageOutput:
        raw = dump_page(
            regions,
            width=round(width, 3),
            height=round(height, 3),
            source=source,
            turned_degrees=frame.turned_degrees,
            skew_degrees=round(frame.skew_degrees, 3),
        )
        return PageOutput(
            blocks=parse_page(raw, {}),
            raw=raw,
            width=width,
            height=height,
            source=source,
            turned_degrees=frame.turned_degrees,
            skew_degrees=round(frame.skew_degrees, 3),
            images=images,
            timings=self._timings,
            warnings=warnings,
            model=self._model,
        )


def _line(read: ReadLine, scale: float) -> Line:
    x0, y0 = (float(value) * scale for value in read.box.min(axis=0))
    x1, y1 = (float(value) * scale for value in read.box.max(axis=0))
    return Line((x0, y0, x1, y1), read.text, round(0.75 * (y1 - y0), 2))


def _on_page(
    region: Region, frame: Frame, image: str | None, confidence: float | None, size: float = 1.0
) -> RawRegion:
    lines = tuple(
        RawLine(line.text, frame.box_on_page(line.box), line.size * size, line.mono)
        for line in region.lines
    )
    box = frame.box_on_page(region.box)
    return RawRegion(region.kind, box, lines, region.table, image, confidence)
