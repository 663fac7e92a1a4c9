"""Random kill -9 and SIGSTOP of every process: the bench, shortened."""

import pytest

from tests.fakes.chaos import run_chaos


@pytest.mark.timeout(200)
async def test_every_page_is_there_once_whatever_is_killed(running, tmp_path):
    account = await run_chaos(
        tmp_path, seconds=12, pages_a_job=40, jobs_open=6, every_seconds=0.7, poison_every=2
    )
    assert account.wrong == []
    assert account.jobs >= 2
    assert account.poison >= 1
    assert account.quarantined == account.poison  # each with its signal, and nothing beside them
    assert account.charged <= len(account.struck)
    assert sum(account.kills.values()) >= 5
    assert account.extra_reads <= account.allowed_extra_reads
