"""Pages a second through the real broker, workers and collector, durable; and how long things take.

    .venv/bin/python -m tests.bench.bus_rate [floor small large trip starve fifo worker broker]

Every page counts only when its result row is committed (SQLite, synchronous=FULL). Two engine
processes that do nothing, a feeder in the place of split. One line of JSON for each measurement.

floor   one row committed in a bare SQLite, synchronous=FULL: what this disk takes
small   pages of 32 bytes        large   pages of 300 KiB
trip    one page out at a time: to the first event that says that it is committed
starve  a job of one page, alone and behind a book of 1,000 pages of 5 ms
fifo    the same page behind the book in one queue, as where nothing is fair
worker  kill -9 of a busy engine process: to the start of its page elsewhere
broker  kill -9 of the broker: to the next committed page; how many of those in
        hand the new one adopted, and how many ran twice
"""

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from shared.messages import Publish, page_key
from tests.fakes.rate_system import ENGINE, RateSystem, rate_system

SMALL, LARGE = b"x" * 32, os.urandom(300 * 1024)
NAP = 0.005


def say(**values: object) -> None:
    """One result."""
    print(json.dumps(values), flush=True)


def share(values: list[float], part: float) -> float:
    """A percentile, in milliseconds."""
    return round(1000 * sorted(values)[min(len(values) - 1, int(part * len(values)))], 2)


def floor(commits: int) -> None:
    """Commits of one narrow row: nothing that is durable here can be faster."""
    took: list[float] = []
    with tempfile.TemporaryDirectory(prefix="quire-rate-") as folder:
        database = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE page (number INTEGER PRIMARY KEY, text TEXT)")
        for number in range(commits):
            began = time.perf_counter()
            database.execute("INSERT INTO page VALUES (?, ?)", (number, SMALL.decode()))
            took.append(time.perf_counter() - began)
        database.close()
    say(what="floor", p50_ms=share(took, 0.5), p99_ms=share(took, 0.99))


def rate(name: str, payload: bytes, pages: int) -> None:
    """Pages a second, after a warm-up of a tenth."""
    with rate_system() as system:
        for count in (pages // 10, pages):
            job = system.job(count)
            began = time.perf_counter()
            cpu = cpu_seconds(system)
            system.submit(job)
            sent = 0
            while sent < count:
                task = system.split_task()
                system.chunk(task, count, payload)
                sent = int(task.header["cursor"][0]) + int(task.header["limit"])
            system.until_done(job)
            took = time.perf_counter() - began
        after = cpu_seconds(system)
        spent = {n: round(1e6 * (after[n] - cpu[n]) / pages) for n in after}
        broker = psutil.Process(system.processes["broker"].pid).memory_info().rss
        say(
            what=name,
            pages_a_second=round(pages / took),
            cpu_microseconds_a_page=spent,
            broker_mib=broker // 2**20,
        )


def cpu_seconds(system: RateSystem) -> dict[str, float]:
    """CPU seconds of each process so far."""
    times = {name: psutil.Process(p.pid).cpu_times() for name, p in system.processes.items()}
    times["feeder"] = psutil.Process().cpu_times()
    return {name: spent.user + spent.system for name, spent in times.items()}


def trip(pages: int) -> None:
    """One page out at a time."""
    took: list[float] = []
    with rate_system() as system:
        job = system.job(pages)
        system.submit(job)
        task = system.split_task()
        for number in range(1, pages + 1):
            began = time.perf_counter()
            system.page(job.id, number, SMALL)
            while not _is_committed(system.event(10.0), number):
                continue
            took.append(time.perf_counter() - began)
            system.feeder.progress()
        system.done(task, pages, finished=True)
    took = took[pages // 10 :]
    say(what="trip", p50_ms=share(took, 0.5), p99_ms=share(took, 0.99))


def _is_committed(event: object, number: int) -> bool:
    if not isinstance(event, Publish) or event.event != "job":
        return False
    return any(page["page"] == number for page in event.data["pages"])


def starve(rounds: int) -> None:
    """A job of one page, alone and beside a book. Engines take one page and prefetch one."""
    with rate_system(prefetch=1, window_pages=64, split_chunk_pages=16) as system:
        alone = [_one_page(system, None) for _ in range(rounds)]
        book = system.job(1000)
        system.submit(book)
        behind = [_one_page(system, book.id) for _ in range(rounds)]
    say(
        what="starve",
        alone_ms=share(alone, 0.5),
        behind_ms=share(behind, 0.5),
        ratio=round(median(behind) / median(alone), 2),
        worst_ms=share(behind, 1.0),
    )


def _one_page(system: RateSystem, book: str | None) -> float:
    until = time.monotonic() + (0.3 if book else 0.05)
    while time.monotonic() < until:  # the book gets into its stride
        _serve(system, book, 0.02)
    job = system.job(1)
    began = time.perf_counter()
    system.submit(job)
    while True:
        _serve(system, book, 0.0)
        event = system.event(0.001)
        if isinstance(event, Publish) and event.job == job.id and _is_committed(event, 1):
            return time.perf_counter() - began


def _serve(system: RateSystem, book: str | None, seconds: float) -> None:
    for delivery in system.feeder.take(1, timeout_seconds=seconds):
        task = delivery.message
        system.chunk(task, 1000 if task.job == book else 1, SMALL, NAP)


def fifo(rounds: int) -> None:
    """As `starve` without fairness: the page is the last of the book's own, all of it queued."""
    behind: list[float] = []
    pages = 1001
    with rate_system(prefetch=1, window_pages=2 * pages, split_chunk_pages=2 * pages) as system:
        for _ in range(rounds):
            book = system.job(pages)
            system.submit(book)
            task = system.split_task()
            for number in range(1, pages + 1):
                began = time.perf_counter()
                system.page(book.id, number, SMALL, NAP)
            while not _is_committed(system.event(10.0), pages):
                continue
            behind.append(time.perf_counter() - began)
            system.done(task, pages, finished=True)
    say(what="fifo", behind_ms=share(behind, 0.5), worst_ms=share(behind, 1.0))


def worker_kills(rounds: int) -> None:
    """kill -9 of an engine process that runs a page, until the page begins at the other."""
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        os.environ["QUIRE_TEST_RUN_LOG"] = str(log)
        with rate_system(prefetch=0) as system:
            for number in range(rounds):
                log.write_text("")
                job = system.job(1)
                system.submit(job)
                task = system.split_task()
                system.page(job.id, 1, SMALL, nap=0.5)
                pid, _ = _runs(log, 1)[0]
                [name] = [n for n, p in system.processes.items() if p.pid == pid]
                killed = time.monotonic()
                system.kill(name)
                took.append(_runs(log, 2)[1][1] - killed)
                system.done(task, 1, finished=True)
                system.until_done(job)
                system.processes.pop(name).wait()
                system.start(f"rate-again-{number}", "engine", ENGINE)
                system.until_engines(2)
        del os.environ["QUIRE_TEST_RUN_LOG"]
    say(what="worker killed", rounds=rounds, p50_ms=share(took, 0.5), p99_ms=share(took, 0.99))


def _runs(log: Path, count: int) -> list[tuple[int, float]]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        lines = log.read_text().splitlines()
        if len(lines) >= count and len(lines[-1].split()) == 3:
            return [(int(line.split()[1]), float(line.split()[2])) for line in lines]
        time.sleep(0.0005)
    raise TimeoutError("no page began")


def broker_kills(rounds: int, pages: int = 400) -> None:
    """kill -9 of the broker in the middle of a job of 20 ms pages; a new one at once."""
    resumed, repeated, in_hand, adopted = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        os.environ["QUIRE_TEST_RUN_LOG"] = str(log)
        for _ in range(rounds):
            log.write_text("")
            with rate_system(prefetch=3, window_pages=64, split_chunk_pages=16) as system:
                job = system.job(pages)
                system.submit(job)
                while system.store.job(job.id).counts.done < pages // 4:
                    _serve_all(system, job.id, pages)
                in_hand += sum(w["in_flight"] for w in system.table().workers if _is_engine(w))
                system.kill("broker")
                system.processes["broker"].wait()
                killed, before = time.monotonic(), system.store.job(job.id).counts.done
                system.start("broker", "broker")
                while system.store.job(job.id).counts.done <= before + 8:
                    _serve_all(system, job.id, pages)
                resumed.append(time.monotonic() - killed)
                while system.store.job(job.id).counts.done < pages:
                    _serve_all(system, job.id, pages)
                adopted += int(system.table().counters.get("adopted", 0))
            begun = Counter(line.split()[0] for line in log.read_text().splitlines())
            repeated += sum(begun[page_key(job.id, n, ENGINE)] - 1 for n in range(1, pages + 1))
        del os.environ["QUIRE_TEST_RUN_LOG"]
    say(
        what="broker killed",
        rounds=rounds,
        resumed_worst_s=round(max(resumed), 2),
        pages_in_hand=in_hand,
        adopted=adopted,
        run_twice=repeated,
    )


def _is_engine(row: Mapping[str, Any]) -> bool:
    return row["role"] == "engine"


def _serve_all(system: RateSystem, job: str, pages: int) -> None:
    for delivery in system.feeder.take(1, timeout_seconds=0.01):
        task = delivery.message
        pending = system.store.pending(job, after=tuple(task.header["cursor"]), limit=16)
        for page in pending:
            system.page(job, page.page, SMALL, nap=0.02)
        last = pending[-1].page if pending else pages
        system.done(task, last, finished=len(pending) < 16)


RUNS = {
    "floor": lambda: floor(1000),
    "small": lambda: rate("small", SMALL, 10_000),
    "large": lambda: rate("large", LARGE, 2_000),
    "trip": lambda: trip(400),
    "starve": lambda: starve(20),
    "fifo": lambda: fifo(3),
    "worker": lambda: worker_kills(20),
    "broker": lambda: broker_kills(5),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=list(RUNS), default=[])
    for what in parser.parse_args().what or RUNS:
        RUNS[what]()
