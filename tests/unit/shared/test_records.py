from dataclasses import replace

from shared.records import Counts, Failure
from shared.states import JobState, PageState
from tests.fakes.merge_jobs import job, task


def test_a_new_job_shows_every_documented_key():
    data = job().to_json()
    assert {"id", "state", "engine", "options", "parent", "document", "counts"} <= set(data)
    assert {"failure", "created", "started", "finished"} <= set(data)
    assert set(data["document"]) == {"id", "name", "media_type", "bytes", "pages"}
    assert (data["failure"], data["seconds"], data["formats"]) == (None, None, [])
    assert "error" not in data


def test_a_finished_job_says_how_long_and_which_formats():
    done = replace(
        job(),
        state=JobState.DONE,
        finished=4.5,
        counts=Counts(total=3, done=2, failed=1),
        artifacts={"md": "a" * 64, "json": "b" * 64},
    )
    data = done.to_json()
    assert (data["seconds"], data["failed_pages"], data["formats"]) == (2.5, 1, ["json", "md"])


def test_seconds_are_there_for_times_of_zero():
    assert replace(job(), started=0.0, finished=2.0).to_json()["seconds"] == 2.0


def test_a_failed_job_says_why():
    failed = replace(job(), failure=Failure("encrypted", "The document is encrypted."))
    assert failed.to_json()["failure"] == {
        "type": "encrypted",
        "message": "The document is encrypted.",
    }


def test_several_engines_are_named_by_commas():
    assert job("a,b").engines == ("a", "b")
    assert job().engines == ("fake",)


def test_settled_pages_are_those_that_will_not_change():
    assert Counts(total=9, pending=3, done=3, failed=2, cancelled=1).settled == 6
    assert {state for state in PageState if state.is_final} == {"done", "failed", "cancelled"}
    assert {state for state in JobState if state.is_final} == {"done", "failed", "cancelled"}


def test_a_page_lists_null_for_what_it_does_not_know():
    data = task(3).to_json()
    assert (data["page"], data["engine"], data["state"]) == (3, "fake", "done")
    assert [data[name] for name in ("reason", "reason_type", "worker", "source")] == [None] * 4
