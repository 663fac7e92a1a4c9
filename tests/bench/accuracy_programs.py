"""What is compared on the corpus: its texts, and the programs that read them."""

import csv
import io
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pymupdf
from PIL import Image, ImageOps, ImageSequence

from engines.registry import make_engine
from shared.blocks import PageOutput
from shared.ocr_backend import PageBatch, PageInput
from shared.render import page_markdown
from shared.settings import Settings
from stages.reader import DocumentReader, PageWant, ReaderLimits

DPI = 200  # at which the programs that take pictures get a PDF
TRUTH = re.compile(r"(?:\.p(?P<page>\d+))?\.(?:nospace\.md|tables\.md|tests\.jsonl|md)$")


@dataclass(frozen=True)
class Case:
    """One text to compare: a whole file (`page` None) or one of its pages."""

    path: Path
    page: int | None
    truth: Path
    kind: str
    upper: bool

    @property
    def name(self) -> str:
        page = f" p{self.page}" if self.page else ""
        return f"{self.path.name}{page}"

    @property
    def languages(self) -> str:
        """Tesseract's languages; it is told the script, the others are not."""
        if re.search("chinese|cjk", self.kind, re.IGNORECASE):
            return "chi_sim+eng"
        return "eng+fra+nld+deu"

    def pages(self) -> list[int]:
        if self.page:
            return [self.page]
        with pymupdf.open(self.path) as document:
            return list(range(1, document.page_count + 1))


Program = Callable[[Case, int], str]


def cases(corpus: Path, names: list[str]) -> list[Case]:
    found = []
    with (corpus / "dev" / "manifest.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if names and not any(name in row["path"] for name in names):
                continue
            for truth in filter(None, row["truth"].split(";")):
                match = TRUTH.search(truth)
                page = int(match["page"]) if match and match["page"] else None
                upper = "case-insensitively" in row["why"]
                kind = row["kind"]
                found.append(Case(corpus / row["path"], page, corpus / truth, kind, upper))
    return found


def quire() -> Program:
    engine = make_engine("pymupdf", Settings(), None)
    engine.load()
    limits = engine.capabilities

    def read(case: Case, page: int) -> str:
        with DocumentReader(case.path, ReaderLimits()) as reader:
            reader.open()
            want = PageWant(
                accepts=limits.accepts,
                dpi=limits.dpi,
                max_pixels=limits.max_pixels,
                preview_pixels=0,
            )
            got = reader.page(page, want)
        given = PageInput("", got.media_type, got.data, got.width, got.height, got.dpi, page)
        ((_, answer),) = engine.recognize(PageBatch([given]), lambda: None)
        return page_markdown(answer.blocks) if isinstance(answer, PageOutput) else ""

    return read


def pymupdf4llm_direct() -> Program:
    import pymupdf4llm  # noqa: PLC0415

    def read(case: Case, page: int) -> str:
        with pymupdf.open(case.path) as source, pymupdf.open() as single:
            if not source.is_pdf:
                source = pymupdf.open("pdf", source.convert_to_pdf())  # noqa: PLW2901
            single.insert_pdf(source, from_page=page - 1, to_page=page - 1)
            return str(pymupdf4llm.to_markdown(single, show_progress=False))

    return read


def rapidocr_direct() -> Program:
    from rapidocr import RapidOCR  # noqa: PLC0415

    program = RapidOCR()

    def read(case: Case, page: int) -> str:
        found = program(np.asarray(picture(case.path, page))[:, :, ::-1])
        return "\n".join(found.txts or ())

    return read


def tesseract_direct() -> Program:
    def read(case: Case, page: int) -> str:
        image = io.BytesIO()
        picture(case.path, page).save(image, "png", dpi=(DPI, DPI))
        command = ["tesseract", "stdin", "stdout", "-l", case.languages, "--psm", "1"]
        alone = os.environ | {"OMP_THREAD_LIMIT": "1"}  # its threads cost more than they gain
        done = subprocess.run(
            command, input=image.getvalue(), capture_output=True, check=False, env=alone
        )
        return done.stdout.decode("utf-8", "replace")

    return read


MINERU = """
import sys
from mineru.parser import MinerUParser
if __name__ == "__main__":
    parsed = MinerUParser(tier="flash", parse_mode="auto").parse(sys.argv[1])
    open(sys.argv[2], "w", encoding="utf-8").write(parsed.markdown())
"""


def mineru_flash(python: str) -> Program:
    """MinerU in a Python of its own; its models and the interpreter load within the seconds."""

    def read(case: Case, page: int) -> str:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            script, given, written = folder / "run.py", folder / "page.pdf", folder / "page.md"
            script.write_text(MINERU, encoding="utf-8")
            if case.path.suffix == ".pdf":
                with pymupdf.open(case.path) as source, pymupdf.open() as single:
                    single.insert_pdf(source, from_page=page - 1, to_page=page - 1)
                    single.save(given)
            else:
                picture(case.path, page).save(given, "pdf", resolution=DPI)
            subprocess.run([python, script, given, written], capture_output=True, check=True)
            return written.read_text(encoding="utf-8")

    return read


def picture(path: Path, page: int) -> Image.Image:
    """The page upright as its file says, RGB; a PDF at `DPI`, an image as it is."""
    if path.suffix == ".pdf":
        with pymupdf.open(path) as document:
            pixels = document[page - 1].get_pixmap(dpi=DPI, alpha=False)
            return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)
    with Image.open(path) as image:
        frame = ImageOps.exif_transpose(list(ImageSequence.Iterator(image))[page - 1].copy())
        if frame.mode in {"RGBA", "LA", "P"}:
            white = Image.new("RGBA", frame.size, "white")
            frame = Image.alpha_composite(white, frame.convert("RGBA"))
        return frame.convert("RGB")
