from deploy.restarts import FIRST_SECONDS, MAX_SECONDS, RAN_WELL_SECONDS, Restarts


def middle() -> float:
    return 0.5  # no jitter


def test_waits_double_up_to_the_limit():
    restarts = Restarts(middle)
    waits = [restarts.delay_seconds(ran_seconds=1, planned=False) for _ in range(12)]
    assert waits[:3] == [FIRST_SECONDS, FIRST_SECONDS * 2, FIRST_SECONDS * 4]
    assert waits[-1] == MAX_SECONDS


def test_a_good_run_starts_from_the_beginning():
    restarts = Restarts(middle)
    for _ in range(5):
        restarts.delay_seconds(ran_seconds=1, planned=False)
    again = restarts.delay_seconds(ran_seconds=RAN_WELL_SECONDS, planned=False)
    assert again == FIRST_SECONDS
    assert restarts.failures == 1


def test_recycling_waits_for_nothing_but_a_loop_of_it_does():
    restarts = Restarts(middle)
    assert restarts.delay_seconds(ran_seconds=100, planned=True) == 0
    assert restarts.delay_seconds(ran_seconds=0.1, planned=True) > 0


def test_jitter_stays_near():
    low, high = Restarts(lambda: 0.0), Restarts(lambda: 1.0)
    assert low.delay_seconds(ran_seconds=0, planned=False) == FIRST_SECONDS * 0.75
    assert high.delay_seconds(ran_seconds=0, planned=False) == FIRST_SECONDS * 1.25
