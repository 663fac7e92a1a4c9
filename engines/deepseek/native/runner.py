"""The loop's hands: reads pages in, queues steps, looks at what they made."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor

from engines.deepseek.image_plan import ImagePlan
from engines.deepseek.native import slots as fields
from engines.deepseek.native.decoder import Decoder
from engines.deepseek.native.graphs import Steps
from engines.deepseek.native.kv_cache import KvCache
from engines.deepseek.native.loops import CHECK_EACH, loop_period
from engines.deepseek.native.operations_torch import Operations
from engines.deepseek.native.scheduler import Page, Scheduler
from engines.deepseek.native.sizes import Sizes
from engines.deepseek.native.slots import Slots, SlotState
from engines.deepseek.native.vision import Vision
from engines.deepseek.native.weights import TextWeights
from engines.deepseek.pixels import Views

LOOPED = 3  # beside the values of slots.FINISH: the host ended it

Pixels = bytes | memoryview
# How to make the views of some pages, on the device. Called when they are read in, and again
# after a preemption: views are large, pages may wait long.
MakeViews = Callable[[Sequence[Pixels], Sequence[ImagePlan]], Sequence[Views]]


@dataclass(slots=True, eq=False)
class Text:
    """One page's work and what has come of it.

    `ids` is the prompt with `image_id` where the image goes; `pixels` become views as `plan` says.
    `tokens` are those made, an end of sequence included; `finish` is a value of slots.FINISH or
    LOOPED. Times are perf_counter's.
    """

    page: Page
    ids: Sequence[int]
    image_id: int
    pixels: Pixels
    plan: ImagePlan
    ngram: int = 0
    window: int = 0
    free: tuple[int, ...] = ()
    seed: int = 0
    temperature: float = 0.0
    tokens: list[int] = field(default_factory=list)
    finish: int = fields.RUNNING
    added: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    checked: int = 0


@dataclass(slots=True)
class _Round:
    """Steps in flight: for whom, and the copies that will say what came of them."""

    texts: list[Text]
    admissions: list[int]
    fields: Tensor
    tokens: Tensor
    before: Tensor
    done: torch.cuda.Event | None


class Runner:
    """Pages in, texts out. `turn` does one round; everything between two of its calls is queued on
    the GPU without waiting for it, one round ahead of what the host knows.
    """

    def __init__(
        self,
        weights: TextWeights,
        vision: Vision,
        make_views: MakeViews,
        sizes: Sizes,
        operations: Operations,
        stop: Sequence[int],
        kv_type: torch.dtype,
    ) -> None:
        self._device = weights.embedding.device
        self._slots = Slots(sizes, self._device)
        cache = KvCache(sizes, len(weights.layers), weights.heads, weights.head_dim, kv_type)
        cache.allocate(self._device)
        self._decoder = Decoder(weights, cache, self._slots, operations, stop)
        self._vision, self._make_views, self._chunk = vision, make_views, sizes.chunk_pages
        self._steps = Steps(self._decoder.step, self._slots, sizes, self._device)
        self.scheduler = Scheduler(sizes)
        self._texts: dict[str, Text] = {}
        self._admissions: dict[str, int] = {}  # how often each was: results of an earlier one lie
        self._flight: deque[_Round] = deque()
        self._measuring: deque[tuple[int, bool, torch.cuda.Event, torch.cuda.Event]] = deque()
        self.longest_stall_ms = 0.0  # that running pages waited for others to be read in

    def warm_up(self, plan: ImagePlan, *, record: bool = True) -> None:
        """Compile and record before the first page what would let it, or those that run, wait.

        Steps of all sizes, then a page by itself, then a full chunk of blank ones as `plan` says:
        the kernels of each differ. They are read in for the slot that pads, into the block that is
        nobody's. Not to `record` is for a rehearsal, in which nothing is computed.
        """
        with torch.inference_mode():
            (self._steps.capture if record else self._steps.try_out)()
            blank, pad = bytes(plan.width * plan.height * 3), self._slots.padding
            for count in (1, self._chunk) if self._device.type == "cuda" or not record else ():
                plans = [plan] * count
                images = self._vision.encode(self._make_views([blank] * count, plans), plans)
                page = SlotState(pad, plan.tokens, 1, 0, 0, (), 0, 0.0, (), ())
                self._slots.start([page])
                self._decoder.read_in([page] * count, images)
                self._slots.fields[pad] = 0

    @property
    def idle(self) -> bool:
        """Nothing runs, waits or is in flight."""
        return not self._texts and not self._flight

    def add(self, text: Text) -> None:
        """Take a page."""
        text.added = perf_counter()
        self._texts[text.page.key] = text
        self.scheduler.add(text.page)

    def turn(self) -> list[Text]:
        """Read in what fits, queue steps, and say which pages ended in an earlier turn."""
        with torch.inference_mode():
            self._read_in(self.scheduler.admit())
            if self.scheduler.running:
                self._queue_steps(self.scheduler.steps())
            ended: list[Text] = []
            while len(self._flight) > (1 if self.scheduler.running else 0):
                ended += self._look(self._flight.popleft())
            self._note_times()
            return ended

    def drop_all(self) -> list[Text]:
        """Give up on every page, after an error: those that were held."""
        texts = list(self._texts.values())
        for text in texts:
            self.scheduler.finish(text.page)
        self._texts.clear()
        self._flight.clear()
        self._measuring.clear()
        return texts

    def narrow(self) -> bool:
        """After an error of memory: all pages once more, fewer read in at once. False: it is one.

        What is known of a page stays, as when it is sent back for room.
        """
        if not self.scheduler.narrow():
            return False
        for text in self.drop_all():
            self._texts[text.page.key] = text
            self.scheduler.add(text.page)
        return True

    def _read_in(self, pages: Sequence[Page]) -> None:
        if not pages:
            return
        texts = [self._texts[page.key] for page in pages]
        others_wait = len(self.scheduler.running) > len(pages)
        begin = self._event()
        for text in texts:
            text.started = text.started or perf_counter()
            self._admissions[text.page.key] = self._admissions.get(text.page.key, 0) + 1
        states = [self._state(text) for text in texts]
        self._slots.start(states)
        plans = [text.plan for text in texts]
        views = self._make_views([text.pixels for text in texts], plans)
        images = self._vision.encode(views, plans)
        embeddings = [self._embed(text, image) for text, image in zip(texts, images, strict=True)]
        self._decoder.read_in(states, embeddings)
        if begin is not None:
            end = self._event()
            assert end is not None
            self._measuring.append((len(pages), others_wait, begin, end))

    def _state(self, text: Text) -> SlotState:
        page = text.page
        return SlotState(
            page.slot,
            page.context,
            page.limit,
            text.ngram,
            text.window,
            text.free,
            text.seed,
            text.temperature,
            tuple(text.tokens),
            tuple(page.blocks),
        )

    def _embed(self, text: Text, image: Tensor) -> Tensor:
        """The prompt's embeddings with the image in its place, and the tokens made before."""
        first = text.ids.index(text.image_id)
        after = [*text.ids[first + len(image) :], *text.tokens[:-1]]
        parts = [self._decoder.embed(text.ids[:first]), image]
        return torch.cat([*parts, self._decoder.embed(after)] if after else parts)

    def _queue_steps(self, count: int) -> None:
        growth = self.scheduler.grow(count)
        self._slots.extend(growth.entries)
        texts = [self._texts[page.key] for page in self.scheduler.running]
        self._steps.set_rows([text.page.slot for text in texts])
        before = self._slots.fields[:, fields.MADE].clone()
        self._steps.run(count)
        # A page's first token was chosen when it was read in: it comes with the first steps.
        places = before[:, None] + torch.arange(-1, count, device=self._device)
        tokens = self._slots.history.gather(
            1, places.clamp(0, self._slots.history.shape[1] - 1).long()
        )
        fields_copy, tokens, before = map(self._to_host, (self._slots.fields, tokens, before))
        admissions = [self._admissions[text.page.key] for text in texts]
        done = self._event()
        self._flight.append(_Round(texts, admissions, fields_copy, tokens, before, done))

    def _to_host(self, part: Tensor) -> Tensor:
        if part.device.type == "cpu":
            return part.clone()
        host = torch.empty(part.shape, dtype=part.dtype, pin_memory=True)
        return host.copy_(part, non_blocking=True)

    def _look(self, queued: _Round) -> list[Text]:
        """Take over what a round made. Pages that were sent back meanwhile will make it again."""
        if queued.done is not None:
            queued.done.synchronize()
        state = queued.fields.tolist()
        before, tokens = queued.before.tolist(), queued.tokens.tolist()
        ended: list[Text] = []
        for text, admission in zip(queued.texts, queued.admissions, strict=True):
            page = text.page
            stale = self._admissions.get(page.key) != admission or page.slot < 0
            if stale or self._texts.get(page.key) is not text:
                continue
            row = state[page.slot]
            known, made = len(text.tokens), row[fields.MADE]
            offset = before[page.slot] - 1  # of the first column, in the page's tokens
            text.tokens += tokens[page.slot][known - offset : made - offset]
            page.made = len(text.tokens)
            text.finish = row[fields.FINISH] or self._loops(text)
            if text.finish:
                self._end(text)
                ended.append(text)
        return ended

    def _loops(self, text: Text) -> int:
        if len(text.tokens) - text.checked < CHECK_EACH:
            return fields.RUNNING
        text.checked = len(text.tokens)
        return LOOPED if loop_period(text.tokens) else fields.RUNNING

    def _end(self, text: Text) -> None:
        text.ended = perf_counter()
        self.scheduler.finish(text.page)
        del self._texts[text.page.key]
        del self._admissions[text.page.key]

    def _event(self) -> torch.cuda.Event | None:
        if self._device.type != "cuda":
            return None
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _note_times(self) -> None:
        while self._measuring and self._measuring[0][3].query():
            pages, others_waited, begin, end = self._measuring.popleft()
            milliseconds = begin.elapsed_time(end)
            self.scheduler.measured(pages, milliseconds)
            if others_waited:
                self.longest_stall_ms = max(self.longest_stall_ms, milliseconds)
