"""submit, status, replay, cancel: what the command line asks of a running server."""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from deploy.progress import JobProgress
from shared.errors import OutsideFailed, QuireError, Refused
from shared.records import Counts
from shared.states import JobState

_API = "/api/v1/jobs"
_TIMEOUT = httpx.Timeout(30.0, read=60.0)  # the server sends a keep-alive every 15 s
_RECONNECT_SECONDS = 1.0  # after the server closed the events of a job that is not final


def run_command(url: str, arguments: argparse.Namespace, *, api_key: str) -> int:
    """Run one of the commands; 1 when a job failed. QuireError: what the server or network says."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT) as client:
        server = Server(client)
        command = {
            "submit": _submit,
            "status": _status,
            "replay": _replay,
            "cancel": _cancel,
        }[arguments.command]
        try:
            return command(server, arguments)
        except httpx.TransportError as error:
            raise OutsideFailed(
                f"No answer from {url} ({error}). Start a server with `quire up`, "
                "or name it with --server URL."
            ) from error


class Server:
    """The API of one server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, method: str, path: str, **more: Any) -> Any:
        """The JSON of an answer. Refused with the server's own sentence on 4xx and 5xx."""
        response = self._client.request(method, path, **more)
        if response.is_success:
            return response.json()
        raise _refusal(response)

    def follow(self, job_id: str, progress: JobProgress) -> dict[str, Any]:
        """Wait until a job is final, and return it.

        The server-sent events carry the counts that are shown; the job itself is asked for
        once before them, and when they say that it has ended or is gone.
        """
        while True:
            job: dict[str, Any] = self._look(job_id, progress)
            if JobState(job["state"]).is_final:
                return job
            try:
                with self._client.stream("GET", f"{_API}/{job_id}/events") as events:
                    is_over = _follow_events(events.iter_lines(), job_id, progress)
            except httpx.RemoteProtocolError:
                is_over = False  # the server went away in the middle: asked again
            if not is_over:
                time.sleep(_RECONNECT_SECONDS)

    def _look(self, job_id: str, progress: JobProgress) -> dict[str, Any]:
        job: dict[str, Any] = self.ask("GET", f"{_API}/{job_id}")
        _show(job, job_id, progress)
        return job


def _follow_events(lines: Iterable[str], job_id: str, progress: JobProgress) -> bool:
    """Show the job as its events tell it. True once it is final or gone."""
    event = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            event = value
        elif field == "data" and event == "deleted":
            return True
        elif field == "data" and event in {"snapshot", "job"}:
            data = json.loads(value)
            job = data["job"] if event == "snapshot" else data
            _show(job, job_id, progress)
            if JobState(job["state"]).is_final:
                return True
    return False


def _show(job: Mapping[str, Any], job_id: str, progress: JobProgress) -> None:
    counts = job["counts"]
    names = ("total", "pending", "done", "failed", "cancelled")
    progress.show(job_id, Counts(**{name: counts.get(name, 0) for name in names}))


def _refusal(response: httpx.Response) -> QuireError:
    try:
        error = response.json()["error"]
        return Refused(str(error["message"]), code=str(error["code"]))
    except (ValueError, KeyError, TypeError):
        return OutsideFailed(f"The server answered {response.status_code} to {response.url}.")


def _submit(server: Server, arguments: argparse.Namespace) -> int:
    fields = {
        name: value
        for name in ("engine", "pages", "priority")
        if (value := getattr(arguments, name)) is not None
    }
    failed = False
    jobs: list[dict[str, Any]] = []
    for name in arguments.files:  # one request each: a bad file does not spoil the others
        try:
            with ExitStack() as stack:
                file = stack.enter_context(Path(name).open("rb"))
                answer = server.ask(
                    "POST", _API, data=fields, files=[("file", (Path(name).name, file))]
                )
        except OSError as error:
            _complain(name, error.strerror or str(error))
            failed = True
            continue
        except Refused as error:
            _complain(name, str(error))
            failed = True
            continue
        jobs += answer["jobs"]
        for job in answer["jobs"]:
            print(job["id"], flush=True)
    if arguments.wait:
        return max(_wait(server, jobs), int(failed))
    return int(failed)


def _status(server: Server, arguments: argparse.Namespace) -> int:
    if arguments.jobs:
        jobs = [server.ask("GET", f"{_API}/{job_id}") for job_id in arguments.jobs]
    else:
        jobs = server.ask("GET", _API, params={"limit": 20})["jobs"]
    if arguments.wait:
        return _wait(server, jobs)
    for job in jobs:
        print(_line(job))
    return 0


def _replay(server: Server, arguments: argparse.Namespace) -> int:
    asked = {"engine": arguments.engine, "pages": arguments.pages, "from": arguments.origin}
    body = {name: value for name, value in asked.items() if value is not None}
    answer = server.ask("POST", f"{_API}/{arguments.jobs[0]}/replay", json=body)
    jobs = answer.get("jobs") or [answer.get("job", answer)]
    for job in jobs:
        print(job["id"], flush=True)
    return _wait(server, jobs) if arguments.wait else 0


def _cancel(server: Server, arguments: argparse.Namespace) -> int:
    failed = False
    for job_id in arguments.jobs:
        try:
            server.ask("POST", f"{_API}/{job_id}/cancel")
        except Refused as error:
            _complain(job_id, str(error))
            failed = True
    return int(failed)


def _wait(server: Server, jobs: Sequence[dict[str, Any]]) -> int:
    failed = False
    with JobProgress() as progress:
        for job in jobs:
            progress.add(job["id"], job["document"]["name"])
        for job in jobs:
            final = server.follow(job["id"], progress)
            progress.say(_line(final))
            failed = failed or final["state"] != JobState.DONE or bool(final["counts"]["failed"])
    return int(failed)


def _line(job: dict[str, Any]) -> str:
    """One job in one line."""
    counts, failure = job["counts"], job.get("failure")
    pages = f"{counts['done']}/{counts['total']} pages"
    if counts["failed"]:
        pages += f", {counts['failed']} failed"
    reason = f"  {failure['message']}" if failure else ""
    name = job["document"]["name"]
    return f"{job['id']}  {job['state']:<9}  {job['engine']:<8}  {pages:<14}  {name}{reason}"


def _complain(what: str, reason: str) -> None:
    print(f"{what}: {reason}", file=sys.stderr)
