"""The parent's end of a Word document: pages as commands to a child, the file in parts."""

import itertools
from collections.abc import Callable, Iterable, Iterator

from shared.errors import NotFound, OutsideFailed, PageFailed
from shared.settings import Settings
from stages.export.word_flow import WordFlow, images_of
from stages.merge import MergedPage, Survey
from stages.reader.process import ChildGone, ChildProcess
from stages.reader.terms import ReaderLimits

_MODULE = "stages.export.word_child"
_SECONDS = 60.0  # for one page's commands
_SAVE_SECONDS = 300.0  # for each part of the file; the first comes when the XML is written
_BATCH_BYTES = 256 * 1024  # commands in one frame


def word_document(
    title: str,
    pages: Iterable[MergedPage],
    found: Survey,
    settings: Settings,
    read_image: Callable[[str], bytes],
) -> Iterator[bytes]:
    """The pages as .docx, in parts. PageFailed: it cannot be made. OutsideFailed: no child."""
    limits = ReaderLimits.of(settings)
    try:
        child = ChildProcess(limits.memory_mib, limits.max_answer_bytes, _MODULE)
    except (ChildGone, OSError) as error:
        raise OutsideFailed(
            f"The process that writes Word documents does not start ({error}).",
            code="writer_not_started",
        ) from error
    try:
        for commands in _commands(pages, found):
            for sha256 in dict.fromkeys(images_of(commands)):
                _send_image(child, sha256, read_image)
            _ask(child, {"op": "run", "seconds": _SECONDS}, commands.encode())
        question = {"op": "save", "seconds": _SAVE_SECONDS, "title": title[:500]}
        for header, body in child.ask_for_parts(question, _SAVE_SECONDS):
            _check(header)
            if body:
                yield bytes(body)
    except ChildGone as gone:
        raise PageFailed(
            f"The Word document could not be written ({gone}).", code="export_failed"
        ) from gone
    finally:
        child.kill()


def _commands(pages: Iterable[MergedPage], found: Survey) -> Iterator[str]:
    """Commands in batches."""
    flow = WordFlow(marks=True)
    flow.compounds = found.compounds
    flow.join_breaks = "lines" not in found.skip
    batch: list[str] = []
    size = 0
    written = (part for page in pages for part in flow.page(page.number, page.blocks, page.note))
    for part in itertools.chain(written, flow.finish()):
        batch.append(part)
        size += len(part)
        if size > _BATCH_BYTES:
            yield "".join(batch)
            batch, size = [], 0
    yield "".join(batch)


def _send_image(child: ChildProcess, sha256: str, read_image: Callable[[str], bytes]) -> None:
    try:
        data = read_image(sha256)
    except NotFound:
        return  # the janitor has said so; its text stands in for it
    _ask(child, {"op": "image", "sha256": sha256, "seconds": _SECONDS}, data)


def _ask(child: ChildProcess, question: dict[str, object], body: bytes) -> None:
    header, _ = child.ask(question, _SECONDS, body)
    _check(header)


def _check(header: dict[str, object]) -> None:
    if "error" in header:
        raise PageFailed(str(header["message"]), code=str(header["error"]))
