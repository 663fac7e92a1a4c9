"""What is asked for after a job has ended, made by the real collect stage."""

import io

import docx
import pymupdf

from shared.followups import MERGE, compare_with
from shared.states import JobState
from tests.fakes.systems import TEXT_ENGINE

BOTH = f"{TEXT_ENGINE},other=tests.fakes.engines:OtherEngine"


async def test_exports_are_made_when_asked_for(system, make_pdf):
    job = await system.finished(await system.submit(make_pdf("First page.", "Second page.")))
    assert set(job.artifacts) == {"md", "json", "html", "txt"}
    for kind in ("docx", "pdf", "hocr"):
        system.store.want(job.id, kind)
    for kind in ("docx", "pdf", "hocr"):
        job = await system.made(job, kind)
    files = {kind: system.store.blobs.read(sha256) for kind, sha256 in job.artifacts.items()}
    words = [p.text for p in docx.Document(io.BytesIO(files["docx"])).paragraphs]
    assert words == ["First page.", "Second page."]
    with pymupdf.open(stream=files["pdf"]) as document:
        assert "First page." in document[0].get_text()
    assert b'title="bbox 248 351 2231 702" dir="auto">Second page.</span>' in files["hocr"]


async def test_a_wish_outlives_the_collector_that_was_making_it(system, make_pdf):
    job = await system.finished(await system.submit(make_pdf(*(f"page {n}" for n in range(40)))))
    system.kill("collect")
    system.store.want(job.id, "docx")
    job = await system.made(job, "docx")
    assert "docx" in job.artifacts


async def test_engines_are_compared_and_a_page_is_taken(running, make_pdf):
    async with running(engine_classes=BOTH, engines="text,other") as system:
        data = make_pdf("No zero.", "All alike.")
        job = await system.submit(data, engine="text,other")
        job = await system.finished(job)
        assert job.state is JobState.DONE
        measured, count = system.store.agreements(job.id, job.id, limit=9)
        assert count == 2
        assert [(m.page, m.measured.agreement) for m in measured] == [(1, 0.75), (2, 1.0)]
        assert system.store.blobs.read(job.artifacts["txt"]) == b"No zero.\n\n\fAll alike.\n\n"
        system.store.take_page(job.id, 1, "other")
        job = await system.made(job, MERGE)
        assert system.store.blobs.read(job.artifacts["txt"]) == b"N0 zer0.\n\n\fAll alike.\n\n"
        again = await system.finished(await system.submit(data))
        system.store.want(again.id, compare_with(job.id))
        await system.made(again, compare_with(job.id))
        pairs, _ = system.store.agreements(again.id, job.id, limit=9)
        assert [(p.page, p.other_engine) for p in pairs] == [
            (1, "other"),
            (1, "text"),
            (2, "other"),
            (2, "text"),
        ]
        system.store.take_page(again.id, 1, "other", job.id)
        again = await system.made(again, MERGE)
        assert system.store.blobs.read(again.artifacts["txt"]) == b"N0 zer0.\n\n\fAll alike.\n\n"
