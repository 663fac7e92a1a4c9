"""Adoption, audits, hangs, split's window, cancel and the end of jobs, as written exchanges."""

from exchange import ENGINE, Exchange

from shared.messages import (
    Cancel,
    Closed,
    Heartbeat,
    Kill,
    PageReady,
    Resend,
    Result,
    Returned,
    Revoke,
    SplitDone,
)

MIB = 1024 * 1024


def test_after_a_restart_what_workers_hold_is_adopted_and_not_repeated():
    bus = Exchange("e2")
    held = [("j:1:fake", 7, "answered"), ("j:2:fake", 8, "running"), ("j:3:fake", 9, "waiting")]
    bus.hello("a", credit=2, held=held)
    bus.hello("collect", role="collect")
    bus.submit("j")
    bus.hello("split", role="split")
    for page in (1, 2, 3, 4):
        bus.page("j", page)
    bus.hello("b", credit=4)
    assert bus.keys("b") == ["j:4:fake"]
    assert bus.core.items.pages_of("j") == 4


def test_an_adopted_page_whose_worker_dies_is_read_again_with_its_crashes():
    bus = Exchange("e2", crash_attempts=2)
    bus.submit("j")
    bus.hello("split", role="split")
    bus.split_done(bus.tasks("split")[0], 9, finished=True)
    bus.hello("a", held=[("j:1:fake", 7, "running")])
    bus.lose("a")
    (scan,) = bus.tasks("split")
    assert scan.header["again"] == [[1, "fake", []]]
    bus.page("j", 1)
    bus.hello("b")
    (task,) = bus.tasks("b")
    assert task.header["crashes"] == 1


def test_an_adopted_page_that_is_refused_is_never_sent_without_its_bytes():
    bus = Exchange("e2", backoff_seconds=0.1)
    bus.submit("j")
    bus.hello("a", held=[("j:1:fake", 7, "running")])
    bus.say("a", Result("j:1:fake", 7, "refused", {"reason": "x"}))
    bus.wait(1.0, ("a",))
    assert bus.keys("a") == []
    bus.hello("split", role="split")
    bus.page("j", 1)
    assert bus.keys("a") == ["j:1:fake"]


def test_the_bytes_of_an_adopted_page_count_where_it_goes_now():
    bus = Exchange("e2")
    bus.submit("j")
    bus.hello("split", role="split")
    bus.split_done(bus.tasks("split")[0], 1, finished=True)
    bus.hello("collect", role="collect", credit=10)
    bus.hello("a", held=[("j:1:fake", 7, "running")])
    bus.say("split", PageReady("j:1:fake", "j", "recognize.other", {}), (b"x" * MIB,))
    item = bus.core.items.get("j:1:fake")
    assert (item.is_out, item.size, item.service) == (True, MIB, "recognize.other")
    assert bus.core.items.window.total == 0  # its worker's credit stands for it
    bus.lose("a")
    assert bus.core.items.window.held == {"recognize.other": MIB}
    bus.hello("a", held=[("j:1:fake", 7, "running")])
    bus.say("a", Result("j:1:fake", 7, "done", {}))
    bus.commit("j:1:fake")
    bus.say("collect", Closed(("j",)))
    bus.assert_empty()


def test_a_broken_connection_of_a_living_process_is_no_crash():
    bus = Exchange()
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    (task,) = bus.tasks("a")
    bus.start("a", task)
    bus.lose("a")
    bus.hello("a", held=[(key, task.lease, "running")])
    item = bus.core.items.get(key)
    assert (item.state, item.crashes) == ("leased", 0)
    bus.hello("b")
    assert bus.keys("b") == []


def test_a_second_hello_keeps_tasks_that_are_still_on_their_way():
    bus = Exchange()
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    bus.tasks("a")
    bus.hello("a")
    assert bus.keys("a") == []
    bus.now += 2.5
    bus.beat("a")
    assert bus.keys("a") == [key]


def test_a_heartbeat_that_does_not_list_a_page_gives_it_out_again():
    bus = Exchange()
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    bus.tasks("a")
    bus.now += 1.0
    bus.beat("a")
    assert bus.keys("a") == []
    bus.now += 1.5
    bus.beat("a", held=[key])
    assert bus.keys("a") == []
    bus.beat("a")
    assert bus.keys("a") == [key]
    assert bus.core.counters["audited"] == 1


def test_silence_gives_the_work_to_others():
    bus = Exchange()
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    bus.hello("b")
    bus.wait(4.5, ("b",))
    assert b"a" not in bus.core.peers
    assert bus.keys("b") == [key]


def test_a_process_without_progress_is_killed_and_its_page_charged():
    bus = Exchange(hang_seconds=30.0)
    bus.hello("super", role="supervisor", credit=0)
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    bus.start("a", bus.tasks("a")[0])
    for progress in range(20):
        bus.beat("a", [key], [key], progress)
        bus.wait(2.0, ("a", "super"))
    assert not bus.of("super", Kill)
    bus.wait(31.5, ("a", "super"))
    (kill,) = bus.of("super", Kill)
    assert kill.pid == bus.pid("a")
    assert bus.of("a", Kill)
    bus.lose("a")
    assert "hung" in bus.core.items.get(key).reason
    assert bus.core.items.get(key).crashes == 1


def test_collect_coming_back_asks_everyone_to_send_again():
    bus = Exchange()
    bus.hello("a")
    bus.hello("collect", role="collect")
    assert bus.of("a", Resend)


def test_split_works_a_window_ahead_and_no_further():
    bus = Exchange(window_pages=8, split_chunk_pages=4)
    bus.hello("split", role="split")
    bus.hello("collect", role="collect")
    bus.submit("j")
    sent = 0
    while tasks := bus.tasks("split"):
        for _ in range(tasks[0].header["limit"]):
            sent += 1
            bus.page("j", sent)
        bus.split_done(tasks[0], sent, finished=False)
    assert sent == 8
    bus.hello("a", credit=8)
    for task in bus.tasks("a")[:4]:
        bus.answer("a", task)
        bus.commit(task.key)
    (task,) = bus.tasks("split")
    assert task.header["cursor"] == [8, "fake"]


def test_an_interactive_job_is_split_before_two_thousand_waiting_ones():
    bus = Exchange()
    for number in range(2000):
        bus.submit(f"j{number}", "backfill")
    bus.submit("now", "interactive")
    bus.hello("split", role="split")
    assert [task.job for task in bus.tasks("split")] == ["now"]


def test_a_rescan_asked_for_during_a_chunk_is_not_forgotten():
    bus = Exchange()
    bus.submit("j")
    bus.hello("split", role="split")
    (chunk,) = bus.tasks("split")
    bus.core.book.rescan("j")
    bus.split_done(chunk, 4, finished=True)
    (again,) = bus.tasks("split")
    assert again.header["cursor"] == [0, ""]


def test_split_done_of_an_earlier_epoch_does_not_move_the_cursor():
    bus = Exchange("e2")
    bus.submit("j")
    bus.hello("split", role="split", held=[("split:j", 3, "waiting")])
    assert bus.keys("split") == []  # its credit is taken
    bus.say("split", SplitDone("split:j", 3, "j", (4, "fake"), finished=True))
    (task,) = bus.tasks("split")
    assert task.header["cursor"] == [0, ""]


def test_a_job_that_nobody_closes_is_looked_at_again():
    bus = Exchange()
    bus.hello("split", role="split")
    bus.submit("j")
    bus.split_done(bus.tasks("split")[0], 0, finished=True)
    bus.wait(5.0, ("split",))
    assert bus.keys("split") == ["split:j"]


def test_cancel_drops_what_waits_and_calls_back_what_is_out():
    bus = Exchange()
    bus.hello("collect", role="collect")
    bus.hello("split", role="split")
    bus.hello("a")
    keys = bus.pages("j", 4)
    bus.say("web", Cancel("j"))
    assert bus.of("a", Revoke)[0].keys == (keys[0],)
    assert bus.of("split", Revoke)[0].keys == ("split:j",)
    bus.say("a", Returned((keys[0],)))
    bus.say("split", Returned(("split:j",)))
    bus.page("j", 9)
    bus.assert_empty()


def test_a_late_answer_of_a_cancelled_job_is_passed_on_and_leaks_nothing():
    bus = Exchange()
    bus.hello("collect", role="collect")
    bus.hello("a")
    (key,) = bus.pages("j", 1)
    (task,) = bus.tasks("a")
    bus.say("web", Cancel("j"))
    bus.answer("a", task)
    assert len(bus.of("collect", Result)) == 1
    bus.commit(key)
    bus.assert_empty()


def test_an_answer_that_is_never_committed_leaks_nothing_when_its_worker_goes():
    bus = Exchange()
    bus.hello("a")
    bus.pages("j", 1)
    bus.answer("a", bus.tasks("a")[0])
    bus.say("web", Closed(("j",)))
    bus.lose("a")
    bus.wait(3.0)
    bus.assert_empty()


def test_pages_of_a_job_unknown_here_are_not_kept():
    bus = Exchange()
    bus.hello("split", role="split")
    bus.say("split", PageReady("j:1:fake", "j", ENGINE), (b"x",))
    bus.assert_empty()


def test_the_table_shows_who_runs_what():
    bus = Exchange()
    bus.hello("a", credit=2)
    bus.pages("j", 3)
    bus.start("a", bus.tasks("a")[0])
    (row,) = bus.core.workers(bus.now)
    assert (row.in_flight, row.running) == (2, ("j:1:fake",))
    assert bus.core.queue_table()[ENGINE]["pages"] == 1


def test_a_look_at_two_thousand_full_jobs_costs_nothing():
    bus = Exchange()
    for number in range(2000):
        bus.submit(f"j{number}")
    bus.core.feeder.feed()
    assert list(bus.core.book.hungry(16)) == []
    assert bus.core.book._hungry == {}


def test_a_heartbeat_may_change_the_credit_and_nonsense_changes_nothing():
    exchange = Exchange()
    exchange.hello("engine", credit=1)
    exchange.pages("job", 6)
    first = exchange.keys("engine")
    assert len(first) == 1

    exchange.say("engine", Heartbeat(tuple(first), (), 0, {"credit": 3}))
    held = first + exchange.keys("engine")
    assert len(held) == 3

    exchange.say("engine", Heartbeat(tuple(held), (), 0, {"credit": "many"}))
    assert exchange.core.peers[b"engine"].credit == 1
    exchange.say("engine", Heartbeat(tuple(held), (), 0, {"credit": -5}))
    assert exchange.core.peers[b"engine"].credit == 0
    assert exchange.keys("engine") == []
