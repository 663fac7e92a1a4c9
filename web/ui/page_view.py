"""One page of a job as the reading part shows it: picture, blocks, text, raw output."""

import contextlib
import json
import re
from collections import Counter
from typing import Any

from shared.errors import NotFound
from shared.records import Job, PageResult
from shared.render import to_html
from web.front import Front

_RAW_CHARACTERS = 200_000  # more makes browsers slow; the API has all of it
# No text has a line break of its own in JSON, so that this is a list.
_NUMBERS = re.compile(r"\[\n\s*-?\d[\d.eE+\-,\s]*\]")
_NOTHING_YET = {
    "pending": "This page is waiting for its turn.",
    "running": "This page is being read.",
    "cancelled": "This page was cancelled before it was read.",
    "failed": "This page could not be read.",
    "done": "The result of this page is not there.",
}


async def page_view(
    front: Front, job: Job, number: int, asked: str, pages: list[dict[str, Any]]
) -> dict[str, Any]:
    """The values of reading.html. `pages` are rows around this page, of all engines asked for."""
    here = [entry for entry in pages if entry["page"] == number]
    task = next((entry for entry in here if asked in {entry["asked"], entry["engine"]}), None)
    if here and task is None:
        raise NotFound(
            f"Page {number} is not read by {asked[:40]!r}.", code="page_not_found", param="engine"
        )
    numbers = sorted({entry["page"] for entry in pages})
    at = numbers.index(number) if number in numbers else -1
    picture = await front.threads.run(front.store.page_image, job.document.id, number)
    values: dict[str, Any] = {
        "number": number,
        "before": numbers[at - 1] if at > 0 else None,
        "after": numbers[at + 1] if 0 <= at < len(numbers) - 1 else None,
        "last": job.document.pages,
        "pages_known": job.counts.total // len(job.engines),
        # Of a selection the rows are all here: which of them this one is.
        "place": (at + 1, len(numbers)) if job.pages and at >= 0 else None,
        "engine": task["asked"] if task else asked,
        "task": task,
        "readers": [entry["asked"] for entry in here],
        "picture": f"/api/v1/jobs/{job.id}/pages/{number}/image" if picture else None,
        "result": None,
        "boxes": [],
        "kinds": [],
        "nothing": _NOTHING_YET.get(task["state"], "") if task else "",
    }
    if task is None or task["state"] != "done":
        return values
    try:
        result = await front.threads.run(front.store.page_result, job.id, number, asked)
    except NotFound:
        return values
    # A dense page takes some milliseconds: not on the event loop.
    return {**values, **await front.threads.run(_shown_result, job.id, result)}


def _shown_result(job_id: str, result: PageResult) -> dict[str, Any]:
    blocks = sorted(result.blocks, key=lambda block: block.order)
    kinds = Counter(block.type.value for block in blocks)
    raw, is_cut = raw_text(result.raw)
    return {
        "result": result,
        "boxes": [
            {
                "order": block.order,
                "type": block.type.value,
                "bbox": [round(value, 5) for value in block.bbox],
            }
            for block in blocks
        ],
        "kinds": kinds.most_common(),
        "rendered": to_html(
            result.blocks,
            furniture=True,
            image_url=lambda sha256: f"/api/v1/jobs/{job_id}/images/{sha256}",
            page=result.page,
        ),
        "blocks_json": json_text([block.to_json() for block in blocks]),
        "raw_text": raw,
        "raw_cut": is_cut,
    }


def json_text(value: Any) -> str:
    """JSON with line breaks, but lists of numbers, as boxes are, on one line."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)


def raw_text(raw: bytes) -> tuple[str, bool]:
    """(an engine's output as text, JSON with line breaks; whether only its beginning is shown)."""
    text = raw[: 4 * _RAW_CHARACTERS].decode("utf-8", "replace")
    if len(raw) <= _RAW_CHARACTERS:
        with contextlib.suppress(ValueError):  # what is not JSON is shown as it is
            text = json_text(json.loads(text))
    return text[:_RAW_CHARACTERS], len(text) > _RAW_CHARACTERS or len(raw) > 4 * _RAW_CHARACTERS
