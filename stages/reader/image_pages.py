"""Pages of an image file: one, or one for each frame of a TIFF."""

import io
import math
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pymupdf
from PIL import ExifTags, Image, ImageOps

from shared.ocr_backend import PDF, RGB
from stages.reader.drawing import POINTS_PER_INCH, PREVIEW_TYPE, encode_preview
from stages.reader.ink import ink_of
from stages.reader.searchable import SearchablePdf
from stages.reader.terms import OpenedDocument, PagePayload, PageWant
from stages.reader.unreadable import Unreadable

FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/tiff": "TIFF",
    "image/webp": "WEBP",
    "image/bmp": "BMP",
    "image/gif": "GIF",
}
Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before anything is decoded
Image.init()  # all codecs now: later the file system is out of reach
# A scan says 70 to 1200 dpi and is a page of 2 to 24 inches; everything else is a default that
# some camera or program wrote.
DPI_RANGE = (70.0, 1200.0)
INCH_RANGE = (2.0, 24.0)
UNKNOWN_DPI = 150.0  # only to give a PDF page some size
JPEG_QUALITY = 95  # for an engine, not for the eye
_AS_IT_IS = {"JPEG": ("L", "RGB"), "PNG": ("1", "L", "P", "RGB")}  # what a PDF can hold
LOSSLESS_BYTES = 4_000_000  # of a page in a searchable PDF: photographs are over it


class ImageSource:
    """An image. The file is opened anew for each page, so that no frame stays in memory."""

    def __init__(self, path: Path, media_type: str, max_pages: int, max_pixels: int) -> None:
        self._path = path
        self._format = FORMATS[media_type]
        self._max_pixels = max_pixels
        with self._open() as image:
            self._check_size(image)
            # The frames of an animation are no pages.
            pages = _count_frames(image, max_pages) if self._format == "TIFF" else 1
        self.opened = OpenedDocument(pages, media_type, "image")

    @cached_property
    def searchable(self) -> SearchablePdf:
        """Its frames as pages of a PDF."""
        whole = pymupdf.open()

        def add_up_to(number: int) -> None:
            for index in range(whole.page_count, number or self.opened.pages):
                with self._open() as image:
                    if index:
                        image.seek(index)
                        self._check_size(image)
                    self._add_frame(whole, image)

        return SearchablePdf(whole, add_page=add_up_to)

    def _add_frame(self, whole: Any, image: Image.Image) -> None:
        """A page with the frame, in points as `page` gives it; upright, the file's own bytes."""
        dpi = _dpi(image) or UNKNOWN_DPI
        upright = image.getexif().get(ExifTags.Base.Orientation, 1) in {0, 1}
        as_it_is = (
            image.mode in _AS_IT_IS.get(self._format, ()) and "transparency" not in image.info
        )
        if as_it_is and upright:
            size, data = image.size, self._path.read_bytes()
        else:
            pixels = _plain(ImageOps.exif_transpose(image))
            size, data = pixels.size, _encoded(pixels)
        width, height = (side * POINTS_PER_INCH / dpi for side in size)
        page = whole.new_page(width=width, height=height)
        page.insert_image(page.rect, stream=data)

    def page(self, number: int, want: PageWant) -> PagePayload:
        """Frame `number`, from 1, upright, over white."""
        if not 1 <= number <= self.opened.pages:
            raise Unreadable("no_such_page", f"The document has {self.opened.pages} pages.")
        with self._open() as image:
            if number > 1:
                image.seek(number - 1)
                self._check_size(image)
            stored, dpi = image.size, _dpi(image)
            scale = min(1.0, math.sqrt(want.max_pixels / (stored[0] * stored[1])))
            if scale < 1.0 and self._format == "JPEG":
                # Decodes at 1/2, 1/4 or 1/8, never below what is asked for.
                image.draft("RGB", (int(stored[0] * scale), int(stored[1] * scale)))
            pixels = to_rgb(ImageOps.exif_transpose(image))
        pixels = _shrink(pixels, want.max_pixels)
        dpi *= max(pixels.size) / max(stored)
        preview = encode_preview(pixels, want.preview_pixels) if want.preview_pixels else b""
        kind, ink = PREVIEW_TYPE if preview else "", ink_of(pixels)
        if RGB in want.accepts:
            return PagePayload(
                RGB, pixels.tobytes(), pixels.width, pixels.height, dpi, preview, kind, "", ink
            )
        data, width, height = _as_pdf(pixels, dpi or UNKNOWN_DPI)
        return PagePayload(PDF, data, width, height, 72.0, preview, kind, "", ink)

    def _open(self) -> Image.Image:
        return Image.open(self._path, formats=(self._format,))

    def _check_size(self, image: Image.Image) -> None:
        width, height = image.size
        if width < 1 or height < 1:
            raise Unreadable("damaged", "The image has no pixels: its width or height is 0.")
        if width * height > self._max_pixels:
            millions = self._max_pixels / 1_000_000
            raise Unreadable(
                "too_large",
                f"The image has {width} x {height} pixels; QUIRE_MAX_PIXELS allows "
                f"{millions:g} million. Make it smaller.",
            )


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit RGB, what is transparent over white, 16 bits scaled and not cut."""
    if image.mode.startswith("I"):
        wide = image.convert("I")
        _, highest = cast("tuple[int, int]", wide.getextrema())
        image = wide.point(lambda value: value * (1 / 256)).convert("L") if highest > 255 else wide
    elif image.mode == "F":
        low, high = cast("tuple[float, float]", image.getextrema())
        factor = 255.0 / max(high - low, 1e-9)
        image = image.point(lambda value: value * factor - low * factor).convert("L")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image if image.mode == "RGB" else image.convert("RGB")


def _plain(image: Image.Image) -> Image.Image:
    """Black and white and gray as they are, all else as RGB."""
    return image if image.mode in {"1", "L"} else to_rgb(image)


def _encoded(image: Image.Image) -> bytes:
    """Without loss while that is small, else JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    if image.mode != "1" and buffer.tell() > LOSSLESS_BYTES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _count_frames(image: Image.Image, max_pages: int) -> int:
    """Frames of a TIFF, counted no further than one over the limit."""
    frames = 1
    try:
        while frames <= max_pages:
            image.seek(frames)
            frames += 1
    except EOFError:
        pass
    return frames


def _dpi(image: Image.Image) -> float:
    """What the file says where it is plausible, otherwise 0."""
    try:
        across, down = (float(value) for value in image.info.get("dpi", (0, 0)))
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    if not DPI_RANGE[0] <= across <= DPI_RANGE[1] or not 0.5 < across / max(down, 1.0) < 2.0:
        return 0.0
    inches = max(image.size) / across
    return across if INCH_RANGE[0] <= inches <= INCH_RANGE[1] else 0.0


def _shrink(image: Image.Image, max_pixels: int) -> Image.Image:
    scale = math.sqrt(max_pixels / (image.width * image.height))
    if scale >= 1.0:
        return image
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _as_pdf(image: Image.Image, dpi: float) -> tuple[bytes, int, int]:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    width, height = (side * POINTS_PER_INCH / dpi for side in image.size)
    with pymupdf.open() as document:
        page = document.new_page(width=width, height=height)
        page.insert_image(page.rect, stream=buffer.getvalue())
        return bytes(document.tobytes(no_new_id=True)), round(width), round(height)
