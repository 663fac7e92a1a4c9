"""Following a job by the server's events, in written answers."""

import httpx
import pytest

from deploy.progress import JobProgress
from deploy.server_commands import Server
from shared.errors import Refused
from web.live_job import _frame

PAGES = 300


def job(state, done=0):
    return {"id": "j", "state": state, "counts": {"total": PAGES, "done": done}}


def follow(stream, answers):
    """(the job at the end, how often it was asked for, what was shown of it)."""
    asked, shown = [], []

    class Shown(JobProgress):
        def show(self, job, counts):
            shown.append(counts.done)

    def answer(request):
        if request.url.path.endswith("/events"):
            return httpx.Response(200, text=stream)
        asked.append(request.url.path)
        return answers[min(len(asked), len(answers)) - 1]

    with httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer)) as client:
        final = Server(client).follow("j", Shown())
    return final, len(asked), shown


def test_a_job_is_asked_for_at_its_ends_and_not_for_each_page():
    frames = [_frame("snapshot", {"job": job("running"), "pages": []}, 1)]
    for page in range(1, PAGES):
        frames.append(_frame("page", {"page": page, "asked": "fake", "state": "done"}))
        frames.append(_frame("job", job("running", page), page + 1))
    frames.append(_frame("snapshot", {"job": job("done", PAGES), "pages": []}, PAGES + 1))
    answers = [httpx.Response(200, json=job(state)) for state in ("running", "done")]
    final, asked, shown = follow("".join(frames), answers)
    assert (final["state"], asked) == ("done", 2)
    assert shown[1:-1] == list(range(PAGES + 1))  # each step, from the events alone


def test_a_job_that_is_deleted_meanwhile_is_told_in_the_servers_words():
    gone = httpx.Response(404, json={"error": {"message": "There is no job j.", "code": "x"}})
    with pytest.raises(Refused, match="There is no job j"):
        follow(_frame("deleted", {"id": "j"}), [httpx.Response(200, json=job("running")), gone])
