"""One job as server-sent events: a snapshot from the store, then what changes.

Events: `snapshot` {job, pages}, `page` (one page task: running, given back, settled, or going on to
another attempt; `asked` and `page` are its key, `mark` is one word for people), `job` (state and
counts), `deleted`, `closing`. The id is the job's revision and stands on the last event of a
change only, so that a reader who resumes with it has seen all of that change.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from shared.errors import NotFound
from shared.events import JobEvent
from shared.records import Job, PageTask
from shared.states import JobState, PageState
from web.front import Front
from web.hub import PageKey, Running, Watch

KEEP_ALIVE_SECONDS = 15.0  # proxies and our own RESPONSE_TIMEOUT cut silent connections


class LiveJob:
    """The stream of one reader."""

    def __init__(self, front: Front, job: Job, last_seen: int | None) -> None:
        self._front = front
        self._job = job
        self._revision = -1
        self._total = 0
        self._last_seen = last_seen
        self._settled: set[PageKey] = set()
        self._running: dict[PageKey, str] = {}
        self._marks: dict[PageKey, str] = {}

    async def events(self) -> AsyncIterator[str]:
        """Frames until the job is final, gone, or the server stops."""
        with self._front.hub.watch(self._job.id) as watch:
            yield await self._first()
            while not self._job.state.is_final:
                came = await watch.wait(KEEP_ALIVE_SECONDS)
                if self._front.closing.is_set():
                    yield _frame("closing", {})
                    return
                try:
                    frames = await (self._changes(watch) if came else self._quiet())
                except NotFound:
                    yield _frame("deleted", {"id": self._job.id})
                    return
                if frames:
                    yield frames

    async def _first(self) -> str:
        snapshot = await self._snapshot()
        if self._last_seen == self._job.revision and not self._job.state.is_final:
            return ": nothing has changed\n\n" + self._running_frames()
        return snapshot

    async def _snapshot(self) -> str:
        store, threads = self._front.store, self._front.threads
        # The job first: pages that settle between the two reads are then told twice, never missed.
        self._job = await threads.run(store.job, self._job.id)
        tasks = await threads.run(store.pages, self._job.id)
        self._revision, self._total = self._job.revision, self._job.counts.total
        self._settled = {(task.page, task.asked) for task in tasks if task.state.is_final}
        self._marks = {(task.page, task.asked): task.mark for task in tasks}
        self._running = dict(self._front.hub.running(self._job.id))
        pages = [page_json(task, self._running) for task in tasks]
        return _frame("snapshot", {"job": self._job.to_json(), "pages": pages}, self._revision)

    async def _quiet(self) -> str:
        """Nothing came for a while: see whether something was missed."""
        job = await self._front.threads.run(self._front.store.job, self._job.id)
        return await self._snapshot() if job.revision != self._revision else ": keep-alive\n\n"

    async def _changes(self, watch: Watch) -> str:
        events, lost, running_moved = watch.take()
        if lost:
            return await self._snapshot()
        frames = []
        for event in events:
            if event.kind == "running":
                frames.append(self._began(event))
            elif event.kind == "returned":
                frames.append(self._returned(event))
            elif event.revision > self._revision:
                if self._needs_snapshot(event):
                    return await self._snapshot()
                frames.append(self._committed(event))
        if running_moved:
            frames.append(self._running_frames())
        return "".join(frames)

    def _needs_snapshot(self, event: JobEvent) -> bool:
        """A jump in revisions, new page rows or the end: the store knows all of it."""
        final = JobState(event.data["state"]).is_final
        total = event.data["counts"]["total"]
        return final or total != self._total or event.revision > self._revision + 1

    def _committed(self, event: JobEvent) -> str:
        self._revision = event.revision
        frames = []
        for page in event.data.get("pages", ()):
            key = (page["page"], page["asked"])
            self._marks[key] = page["mark"]
            self._running.pop(key, None)
            if PageState(page["state"]).is_final:
                self._settled.add(key)
            frames.append(_frame("page", page))
        shown = {name: value for name, value in event.data.items() if name != "pages"}
        return "".join([*frames, _frame("job", {"id": self._job.id, **shown}, self._revision)])

    def _began(self, event: JobEvent) -> str:
        key = (int(event.data["page"]), str(event.data["asked"]))
        if key in self._settled:
            return ""
        self._running[key] = str(event.data["engine"])
        return self._page_frame(key)

    def _returned(self, event: JobEvent) -> str:
        """An attempt came to nothing, and the page waits for another."""
        key = (int(event.data["page"]), str(event.data["asked"]))
        if key in self._settled:
            return ""
        self._running.pop(key, None)
        self._marks[key] = "retried"
        return self._page_frame(key, engine=event.data["engine"], reason=event.data["reason"])

    def _running_frames(self) -> str:
        """What began and what was given back, by the newest table of the broker."""
        before, self._running = self._running, dict(self._front.hub.running(self._job.id))
        moved = [*sorted(before.keys() - self._running), *sorted(self._running.keys() - before)]
        return "".join(self._page_frame(key) for key in moved if key not in self._settled)

    def _page_frame(self, key: PageKey, **more: Any) -> str:
        """A page that began, or was given back."""
        engine = self._running.get(key)
        data: dict[str, Any] = {"page": key[0], "asked": key[1], **more}
        if engine is None:
            data |= {"state": PageState.PENDING.value, "mark": self._marks.get(key, "queued")}
        else:
            running = PageState.RUNNING.value
            data |= {"state": running, "mark": running, "engine": engine}
        return _frame("page", data)


def page_json(task: PageTask, running: Running) -> dict[str, Any]:
    """A page as the API lists it, `running` where an engine works on it now."""
    shown = task.to_json()
    engine = running.get((task.page, task.asked))
    if task.state is PageState.PENDING and engine is not None:
        state = PageState.RUNNING.value
        shown |= {"state": state, "mark": state, "engine": engine}
    return shown


def _frame(name: str, data: dict[str, Any], revision: int | None = None) -> str:
    number = "" if revision is None else f"id: {revision}\n"
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\n{number}data: {text}\n\n"
