"""result.md, .json, .html and .txt, written page by page into the blob store."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from shared.followups import Choice
from shared.records import Job, PageTask
from shared.render import (
    Flow,
    HtmlFlow,
    ImageUrl,
    MarkdownFlow,
    TextFlow,
    image_extension,
    page_markdown,
)
from shared.render.lines import clean_text
from shared.states import PageState
from stages.merge.document_html import DOCUMENT_END, document_head
from stages.merge.merging import NO_CHOICES, merge, survey
from stages.merge.pages import Results

SCHEMA = "quire/1"


class BlobWriter(Protocol):
    """A blob being written; leaving the context without `commit` discards it."""

    def write(self, data: bytes, /) -> None:
        """Add bytes."""

    def commit(self) -> tuple[str, int]:
        """Keep the blob: (sha256, bytes)."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


class Blobs(Protocol):
    """What merging needs of the blob store."""

    def writer(self) -> BlobWriter:
        """A new blob."""
        ...

    def path(self, sha256: str, /) -> Path:
        """Where the blob lies. ValueError unless it is a sha256."""
        ...


def write_artifacts(
    job: Job,
    results: Results,
    tasks: Sequence[PageTask],
    blobs: Blobs,
    choices: Mapping[int, Choice] = NO_CHOICES,
    skip: AbstractSet[str] = frozenset(),
) -> dict[str, str]:
    """Write all formats; the sha256 of each by its name (md, json, html, txt).

    `results` is called twice and gives a fresh iterator in page order each time. `skip` names
    steps of merging that are left out.
    """
    found = survey(job, results, tasks, choices, skip)
    marks = found.page_count > 1
    image_url = _image_namer(blobs)
    flows: dict[str, Flow] = {
        "md": MarkdownFlow(image_url=image_url, marks=marks),
        "html": HtmlFlow(image_url=image_url, marks=marks),
        "txt": TextFlow(marks=marks),
    }
    with ExitStack() as stack:
        writers = {name: stack.enter_context(blobs.writer()) for name in (*flows, "json")}
        _write(writers["html"], [document_head(clean_text(job.document.name))])
        _write(writers["json"], [_json_head(job, tasks)])
        for flow in flows.values():
            flow.compounds = found.compounds
            flow.join_breaks = "lines" not in skip
        separator = "\n"
        for page in merge(job, results, tasks, found):
            for name, flow in flows.items():
                _write(writers[name], flow.page(page.number, page.blocks, page.note))
            markdown = page_markdown(page.blocks, image_url=image_url) if page.blocks else ""
            _write(writers["json"], [separator, _dump(page.to_json(markdown))])
            separator = ",\n"
        for name, flow in flows.items():
            _write(writers[name], flow.finish())
        _write(writers["html"], [DOCUMENT_END])
        _write(writers["json"], ["\n]}\n"])
        return {name: writer.commit()[0] for name, writer in writers.items()}


def _write(writer: BlobWriter, parts: Iterable[str]) -> None:
    for part in parts:
        if part:
            # Names of documents and reasons may hold lone surrogates; blocks are clean already.
            writer.write(part.encode("utf-8", errors="replace"))


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:  # an engine's NaN must not cost the job its results
        return _dump(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return 0.0 if isinstance(value, float) and not math.isfinite(value) else value


def _json_head(job: Job, tasks: Sequence[PageTask]) -> str:
    states = [task.state for task in tasks]
    shown = job.to_json()
    names = ("id", "engine", "options", "pages", "from", "parent", "created", "started")
    head = {
        "schema": SCHEMA,
        "job": {
            **{name: shown[name] for name in names},
            "counts": {
                "total": len(states),
                **{
                    state.value: states.count(state)
                    for state in (PageState.DONE, PageState.FAILED, PageState.CANCELLED)
                },
            },
        },
        "document": shown["document"],
    }
    return _dump(head)[:-1] + ',"pages":['


def _image_namer(blobs: Blobs) -> ImageUrl:
    @lru_cache(maxsize=256)
    def image_url(sha256: str) -> str:
        try:
            with blobs.path(sha256).open("rb") as file:
                extension = image_extension(file.read(12))
        except (FileNotFoundError, ValueError):
            extension = "bin"
        return f"images/{sha256}.{extension}"

    return image_url
