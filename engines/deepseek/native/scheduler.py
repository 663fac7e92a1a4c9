"""Which page runs when: admission, room in the KV cache, preemption. No torch, no clock."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from engines.deepseek.native.block_pool import BlockPool, blocks_for
from engines.deepseek.native.sizes import USUAL_PAGE_TOKENS, Sizes

LONGEST_STALL_MS = 150.0  # of running pages, while others are read in; 200 is promised
FIRST_PAGE_MS = 30.0  # to encode and read in a page, until it has been measured
BUSY_STEPS = 2  # between chunks while more pages wait that would fit: first fill the batch
STEPS = 8  # between looks at what has ended otherwise: an ended page idles for half as many
# Pages of one batch end at different times: of what the running ones will still grow, half is
# asked to be free before another is let in.
GROWTH_SHARE = 0.5


@dataclass(slots=True, eq=False)
class Page:
    """One page in the scheduler.

    `prompt` tokens of image and text; `limit` tokens that may be made; `made` of them that are
    known here. A page that was preempted comes back with its `made` tokens as part of what is read
    in. `length` is the most tokens that the queued steps may have brought it to.
    """

    key: str
    prompt: int
    limit: int
    made: int = 0
    slot: int = -1
    length: int = 0
    blocks: list[int] = field(default_factory=list)

    @property
    def context(self) -> int:
        """Tokens to read in: all but the newest made one, which the next step reads."""
        return self.prompt + max(0, self.made - 1)


@dataclass(slots=True)
class Growth:
    """What a round of steps needs: new blocks as (slot, index in its table, block); and who must
    go to make room for them.
    """

    entries: list[tuple[int, int, int]] = field(default_factory=list)
    preempted: list[Page] = field(default_factory=list)


class Scheduler:
    """Pages that wait, pages that run, and the blocks between them."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._pool = BlockPool(sizes.blocks)
        self._slots = list(range(sizes.slots - 1, -1, -1))
        self._waiting: deque[Page] = deque()
        self._running: dict[str, Page] = {}  # in the order of admission
        self._most = sizes.chunk_pages  # read in at once
        self._page_ms = FIRST_PAGE_MS
        self._page_tokens = float(USUAL_PAGE_TOKENS)

    @property
    def running(self) -> Sequence[Page]:
        """Pages with a slot, the longest admitted first."""
        return list(self._running.values())

    @property
    def waiting(self) -> int:
        """Pages without a slot."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """Pages taken and not ended."""
        return len(self._waiting) + len(self._running)

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody holds."""
        return self._pool.free

    def add(self, page: Page) -> None:
        """Queue a page. Its prompt must leave room for at least one token in `max_tokens`."""
        page.limit = min(page.limit, self._sizes.max_tokens - page.prompt)
        self._waiting.append(page)

    def capacity(self) -> int:
        """How many pages can be held: those that are, and as many as slots and blocks are left for.

        At least one more than run, so that the next page waits here and not on the bus.
        """
        usual = blocks_for(int(self._page_tokens), self._sizes.block_tokens)
        room = max(0, self._pool.free - self._growth()) // usual
        fits = len(self._running) + min(len(self._slots), room)
        return max(fits + self._sizes.chunk_pages, len(self._running) + 1)

    def measured(self, pages: int, milliseconds: float) -> None:
        """Reading in so many pages took so long: the next chunk follows it."""
        self._page_ms += 0.3 * (milliseconds / max(1, pages) - self._page_ms)

    def narrow(self) -> bool:
        """Read in half as many pages at once from now on; False: it is one already."""
        narrower = self._most > 1
        self._most = max(1, self._most // 2)
        return narrower

    def admit(self) -> list[Page]:
        """The next chunk of pages to read in, each with a slot and the blocks of its context."""
        most = self._most
        if self._running:
            most = max(1, min(most, int(LONGEST_STALL_MS / self._page_ms)))
        chunk: list[Page] = []
        while self._waiting and self._slots and len(chunk) < most:
            page = self._waiting[0]
            need = blocks_for(page.context + 1, self._sizes.block_tokens)
            alone = not self._running
            if not alone and need + self._growth() > self._pool.free:
                break
            page.blocks = self._pool.take(need)
            if not page.blocks:
                break
            self._waiting.popleft()
            page.slot = self._slots.pop()
            page.length = page.context
            self._running[page.key] = page
            chunk.append(page)
        return chunk

    def steps(self) -> int:
        """How many steps to queue before looking again."""
        return BUSY_STEPS if self._waiting and self._slots and self._has_room() else STEPS

    def grow(self, steps: int) -> Growth:
        """Give each running page the blocks for so many more tokens; the youngest make room."""
        growth = Growth()
        for page in self.running:
            if page.key not in self._running:
                continue  # preempted for one before it
            most = page.prompt + page.limit
            page.length = min(page.length + steps, most)
            need = blocks_for(page.length, self._sizes.block_tokens) - len(page.blocks)
            while need > self._pool.free and self._preempt(growth, page):
                pass
            if page.key not in self._running:
                continue
            new = self._pool.take(need)
            first = len(page.blocks)
            growth.entries += [(page.slot, first + i, block) for i, block in enumerate(new)]
            page.blocks += new
        gone = {page.slot for page in growth.preempted}
        growth.entries = [entry for entry in growth.entries if entry[0] not in gone]
        return growth

    def _preempt(self, growth: Growth, for_page: Page) -> bool:
        """Send the youngest page back to the queue. It may be the one that asks."""
        youngest = next(reversed(self._running.values()))
        if youngest is for_page and len(self._running) == 1:
            return False  # cannot be: `sizes_for` grants one page its longest
        self._release(youngest)
        self._waiting.appendleft(youngest)
        growth.preempted.append(youngest)
        return youngest is not for_page

    def finish(self, page: Page) -> None:
        """The page has ended, well or not: free its slot and blocks."""
        if page.key in self._running:
            self._page_tokens += 0.02 * (page.prompt + page.made - self._page_tokens)
            self._release(page)
        elif page in self._waiting:
            self._waiting.remove(page)

    def _release(self, page: Page) -> None:
        del self._running[page.key]
        self._slots.append(page.slot)
        self._pool.give_back(page.blocks)
        page.blocks, page.slot, page.length = [], -1, 0

    def _has_room(self) -> bool:
        need = blocks_for(self._waiting[0].context + 1, self._sizes.block_tokens)
        return need + self._growth() <= self._pool.free

    def _growth(self) -> int:
        """Blocks that the running pages are expected to ask for, by `GROWTH_SHARE`."""
        tokens = sum(
            max(0.0, min(self._page_tokens, page.prompt + page.limit) - page.length)
            for page in self._running.values()
        )
        return int(GROWTH_SHARE * tokens / self._sizes.block_tokens)
