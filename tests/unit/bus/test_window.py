"""The window of bytes: a bound for all services together, at any depth of queue."""

from exchange import ENGINE, Exchange

from bus.window import FILL, MOST, Window
from shared.messages import PageReady, page_key
from shared.settings import MIB

PAGE = 300 * 1024
OTHER = "recognize.other"


class Books:
    """A split process that reads books of so many pages; it notes how much waited at most."""

    def __init__(self, bus: Exchange, pages: int, size: int = PAGE) -> None:
        self.bus, self.pages, self.payload = bus, pages, (b"x" * size,)
        self.services: dict[str, str] = {}
        self.reads = self.most = 0
        self.settled: set[str] = set()
        bus.hello("split", role="split")

    def serve(self, limit: int = 10_000) -> int:
        """Do the tasks that the broker gives, so many at most. How many there were."""
        for done in range(limit):
            tasks = self.bus.tasks("split")
            if not tasks:
                return done
            (task,) = tasks
            page, finished = task.header["cursor"][0], False
            chosen = [number for number, _, _ in task.header.get("again", ())]
            if chosen:
                finished = task.header["finished"]
            else:
                chosen = list(range(page + 1, self.pages + 1))[: task.header["limit"]]
                page += len(chosen)
                finished = page == self.pages
            for number in chosen:
                self.send(task.job, number)
            self.bus.split_done(task, page, finished=finished)
        return limit

    def send(self, job: str, number: int) -> None:
        self.reads += 1
        key = page_key(job, number, "fake")
        if key in self.settled:
            return
        service = self.services.get(job, ENGINE)
        self.bus.say("split", PageReady(key, job, service, {}), self.payload)
        self.most = max(self.most, self.bus.core.items.window.total)

    def work_off(self, worker: str) -> None:
        """An engine and collect do all that there is."""
        while True:
            self.serve()
            tasks = self.bus.tasks(worker)
            if not tasks:
                return
            for task in tasks:
                self.bus.answer(worker, task)
                self.settled.add(task.key)
                self.bus.commit(task.key)


def waiting(mib: int, jobs: int, pages: int) -> tuple[Exchange, Books]:
    """So many jobs of large pages, all that the window of so many MiB takes read by split."""
    bus = Exchange(queue_mib=mib)
    bus.hello("collect", role="collect")
    books = Books(bus, pages)
    for number in range(jobs):
        bus.submit(f"j{number}")
    books.serve()
    return bus, books


def test_a_thousand_jobs_of_large_pages_stay_within_the_window_and_are_all_worked_off():
    bus, books = waiting(16, 1000, 3)
    assert 8 * MIB < books.most < 16 * MIB + PAGE
    assert books.reads <= 1000 + 16 * MIB // PAGE + 16  # of the others one page, to learn where to
    bus.hello("a", credit=4)
    books.work_off("a")
    bus.wait(3.0, ("a", "split", "collect"))
    books.work_off("a")
    assert len(books.settled) == 3000
    assert books.most < 16 * MIB + PAGE
    assert books.reads < 3000 + 1200


def test_an_engine_that_stands_still_leaves_room_for_another():
    bus = Exchange(queue_mib=4)
    bus.hello("collect", role="collect")
    books = Books(bus, 2)
    for number in range(200):
        bus.submit(f"j{number}")
        books.services[f"j{number}"] = OTHER  # nobody reads these
    bus.submit("mine")
    bus.hello("a")
    books.work_off("a")
    assert books.settled == {"mine:1:fake", "mine:2:fake"}
    assert bus.core.items.window.held[OTHER] < 4 * MIB


def test_what_is_out_at_workers_is_theirs_and_what_is_answered_is_let_go():
    bus = Exchange(queue_mib=4, window_pages=1000)
    books = Books(bus, 1000)
    bus.hello("a", credit=100)
    bus.submit("book")
    books.serve()
    tasks = bus.tasks("a")
    assert len(tasks) == 100  # 29 MiB are out, of a window of 4
    window = bus.core.items.window
    assert 4 * MIB * FILL / (FILL + 1) <= window.total < 4 * MIB + PAGE
    held = window.total
    bus.answer("a", tasks[0])
    assert bus.core.items.get(tasks[0].key).payload == ()
    assert window.total == held - PAGE  # the next one went out in its place
    books.serve()
    assert window.total >= held


def test_a_new_job_is_read_while_a_book_fills_its_part():
    bus = Exchange(queue_mib=4, window_pages=1000)
    bus.submit("book")
    books = Books(bus, 1000)
    books.serve()
    full = bus.core.items.window.total
    bus.submit("upload")
    books.serve(2)
    assert page_key("upload", 1, "fake") in [item.key for item in bus.core.items]
    assert bus.core.items.window.total > full


def test_no_service_takes_all_and_a_page_too_large_for_the_window_goes_through_alone():
    window = Window(MIB)
    taken = 0
    while window.takes("a"):
        window.count("a", 1024)
        taken += 1024
    assert abs(taken - MIB * MOST / (MOST + 1)) < 4096
    assert window.takes("b")
    assert not window.has_room("a", starving=True)
    assert window.has_room("b", starving=False)
    window.count("a", -taken)
    window.count("a", 5 * MIB)
    assert not window.takes("b")
    assert not window.has_room("b", starving=True)
    window.count("a", -5 * MIB)
    assert window.takes("a")


def test_parked_jobs_are_asked_one_by_one_as_room_comes():
    bus, _ = waiting(1, 500, 2)
    bus.hello("a", credit=1)
    (task,) = bus.tasks("a")
    admitted = bus.core.feeder.admit
    asked = []
    bus.core.feeder.admit = lambda item: asked.append(item.key) or admitted(item)
    bus.answer("a", task)
    bus.commit(task.key)
    assert len(asked) <= 2
