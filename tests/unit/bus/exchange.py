"""A broker's core, spoken to in written exchanges: who says what, and what is said back."""

from collections import defaultdict
from typing import Any

from bus.core import Broadcast, Core, Send
from shared.messages import (
    Committed,
    Heartbeat,
    Hello,
    Message,
    PageReady,
    Result,
    SplitDone,
    Started,
    Submit,
    Task,
    page_key,
)
from shared.settings import Settings

ENGINE = "recognize.fake"


class Exchange:
    """One core with a clock that only moves when told."""

    def __init__(self, epoch: str = "e1", **settings: Any) -> None:
        self.core = Core(Settings(**settings), epoch)
        self.now = 100.0
        self.told: dict[str, list[Message]] = defaultdict(list)
        self.published: list[Any] = []
        self.core.tick(self.now)

    def hear(self, commands: list[Any]) -> None:
        for command in commands:
            if isinstance(command, Broadcast):
                self.published.append(command.message)
            else:
                assert isinstance(command, Send)
                self.told[command.peer.decode()].append(command.message)

    def say(self, peer: str, message: Message, payload: tuple[bytes, ...] = ()) -> None:
        self.hear(self.core.receive(peer.encode(), message, payload, 7, self.now))

    def hello(
        self, peer: str, *, role: str = "engine", credit: int = 1, held: Any = (), slot: str = ""
    ) -> None:
        service = {"engine": ENGINE, "split": "split", "collect": "collect"}.get(role, "")
        pid = int.from_bytes(peer.encode()[-3:], "big")
        engine = "fake" if role == "engine" else ""
        held = tuple(held)
        message = Hello(peer, role, service, "host", pid, credit, held, engine, slot=slot)
        self.say(peer, message)

    def crash(self, peer: str, *, slot: str = "", credit: int = 1) -> list[str]:
        """A process comes, begins all that it is given, and dies. What it had begun."""
        self.hello(peer, slot=slot, credit=credit)
        tasks = self.tasks(peer)
        for task in tasks:
            self.start(peer, task)
        self.lose(peer)
        return [task.key for task in tasks]

    def crashes(self) -> dict[str, int]:
        """What each known page is charged with."""
        return {item.key: item.crashes for item in self.core.items if not item.is_split}

    def pid(self, peer: str) -> int:
        return self.core.peers[peer.encode()].hello.pid

    def submit(self, job: str, lane: str = "batch") -> None:
        self.say("web", Submit(((job, lane),)))

    def page(
        self, job: str, page: int, size: int = 10, *, engine: str = "fake", **header: Any
    ) -> str:
        key = page_key(job, page, "fake")
        if b"sender" not in self.core.peers:  # a split process that takes no tasks itself
            self.hello("sender", role="sender")
        self.say("sender", PageReady(key, job, f"recognize.{engine}", header), (b"x" * size,))
        return key

    def pages(self, job: str, count: int, lane: str = "batch") -> list[str]:
        self.submit(job, lane)
        return [self.page(job, number) for number in range(1, count + 1)]

    def tasks(self, peer: str) -> list[Task]:
        """Tasks told to the peer since the last look."""
        found = [message for message in self.told[peer] if isinstance(message, Task)]
        self.told[peer] = [m for m in self.told[peer] if not isinstance(m, Task)]
        return found

    def keys(self, peer: str) -> list[str]:
        return [task.key for task in self.tasks(peer)]

    def of(self, peer: str, kind: type) -> list[Any]:
        found = [message for message in self.told[peer] if isinstance(message, kind)]
        self.told[peer] = [m for m in self.told[peer] if not isinstance(m, kind)]
        return found

    def start(self, peer: str, task: Task) -> None:
        self.say(peer, Started(task.key, task.lease))

    def answer(self, peer: str, task: Task, outcome: str = "done", **header: Any) -> None:
        self.say(peer, Result(task.key, task.lease, outcome, header), ())

    def commit(self, *keys: str) -> None:
        self.say("collect", Committed(keys))

    def split_done(self, task: Task, page: int, *, finished: bool) -> None:
        self.say("split", SplitDone(task.key, task.lease, task.job, (page, "fake"), finished))

    def lose(self, peer: str) -> None:
        self.hear(self.core.disconnected(peer.encode(), self.now))

    def beat(self, peer: str, held: Any = (), running: Any = (), progress: int = 0) -> None:
        self.say(peer, Heartbeat(tuple(held), tuple(running), progress))

    def wait(self, seconds: float, alive: tuple[str, ...] = ()) -> None:
        """Let time pass; those named are heard of meanwhile, holding what the core believes."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 0.05)
            for peer in alive:
                known = self.core.peers.get(peer.encode())
                if known is not None:
                    known.seen_at = self.now
            if self.now >= self.core.next_deadline():
                self.hear(self.core.tick(self.now))

    def assert_empty(self) -> None:
        """Nothing is kept for jobs that are gone."""
        core = self.core
        assert len(core.items) == 0
        assert len(core.answers) == 0
        assert len(core.book) == 0
        assert core.items.window.total == core.items.window.promised == 0
        assert not any(core.items.window.held.values()), core.items.window.held
        assert not any(queue.pages for queue in core.items.parked.values())
        assert not core.state.suspects
        assert not any(queue.pages for queue in core.items.queues.values())
        assert not any(queue.bytes for queue in core.items.queues.values())
        assert not any(queue.jobs() for queue in core.items.queues.values())
        for peer in core.peers.values():
            assert not peer.leases, peer.name
            assert not peer.answered, peer.name
