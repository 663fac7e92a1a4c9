"""The model in this process, through transformers: pages that wait are generated together."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engines.deepseek.checkpoint import find_checkpoint
from engines.deepseek.decoding import Batch
from engines.deepseek.loading import LoadedModel, load_model
from engines.deepseek.memory import Memory
from engines.deepseek.placement import Placement, pages_that_fit, place
from engines.deepseek.prompt import Prepared, prepare
from engines.deepseek.runtime import Outcome, Request, RequestFeed, Runtime
from shared.errors import OutsideFailed, PageFailed

log = logging.getLogger(__name__)

_GATHER_SECONDS = 0.05  # a page takes a hundred times as long


class TransformersRuntime(Runtime):
    """Runs on one GPU or on the CPU. `model` is a directory or a name on the hub.

    `batch` 0: as many pages as the memory holds. A batch that does not fit after all is met by a
    smaller one, which stays until the process ends.
    """

    name = "transformers"

    def __init__(
        self, model: str, *, device: str = "auto", dtype: str = "auto", batch: int = 0
    ) -> None:
        self._model = model
        self._asked = (device, dtype)
        self._batch = batch
        self._loaded: LoadedModel | None = None
        self._placement: Placement | None = None
        self._memory = Memory()
        self.capacity = max(1, batch)

    @property
    def loaded(self) -> LoadedModel | None:
        """The model in memory."""
        return self._loaded

    def load(self) -> None:
        """Find the weights, choose a device, load. OutsideFailed says what is missing."""
        if self._loaded is not None:
            return
        self._placement = place(*self._asked)
        checkpoint = find_checkpoint(self._model)
        self._loaded = load_model(checkpoint, self._placement.device, self._placement.dtype)
        if not self._batch:
            self._batch = pages_that_fit(self._loaded)
        self.capacity = self._batch

    def run(self, feed: RequestFeed, progress: Callable[[], None]) -> Iterator[Outcome]:
        """Yield an outcome for each page; pages that wait go together."""
        assert self._loaded is not None, "load() comes first"
        feed.set_capacity(self._batch)
        while requests := feed.take(self._batch):
            if len(requests) < self._batch:  # those that come together are to go together
                requests += feed.take(self._batch - len(requests), _GATHER_SECONDS)
            yield from self._generate(requests, feed, progress)

    def close(self) -> None:
        """Free the model."""
        self._loaded = None
        if not self._memory.trouble:
            self._memory.free()

    def ids_of(self, *tokens: str) -> tuple[int, ...]:
        """The ids of those tokens that the model has."""
        return self._loaded.ids_of(*tokens) if self._loaded is not None else ()

    def details(self) -> Mapping[str, Any]:
        """Model, device, precision, pages at once."""
        if self._loaded is None or self._placement is None:
            return {}
        return {
            "model": self._loaded.checkpoint.family.name,
            "device": self._placement.device_name,
            "dtype": self._placement.dtype,
            "batch": self._batch,
        }

    def trouble(self) -> str:
        """That the GPU has failed: nothing works in this process any more."""
        return self._memory.trouble

    def _generate(
        self, requests: list[Request], feed: RequestFeed, progress: Callable[[], None]
    ) -> Iterator[Outcome]:
        """Answer all requests, in smaller and smaller batches when memory runs out."""
        waiting = [requests]
        while waiting:
            part = waiting.pop()
            if len(part) > self._batch:  # it became smaller since
                waiting.append(part[self._batch :])
                part = part[: self._batch]
            left = {request.key: request for request in part}
            failed = ""
            try:
                for key, outcome in self._batch_of(part, progress):
                    del left[key]
                    yield outcome
            except (RuntimeError, MemoryError) as error:
                failed = self._memory.shortage(error)
            if not failed:
                continue
            # only now that the error is gone is nothing held by its traceback
            self._memory.free()
            if len(part) == 1:
                yield part[0].key, _too_large(part[0], failed)
                continue
            self._shrink(len(part) // 2, feed)
            waiting.append(list(left.values()))

    def _batch_of(
        self, requests: list[Request], progress: Callable[[], None]
    ) -> Iterator[tuple[str, Outcome]]:
        """The outcome of each with its key. Errors of memory pass through."""
        loaded = self._loaded
        assert loaded is not None
        pages: list[Prepared] = []
        for request in requests:
            try:
                pages.append(prepare(request, loaded))
            except PageFailed as failed:
                yield request.key, (request.key, failed)
            progress()
        if pages:
            for generation in Batch(loaded, pages).run(progress):
                yield generation.key, generation

    def set_batch(self, batch: int) -> None:
        """How many pages to generate together at most."""
        self._batch = self.capacity = batch

    def _shrink(self, batch: int, feed: RequestFeed) -> None:
        log.warning("out of memory with %d pages at once: %d from now on", self._batch, batch)
        self.set_batch(batch)
        feed.set_capacity(batch)


def _too_large(request: Request, why: str) -> OutsideFailed:
    log.warning("no memory for one page: %s", why)
    return OutsideFailed(
        f"There is no memory for one page of {request.width} x {request.height} pixels: free the "
        "device, or ask for a smaller view, no tiles or fewer tokens.",
        code="out_of_memory",
    )
