"""Any order of submits, losses, silences, restarts and answers: nothing lost, exceeded, leaked."""

from any_order_world import ENGINE_OF, JOBS, PAGE_BYTES, PAGES, WORKERS, AnyOrderWorld
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.messages import (
    Cancel,
    Closed,
    Committed,
    Heartbeat,
    Priority,
    Result,
    page_key,
)

LANES = st.sampled_from(["interactive", "batch", "backfill"])


class AnyOrder(AnyOrderWorld, RuleBasedStateMachine):
    """What may happen, and what must hold whatever has."""

    @rule(job=st.sampled_from(JOBS), lane=LANES)
    def submit(self, job: str, lane: str) -> None:
        if not all(page_key(job, page, "fake") in self.settled for page in range(1, PAGES + 1)):
            self.jobs.add(job)
            self.lanes.setdefault(job, lane)
            self.bus.submit(job, self.lanes[job])

    @rule()
    def split(self) -> None:
        if self.splits:
            task = self.splits.pop(0)
            again = task.header.get("again")
            if again is not None:
                for number, _, left in again:
                    if page_key(task.job, number, "fake") not in self.settled:
                        self.send_page(task.job, number, left)
                page, finished = task.header["cursor"][0], task.header["finished"]
                self.bus.split_done(task, page, finished=finished)
                return
            page, limit = task.header["cursor"][0], task.header["limit"]
            pages = [
                number
                for number in range(page + 1, PAGES + 1)
                if page_key(task.job, number, "fake") not in self.settled
            ]
            for number in pages[:limit]:
                self.send_page(task.job, number)
            last = pages[:limit][-1] if pages else page
            self.bus.split_done(task, last, finished=len(pages) < limit)

    @rule(worker=st.sampled_from(WORKERS))
    def arrive(self, worker: str) -> None:
        if worker not in self.holds:
            self.holds[worker], self.open[worker] = {}, {}
        self.say_hello(worker)

    @rule(worker=st.sampled_from(WORKERS), begun=st.integers(0, 3))
    def crash(self, worker: str, begun: int) -> None:
        """It may be the third in a row at its place, with other pages each time."""
        if worker in self.holds:
            tasks = list(self.holds.pop(worker).values())
            del self.open[worker]
            charged, before = sum(self.bus.crashes().values()), self.bus.crashes()
            forgiven = self.bus.core.counters["forgiven"]
            for task in tasks[:begun]:
                self.bus.start(worker, task)
            peer = self.bus.core.peers.get(worker.encode())  # not of a broker that is new
            ran = peer is not None and any(lease.running for lease in peer.leases.values())
            self.bus.lose(worker)
            self.bus.told[worker] = []
            if self.bus.core.counters["forgiven"] == forgiven:
                assert sum(self.bus.crashes().values()) <= charged + ran
            after = self.bus.crashes()
            for task in tasks[begun:]:  # prefetched: whatever ended the process, it was not these
                assert after.get(task.key, 0) <= before.get(task.key, 0) or task.key in self.begun
            self.begun -= {task.key for task in tasks}

    @rule(worker=st.sampled_from(WORKERS), comes_back=st.booleans())
    def silence(self, worker: str, *, comes_back: bool) -> None:
        """Its pages go to others; then it speaks again, or its connection ends."""
        if worker in self.holds:
            for task in list(self.holds[worker].values())[:1]:
                self.bus.start(worker, task)
            others = [name for name in self.holds if name != worker]
            self.beat(others)
            self.bus.wait(4.5, ("collect", "split", *others))
            assert worker.encode() not in self.bus.core.peers
            self.bus.told[worker] = []
            if comes_back:
                self.say_hello(worker)
            else:
                self.bus.lose(worker)
                del self.holds[worker], self.open[worker]

    @rule(worker=st.sampled_from(WORKERS), credit=st.integers(1, 3))
    def change_credit(self, worker: str, credit: int) -> None:
        self.settle_messages()
        if worker in self.holds and len(self.holds[worker]) <= credit:
            self.credits[worker] = credit
            held = (*self.holds[worker], *self.open[worker])
            self.bus.say(worker, Heartbeat(held, (), 0, {"credit": credit}))

    @rule(worker=st.sampled_from(WORKERS))
    def begin(self, worker: str) -> None:
        """The first of what it holds runs; what it holds besides is prefetched."""
        for task in list(self.holds.get(worker, {}).values())[:1]:
            self.begun.add(task.key)
            self.bus.start(worker, task)

    @rule(job=st.sampled_from(JOBS), lane=LANES)
    def priority(self, job: str, lane: str) -> None:
        self.lanes[job] = lane
        self.bus.say("web", Priority(job, lane))

    @rule(job=st.sampled_from(JOBS))
    def cancel(self, job: str) -> None:
        """The store settles its pages first, then the bus hears of it."""
        if job in self.jobs:
            self.jobs.discard(job)
            self.settled |= {page_key(job, page, "fake") for page in range(1, PAGES + 1)}
            self.bus.say("web", Cancel(job))

    @rule(worker=st.sampled_from(WORKERS))
    def reconnect(self, worker: str) -> None:
        if worker in self.holds:
            self.bus.lose(worker)
            self.bus.told[worker] = []
            self.say_hello(worker)

    @rule(worker=st.sampled_from(WORKERS), outcome=st.sampled_from(["done", "refused", "outside"]))
    def answer(self, worker: str, outcome: str) -> None:
        if self.holds.get(worker):
            key = next(iter(self.holds[worker]))
            task = self.holds[worker].pop(key)
            self.bus.start(worker, task)
            if outcome == "done":
                self.open[worker][key] = task
            self.bus.answer(worker, task, outcome)

    @rule(engine=st.sampled_from(["fake", "other"]))
    def sends_all_back(self, engine: str) -> None:
        """For so long that pages move, where there is another engine."""
        self.split()
        for _ in range(4):
            for worker in [name for name in self.holds if ENGINE_OF[name] == engine]:
                while self.holds[worker]:
                    self.answer(worker, "outside")
            self.time_passes(0.5)
            self.settle_messages()
            self.split()

    @rule(refuse=st.integers(0, 2))
    def commit(self, refuse: int = 0) -> None:
        """The first so many answers are refused: those pages are tried again."""
        self.results += self.bus.of("collect", Result)
        keys = list(dict.fromkeys(result.key for result in self.results))
        self.results = []
        again = [key for key in keys if key not in self.settled][:refuse]
        self.settled |= set(keys) - set(again)
        if keys:
            self.bus.say("collect", Committed(tuple(keys), tuple(again)))
        for job in sorted(self.jobs):
            if all(page_key(job, page, "fake") in self.settled for page in range(1, PAGES + 1)):
                self.jobs.discard(job)
                self.bus.say("collect", Closed((job,)))

    @rule()
    def collector_restarts(self) -> None:
        self.results = []
        self.bus.told["collect"] = []
        self.bus.lose("collect")
        self.bus.hello("collect", role="collect")
        for worker, answers in self.open.items():
            for key, task in list(answers.items()):
                self.bus.say(worker, Result(key, task.lease, "done"))

    @rule(chance=st.integers(0, 3))
    def broker_restarts(self, chance: int) -> None:
        if chance == 3:  # else it would hardly ever have much to lose
            self.new_broker()

    @rule(rounds=st.integers(1, 8))
    def work_flows(self, rounds: int) -> None:
        """Each does a little in turn, as in quiet times."""
        for _ in range(rounds):
            self.split()
            for worker in sorted(self.holds):
                self.answer(worker, "done")
            self.commit()
            self.settle_messages()

    @rule()
    def all_jobs_come(self) -> None:
        for job, lane in zip(JOBS, ("interactive", "batch", "batch"), strict=True):
            self.submit(job, lane)
            self.settle_messages()
        while self.splits:
            self.split()
            self.settle_messages()

    @rule(seconds=st.sampled_from([0.3, 1.0, 2.5]))
    def time_passes(self, seconds: float) -> None:
        self.beat()
        self.bus.wait(seconds, ("collect", "split", *self.holds))

    @invariant()
    def credit_holds(self) -> None:
        self.settle_messages()
        for worker, held in self.holds.items():
            assert len(held) <= self.credits[worker]
            assert len(self.bus.core.peers[worker.encode()].leases) <= self.credits[worker]

    @invariant()
    def turns_are_kept(self) -> None:
        """`Turns` asserts at each page; here it learns who waits since when."""
        for turns in self.turns:
            turns.look()

    @invariant()
    def nobody_idles_while_a_page_waits(self) -> None:
        core = self.bus.core
        for worker in self.holds:
            peer = core.peers[worker.encode()]
            service = peer.hello.service
            waits = core.items.queue(service).pages and not core.state.suspects.waits(service)
            if waits and peer.solo is None and not core.state.places.is_held(peer.slot):
                assert len(peer.leases) >= peer.credit, worker

    @invariant()
    def counts_agree(self) -> None:
        ledger = self.bus.core.items
        window = ledger.window
        held = [item for item in ledger if item.payload and not item.is_out]
        assert window.total == sum(item.size for item in held) == sum(window.held.values())
        out = self.look_out()
        assert window.total + out < window.limit + PAGE_BYTES + self.most_out
        assert window.promised == sum(item.promised for item in ledger)
        for service, queue in ledger.queues.items():
            waiting = [i for i in ledger if i.state == "queued" and i.service == service]
            assert queue.pages == len(waiting)
            assert queue.bytes == sum(item.size for item in waiting)

    def teardown(self) -> None:
        """From any state, honest work ends all jobs and leaves nothing behind.

        It is enough that the engine works which was asked for: the other may never come again.
        """
        if "w03" in self.holds:
            self.crash("w03", 0)
        if "w01" not in self.holds:
            self.arrive("w01")
        for _ in range(200):
            self.settle_messages()
            while self.splits:
                self.split()
            for worker in list(self.holds):
                while self.holds[worker]:
                    self.answer(worker, "done")
            self.commit()
            self.settle_messages()
            if not self.jobs and not self.results and not any(self.open.values()):
                break
            self.time_passes(1.0)
        assert not self.jobs
        self.settle_messages()
        self.commit()
        while self.splits:
            self.split()
        self.bus.wait(4.0, ("collect", "split", *self.holds))
        self.beat()
        self.bus.assert_empty()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
