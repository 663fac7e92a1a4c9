"""The parent's end of a searchable PDF: one child, all pages, the file in parts."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.errors import OutsideFailed, PageFailed, Refused
from shared.text_lines import TextLine
from stages.reader.process import ChildGone, ChildProcess
from stages.reader.terms import ReaderLimits

log = logging.getLogger(__name__)

SAVE_SECONDS = 300.0  # for each part of the file; the first comes when the objects are in order
MAX_LOST = 3  # pages that may crash or stop the child; then the document is given up

PageLines = tuple[int, float, Sequence[TextLine]]  # number, degrees to be turned, lines


def searchable_pdf(
    path: Path, limits: ReaderLimits, pages: Callable[[], Iterable[PageLines]]
) -> Iterator[bytes]:
    """The document as a PDF with an invisible layer of text, in parts, in a sandboxed child.

    `pages` gives a fresh iterable, ascending, each time it is called: when a page crashes the
    child, all is begun again without that page's layer. Refused: the document does not open.
    PageFailed: too many pages crash. OutsideFailed: no child could be started.
    """
    lost: set[int] = set()
    while True:
        child = _open(path, limits)
        try:
            failed = _add_pages(child, limits, pages(), lost)
            if failed is None:
                yield from _parts(child)
                return
        finally:
            child.kill()
        lost.add(failed)
        log.warning("page %d of a searchable PDF gets no text: it crashes the reader", failed)
        if len(lost) > MAX_LOST:
            raise PageFailed(
                f"{len(lost)} pages crashed the process that writes PDF, page {failed} last.",
                code="page_crashed",
            )


def _open(path: Path, limits: ReaderLimits) -> ChildProcess:
    try:
        child = ChildProcess(limits.memory_mib, limits.max_answer_bytes)
    except (ChildGone, OSError) as error:
        raise OutsideFailed(
            f"The process that reads documents does not start ({error}).",
            code="reader_not_started",
        ) from error
    question: dict[str, Any] = {
        "op": "open",
        "path": str(path.absolute()),
        "seconds": limits.open_seconds,
        "max_pages": limits.max_pages,
        "max_pixels": limits.max_pixels,
    }
    try:
        header, _ = child.ask(question, limits.open_seconds)
    except ChildGone as gone:
        raise Refused(f"The document does not open any more ({gone}).", code="damaged") from gone
    if "error" in header:
        child.kill()
        raise Refused(str(header["message"]), code=str(header["error"]))
    return child


def _add_pages(
    child: ChildProcess, limits: ReaderLimits, pages: Iterable[PageLines], lost: set[int]
) -> int | None:
    """Add all layers; the page at which the child ended, None when it lives."""
    for number, turn_degrees, lines in pages:
        if number in lost or not lines:
            continue
        listed = [[line.text, *line.box] for line in lines]
        body = json.dumps({"turn_degrees": turn_degrees, "lines": listed}).encode()
        question = {"op": "text", "number": number, "seconds": limits.page_seconds}
        try:
            header, _ = child.ask(question, limits.page_seconds, body)
        except ChildGone:
            return number
        if "error" in header:
            log.warning("page %d of a searchable PDF gets no text: %s", number, header["message"])
    return None


def _parts(child: ChildProcess) -> Iterator[bytes]:
    question = {"op": "save", "seconds": SAVE_SECONDS}
    try:
        for header, body in child.ask_for_parts(question, SAVE_SECONDS):
            if "error" in header:
                raise PageFailed(str(header["message"]), code=str(header["error"]))
            if body:
                yield bytes(body)
    except ChildGone as gone:
        raise PageFailed(f"The PDF could not be written ({gone}).", code="export_failed") from gone
