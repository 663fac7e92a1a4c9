"""Finished jobs in a real store, of real documents, for tests of exports."""

from collections.abc import Mapping, Sequence

from shared.blocks import Block
from shared.media import HEAD_BYTES, sniff_media_type
from shared.records import Job, NewJob, PageResult, Settled
from shared.settings import Settings
from shared.states import PageState
from stages.followups import merged_files
from store import Store


def finished_job(
    store: Store,
    data: bytes,
    pages: Mapping[int, Sequence[Block]],
    *,
    engine: str = "fake",
    name: str = "a book.pdf",
    images: Sequence[bytes] = (),
    **of_result: object,
) -> Job:
    """A job whose engine has said these blocks, merged as the collect stage does it."""
    document = store.blobs.put(data)
    store.add_document(document, sniff_media_type(data[:HEAD_BYTES]) or "", len(data))
    (job,) = store.add_jobs([NewJob(document, name, engine=engine)])
    store.start_job(job.id, len(pages), [(page, engine) for page in pages])
    crops = tuple(store.blobs.put(image) for image in images)
    for page, blocks in pages.items():
        values = {"raw": b"{}", "width": 600.0, "height": 800.0, "images": crops, **of_result}
        result = PageResult(
            job=job.id,
            page=page,
            engine=engine,
            blocks=tuple(blocks),
            markdown="",
            text=" ".join(block.content for block in blocks),
            raw_media_type="application/json",
            **values,
        )
        store.settle([Settled(job.id, page, engine, PageState.DONE, result=result)])
    job = store.job(job.id)
    return store.finish_job(job.id, merged_files(job, store, Settings()))
