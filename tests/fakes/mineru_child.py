"""Reads pages with the MinerU engine in the interpreter that has it, outside of any system.

    .venv-mineru/bin/python tests/fakes/mineru_child.py SETTINGS PAGES

Both are JSON: values of settings, and a list of (path, options), where a path is a one-page PDF or
a picture. Prints what each page gave when it was read alone, what it gave when all of them waited,
which were then read as one document, what MinerU makes of the first two when they are one, and how
many objects the garbage collector no longer looks at.
"""

import gc
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from PIL import Image

from engines.mineru.backend import MinerUEngine
from shared.blocks import PageOutput
from shared.ocr_backend import PDF, RGB, Answer, PageBatch, PageInput
from shared.settings import load_settings


def main() -> None:
    """Read the arguments and the pages."""
    settings = load_settings(json.loads(sys.argv[1]), environ={})
    pages = [page_of(Path(path), options) for path, options in json.loads(sys.argv[2])]
    engine = MinerUEngine(settings, None)
    engine.load()
    try:
        alone = [told(answer) for page in pages for answer in read(engine, [page])]
        documents: list[list[str]] = []
        note_documents(engine, documents)
        together = [told(answer) for answer in read(engine, pages)]
        found = {"alone": alone, "together": together, "documents": documents}
        print(json.dumps(found | {"whole": whole(pages[:2]), "frozen": gc.get_freeze_count()}))
    finally:
        engine.close()


def page_of(path: Path, options: dict[str, Any]) -> PageInput:
    """The page as the split stage would send it; its key is the name of the file."""
    if path.suffix == ".pdf":
        return PageInput(path.name, PDF, path.read_bytes(), options=options)
    with Image.open(path) as image:
        pixels = image.convert("RGB")
    return PageInput(path.name, RGB, pixels.tobytes(), *pixels.size, 150.0, options=options)


def note_documents(engine: MinerUEngine, documents: list[list[str]]) -> None:
    """Add the keys of every document that MinerU is given from now on."""
    assert engine._tiers is not None
    reader = engine._tiers._reader
    read_pages = reader.read

    async def noted(readings: Sequence[Any], *more: Any) -> Any:
        documents.append([reading.page.key for reading in readings])
        return await read_pages(readings, *more)

    reader.read = noted


def read(engine: MinerUEngine, pages: list[PageInput]) -> list[tuple[str, Answer]]:
    """All of them at once, in the order of the answers."""
    return list(engine.recognize(PageBatch(pages), lambda: None))


def whole(pages: Sequence[PageInput]) -> Any:
    """The middle JSON of these PDFs as one document of pixels."""
    from mineru.backend.analyze import doc_analyze  # noqa: PLC0415 - sees the engine's variables

    from engines.mineru.one_document import join  # noqa: PLC0415

    pdf = join([bytes(page.data) for page in pages])
    middle, _ = doc_analyze(pdf, effort="flash", parse_mode="ocr")
    return middle.to_dict()


def told(answered: tuple[str, Answer]) -> tuple[str, Any]:
    """The key, and all that is known of the page but how long it took."""
    key, answer = answered
    if not isinstance(answer, PageOutput):
        return key, {"error": type(answer).__name__, "code": answer.code}
    said = asdict(answer) | {"raw": answer.raw.decode(), "images": sorted(answer.images)}
    del said["timings"]
    return key, said


if __name__ == "__main__":
    main()
