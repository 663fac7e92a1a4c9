"""Exports of long jobs: seconds, memory of this process and of the children, sizes.

Run from the project root: `python tests/bench/exports.py [PAGES...]`. Each page is a scan of
150 KB with 40 lines of text, a table and a figure.
"""

import io
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pymupdf  # noqa: E402
from PIL import Image  # noqa: E402

from shared.blocks import Block  # noqa: E402
from shared.settings import Settings  # noqa: E402
from stages.export import make_export  # noqa: E402
from store import Store  # noqa: E402
from tests.fakes.export_jobs import finished_job  # noqa: E402
from tests.fakes.merge_jobs import block  # noqa: E402

SENTENCE = "It was the best of times, it was the worst of times. "
TABLE = "<table>" + "<tr><td>1</td><td>2</td><td>3</td></tr>" * 10 + "</table>"


def scan(pages: int) -> bytes:
    """Pages that are pictures, each its own."""
    noise = Image.effect_noise((620, 877), 60)
    with pymupdf.open() as document:
        for number in range(pages):
            buffer = io.BytesIO()
            noise.rotate(number % 360).save(buffer, "JPEG", quality=60)
            page = document.new_page(width=595, height=842)
            page.insert_image(page.rect, stream=buffer.getvalue())
        return bytes(document.tobytes())


def page_blocks(page: int, crop: str) -> list[Block]:
    """About 2,000 characters."""
    return [
        block("heading", 0, f"{page} Chapter", level=1),
        *(block("text", 1 + n, SENTENCE * 5) for n in range(8)),
        block("table", 9, TABLE),
        block("figure", 10, "a picture", image=crop, bbox=(0.1, 0.7, 0.5, 0.9)),
    ]


def make(pages: int, folder: Path) -> str:
    """The job, in a process of its own: what is made here must not count below."""
    picture = io.BytesIO()
    Image.effect_noise((300, 200), 60).save(picture, "WEBP")
    store = Store.open(Settings(data=folder))
    crop = store.blobs.put(picture.getvalue())
    blocks = {page: page_blocks(page, crop) for page in range(1, pages + 1)}
    job = finished_job(store, scan(pages), blocks, images=[picture.getvalue()])
    store.close()
    return job.id


def run(folder: Path, job_id: str) -> None:
    """The exports of a job, in this process."""
    settings = Settings(data=folder)
    store = Store.open(settings)
    job = store.job(job_id)
    pages = job.counts.total
    for kind in ("hocr", "docx", "pdf"):
        began = perf_counter()
        sha256 = make_export(kind, job, store, settings, lambda: None)
        seconds = perf_counter() - began
        size = store.blobs.path(sha256).stat().st_size
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(
            f"{pages:6} pages  {kind:5} {seconds:7.2f} s  {1000 * seconds / pages:6.1f} ms a "
            f"page  {size >> 10:7} KiB  peak {own} MiB here, {child} MiB in a child",
            flush=True,
        )
    store.close()


def main() -> None:
    """All sizes, each in processes of its own."""
    if sys.argv[1:2] == ["--make"]:
        print(make(int(sys.argv[2]), Path(sys.argv[3])))
        return
    if sys.argv[1:2] == ["--one"]:
        run(Path(sys.argv[2]), sys.argv[3])
        return
    for pages in [int(word) for word in sys.argv[1:]] or [20, 200, 1000]:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__]
            made = subprocess.run(
                [*command, "--make", str(pages), folder], check=True, capture_output=True, text=True
            )
            job_id = made.stdout.split()[-1]
            subprocess.run([*command, "--one", folder, job_id], check=True)


if __name__ == "__main__":
    main()
