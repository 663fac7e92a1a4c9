"""Wishes that cannot be fulfilled end with a reason, and are not tried for ever."""

import time

import pytest

from shared.followups import compare_with
from shared.settings import Settings
from stages.followups import Followups
from tests.fakes.live_bus import wait_for
from tests.fakes.recorded_line import RecordedLine
from tests.fakes.store_work import finished, open_store


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def at_work(store):
    settings = Settings()
    followups = Followups(settings, store, RecordedLine().worker(settings, "collect"))
    followups.start()
    yield
    followups.stop(until=time.monotonic() + 10)


@pytest.mark.usefixtures("at_work")
def test_a_comparison_with_a_job_that_is_gone_says_so(store):
    job, gone = finished(store), finished(store)
    store.delete_job(gone.id)
    kind = compare_with(gone.id)
    store.want(job.id, kind)
    wait_for(lambda: (wish := store.wish(job.id, kind)) and wish.failure)
    assert store.wish(job.id, kind).failure.type == "job_not_found"
    assert gone.id in store.wish(job.id, kind).failure.message
    assert store.wishes() == []
