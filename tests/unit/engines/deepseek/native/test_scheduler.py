"""Admission, growth, preemption and capacity, as written exchanges."""

import random

import pytest

from engines.deepseek.native.block_pool import BlockPool, blocks_for
from engines.deepseek.native.scheduler import (
    BUSY_STEPS,
    LONGEST_STALL_MS,
    STEPS,
    Page,
    Scheduler,
)
from engines.deepseek.native.sizes import Sizes, graph_sizes, sizes_for

GIB = 1 << 30
KV_BYTES = 2 * 12 * 1280 * 2  # of one token, in bf16: what NOTES of the family say


def _sizes(blocks: int = 40, slots: int = 4, chunk: int = 3, most: int = 128) -> Sizes:
    return Sizes(blocks, slots, most, chunk, graph_sizes(slots), block_tokens=16)


def _pages(count: int, prompt: int = 20, limit: int = 60) -> list[Page]:
    return [Page(f"p{i}", prompt, limit) for i in range(count)]


def _scheduler(pages: list[Page], sizes: Sizes | None = None) -> Scheduler:
    scheduler = Scheduler(sizes or _sizes())
    for page in pages:
        scheduler.add(page)
    return scheduler


def test_pages_are_let_in_by_chunks_until_the_slots_are_full() -> None:
    pages = _pages(6)
    scheduler = _scheduler(pages)
    assert scheduler.admit() == pages[:3]
    assert scheduler.admit() == pages[3:4]
    assert scheduler.admit() == []
    assert len({page.slot for page in pages[:4]}) == 4
    assert (scheduler.waiting, scheduler.held) == (2, 6)
    scheduler.finish(pages[1])
    assert scheduler.admit() == pages[4:5]


def test_a_chunk_is_no_longer_than_running_pages_may_stand_still() -> None:
    pages = _pages(9)
    scheduler = _scheduler(pages, _sizes(blocks=400, slots=9, chunk=8))
    assert len(scheduler.admit()) == 8, "nobody runs: nobody stalls"
    scheduler.finish(pages[0])
    scheduler.finish(pages[1])
    for page in _pages(8):
        scheduler.add(Page(f"later-{page.key}", 20, 60))
    for _ in range(40):
        scheduler.measured(4, 4 * LONGEST_STALL_MS / 2)
    assert len(scheduler.admit()) == 2


def test_a_page_has_the_blocks_of_its_prompt_and_gets_more_as_it_grows() -> None:
    (page,) = pages = _pages(1, prompt=30)
    scheduler = _scheduler(pages)
    scheduler.admit()
    assert len(page.blocks) == 2, "30 tokens and the next one"
    assert scheduler.grow(2).entries == []
    growth = scheduler.grow(16)
    assert [entry[:2] for entry in growth.entries] == [(page.slot, 2)]
    assert growth.entries[0][2] == page.blocks[2]
    for _ in range(20):
        scheduler.grow(8)
    assert len(page.blocks) == blocks_for(30 + 60, 16), "never beyond its limit"


def test_without_blocks_the_youngest_page_goes_back_to_the_head_of_the_queue() -> None:
    pages = oldest, youngest = _pages(2, prompt=30, limit=90)
    scheduler = _scheduler(pages, _sizes(blocks=8))
    scheduler.add(Page("late", 30, 10))
    assert scheduler.admit() == pages
    while not (growth := scheduler.grow(8)).preempted:
        assert len(oldest.blocks) < 5, "8 blocks do not hold both"
    assert growth.preempted == [youngest]
    assert (youngest.slot, youngest.blocks) == (-1, [])
    assert {entry[0] for entry in growth.entries} <= {oldest.slot}
    youngest.made = 5
    scheduler.finish(oldest)
    back = scheduler.admit()[0]
    assert back is youngest
    assert back.context == 30 + 4, "its newest token is read by the next step"
    assert len(back.blocks) == blocks_for(35, 16)


def test_one_page_always_gets_all_it_needs() -> None:
    pages = _pages(3, prompt=60, limit=500)
    scheduler = _scheduler(pages, _sizes(blocks=8))
    assert pages[0].limit == 128 - 60
    for _ in range(40):
        scheduler.admit()
        assert pages[0] not in scheduler.grow(8).preempted
    assert len(pages[0].blocks) == 8


def test_a_page_is_not_let_in_where_those_that_run_will_need_the_room() -> None:
    pages = _pages(4, prompt=64, limit=60)
    scheduler = _scheduler(pages, _sizes(blocks=12, slots=4, chunk=4))
    assert len(scheduler.admit()) == 2, "a third would fit now, and be sent back soon"


def test_steps_are_few_while_the_batch_fills() -> None:
    pages = _pages(5)
    scheduler = _scheduler(pages, _sizes(blocks=400, chunk=2))
    scheduler.admit()
    assert scheduler.steps() == BUSY_STEPS
    scheduler.admit()
    assert scheduler.steps() == STEPS, "the slots are full"


def test_capacity_follows_free_slots_and_blocks() -> None:
    sizes = _sizes(blocks=4000, slots=4, chunk=1)
    scheduler = Scheduler(sizes)
    assert scheduler.capacity() == 5
    scheduler.add(Page("p", 20, 60))
    scheduler.admit()
    assert scheduler.capacity() == 5
    tight = Scheduler(_sizes(blocks=9, slots=4, chunk=1))
    tight.add(Page("p", 100, 20))
    tight.admit()
    assert tight.capacity() == 2, "one runs, no block is left: one may wait here"


def test_a_page_can_be_given_up_wherever_it_is() -> None:
    pages = _pages(5)
    scheduler = _scheduler(pages)
    scheduler.admit()
    for page in pages:
        scheduler.finish(page)
    assert scheduler.held == 0
    assert scheduler.free_blocks == 40


@pytest.mark.parametrize("seed", range(6))
def test_no_block_is_ever_held_twice_or_lost(seed: int) -> None:
    draw = random.Random(seed)
    sizes = _sizes(blocks=draw.randint(8, 40), slots=draw.randint(1, 6), chunk=draw.randint(1, 4))
    scheduler = Scheduler(sizes)
    left = {page.key: page for page in _pages(40, prompt=draw.randint(1, 60), limit=90)}
    for page in left.values():
        scheduler.add(page)
    turns = 0
    while left:
        turns += 1
        assert turns < 3000, "everyone gets to the end"
        scheduler.admit()
        scheduler.grow(scheduler.steps())
        for page in scheduler.running:
            page.made = min(page.limit, page.made + draw.randint(1, 8))
            if page.made == page.limit or draw.random() < 0.02:
                scheduler.finish(page)
                del left[page.key]
        held = [block for page in scheduler.running for block in page.blocks]
        assert len(set(held)) == len(held)
        assert 0 not in held
        assert len(held) + scheduler.free_blocks == sizes.blocks
    assert scheduler.free_blocks == sizes.blocks


def test_the_pool_gives_all_or_nothing() -> None:
    pool = BlockPool(3)
    taken = pool.take(2)
    assert taken == [1, 2]
    assert pool.take(2) == []
    assert pool.free == 1
    pool.give_back(taken)
    assert sorted(pool.take(3)) == [1, 2, 3]


def test_an_h200_and_24_gib_get_what_fits_them() -> None:
    large = sizes_for(132 * GIB, KV_BYTES, 8192)
    small = sizes_for(16 * GIB, KV_BYTES, 8192)  # 24 GiB less 6.4 of weights and the driver
    assert large is not None
    assert small is not None
    assert large.slots == large.graphs[-1] == 768
    assert large.chunk_pages == 8
    assert 80 <= small.slots <= 140
    assert small.graphs[-1] == small.slots
    assert 1 <= small.chunk_pages <= 4
    taken = small.blocks * small.block_tokens * KV_BYTES
    assert 8 * GIB < taken < 14 * GIB
    assert sizes_for(1 * GIB, KV_BYTES, 8192) is None, "not one whole page"


@pytest.mark.parametrize("rows", [1, 2, 3, 40, 41, 96, 97, 100])
def test_rows_are_padded_to_the_next_graph(rows: int) -> None:
    sizes = Sizes(10, 100, 128, 1, graph_sizes(100))
    size = sizes.graph_for(rows)
    assert size >= rows
    assert all(other < rows for other in sizes.graphs if other < size)
