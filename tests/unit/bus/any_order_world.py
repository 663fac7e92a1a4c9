"""Simulated workers, split and collect around one core, for the test of any order."""

from collections.abc import Sequence
from typing import Any

from exchange import Exchange
from turns import Turns

from shared.messages import (
    Committed,
    Heartbeat,
    Hello,
    Kill,
    Result,
    Returned,
    Revoke,
    Task,
    parse_page_key,
)

PAGES = 12
PAGE_BYTES = 300 * 1024  # of each third page: four of them fill the window
JOBS = ("j1", "j2", "j3")
WORKERS = ("w01", "w02", "w03")
ENGINE_OF = {"w01": "fake", "w02": "fake", "w03": "other"}
STAYS = 2  # the page that no other engine may read
CREDIT = 2


class AnyOrderWorld:
    """`settled` is the store; `holds` is what workers have, `open` what they answered."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0
        self.settled: set[str] = set()
        self.jobs: set[str] = set()
        self.lanes: dict[str, str] = {}
        self.holds: dict[str, dict[str, Task]] = {}
        self.open: dict[str, dict[str, Task]] = {}
        self.credits: dict[str, int] = {}
        self.begun: set[str] = set()
        self.results: list[Result] = []
        self.new_broker()

    def new_broker(self) -> None:
        self.epoch += 1
        self.bus = Exchange(
            f"e{self.epoch}",
            page_attempts=2,
            crash_attempts=2,
            split_chunk_pages=3,
            queue_mib=1,
            hang_seconds=20.0,
            fallback_seconds=1.0,
        )
        self.results = []
        self.most_out = 0
        ledger, send_out = self.bus.core.items, self.bus.core.items.send_out
        ledger.send_out = lambda *sent: (send_out(*sent), self.look_out())  # type: ignore[method-assign]
        self.splits: list[Task] = []
        services = [f"recognize.{name}" for name in dict.fromkeys(ENGINE_OF.values())]
        self.turns = [Turns(self.bus.core.items.queue(service)) for service in services]
        self.bus.hello("collect", role="collect")
        self.bus.hello("split", role="split")
        for worker in self.holds:
            self.say_hello(worker)
        for job in sorted(self.jobs):
            self.bus.submit(job, self.lanes[job])
        self.settle_messages()

    def look_out(self) -> int:
        """Bytes that are out now. All of them come back where their workers are lost."""
        out = sum(item.size for item in self.bus.core.items if item.payload and item.is_out)
        self.most_out = max(self.most_out, out)
        return out

    def say_hello(self, worker: str) -> None:
        held: list[Any] = [(k, t.lease, "running") for k, t in self.holds[worker].items()]
        self.begun |= self.holds[worker].keys()  # of all of them it says so
        held += [(k, t.lease, "answered") for k, t in self.open[worker].items()]
        pid = int(worker[1:])
        credit = self.credits.setdefault(worker, CREDIT)
        engine = ENGINE_OF[worker]
        service = f"recognize.{engine}"
        message = Hello(worker, "engine", service, "h", pid, credit, tuple(held), engine)
        self.bus.say(worker, message)
        for key, task in self.open[worker].items():
            self.bus.say(worker, Result(key, task.lease, "done"))

    def settle_messages(self) -> None:
        """Everyone reads what was sent to them."""
        for worker in list(self.holds):
            messages, self.bus.told[worker] = self.bus.told[worker], []
            for message in messages:
                if isinstance(message, Task):
                    known = self.bus.core.items.get(message.key) is not None
                    assert known or message.key in self.settled  # a Revoke follows
                    stays = parse_page_key(message.key)[1] == STAYS
                    assert not (stays and ENGINE_OF[worker] == "other")
                    if message.key not in self.open[worker]:
                        self.holds[worker][message.key] = message
                        assert len(self.holds[worker]) <= self.credits[worker]
                elif isinstance(message, Committed):
                    for key in message.keys:
                        self.open[worker].pop(key, None)
                elif isinstance(message, Revoke):
                    dropped = [k for k in message.keys if self.holds[worker].pop(k, None)]
                    if dropped:
                        self.bus.say(worker, Returned(tuple(dropped)))
                assert not isinstance(message, Kill)
        self.results += self.bus.of("collect", Result)
        self.splits += self.bus.tasks("split")

    def send_page(self, job: str, number: int, left: Sequence[str] = ()) -> None:
        engine = "other" if "fake" in left[:1] else "fake"
        route = {"engine": engine, "moves": "" if number == STAYS else "to_ready"}
        size = PAGE_BYTES if number % 3 == 0 else 10
        self.bus.page(job, number, size, engine=engine, route=route)

    def beat(self, workers: list[str] | None = None) -> None:
        for worker in self.holds if workers is None else workers:
            held = [*self.holds[worker], *self.open[worker]]
            self.bus.say(worker, Heartbeat(tuple(held), (), 0, {"credit": self.credits[worker]}))
