"""Refused answers and pages whose engine is away: read again out of turn, and told in words."""

from exchange import Exchange

from shared.messages import Cancel, Committed, Hello, PageReady, Result, page_key

READY = {"state": "ready"}


def page(bus, number=1, moves="", engine="fake", **header):
    """A page under auto that split has sent to an engine."""
    key = page_key("j", number, "auto")
    route = {"engine": engine, "moves": moves}
    ready = PageReady(key, "j", f"recognize.{engine}", {"route": route, **header})
    if b"sender" not in bus.core.peers:
        bus.hello("sender", role="sender")
    bus.say("sender", ready, (b"x" * 10,))
    return key


def started_bus(**settings):
    bus = Exchange(**settings)
    bus.hello("collect", role="collect")
    bus.hello("split", role="split")
    bus.submit("j")
    return bus


def again_of(bus):
    return [task.header.get("again") for task in bus.tasks("split")]


def split_chunk(bus, finished=True):
    [task] = bus.tasks("split")
    bus.split_done(task, 9, finished=finished)
    return task


def refuse(bus, *keys):
    bus.say("collect", Committed(keys, keys))


def test_a_refused_answer_is_read_again_at_once_and_keeps_its_counts():
    bus = started_bus()
    split_chunk(bus)
    bus.hello("a")
    key = page(bus)
    [task] = bus.tasks("a")
    bus.start("a", task)
    bus.answer("a", task)
    refuse(bus, key)
    assert bus.of("a", Committed) == [Committed((key,))]
    [asked] = bus.tasks("split")
    assert asked.header["again"] == [[1, "auto", []]]
    assert (asked.header["cursor"], asked.header["finished"]) == ([9, "fake"], True)
    page(bus, crashes=1)
    bus.split_done(asked, 9, finished=True)
    [task] = bus.tasks("a")
    bus.start("a", task)
    bus.answer("a", task)
    told = bus.of("collect", Result)[-1].header
    assert (told["attempts"], told["crashes"]) == (2, 1)
    bus.commit(key)
    assert bus.core.items.get(key) is None
    assert bus.tasks("split") == []


def test_a_full_window_does_not_hold_a_refused_page():
    bus = started_bus(window_pages=2)
    bus.hello("a", credit=1)
    keys = [page(bus, number) for number in range(1, 4)]
    split_chunk(bus, finished=False)
    [task] = bus.tasks("a")
    bus.answer("a", task)
    refuse(bus, keys[0])
    assert again_of(bus) == [[[1, "auto", []]]]


def test_pages_of_a_lost_split_process_are_read_by_the_next():
    bus = started_bus()
    split_chunk(bus)
    bus.hello("a", credit=9)
    keys = [page(bus, number) for number in range(1, 3)]
    for task in bus.tasks("a"):
        bus.answer("a", task)
    refuse(bus, keys[0])
    assert again_of(bus) == [[[1, "auto", []]]]
    refuse(bus, keys[1])  # while the first is being read
    bus.lose("split")
    bus.hello("split", role="split")
    assert again_of(bus) == [[[1, "auto", []], [2, "auto", []]]]


def test_pages_refused_while_others_are_read_follow_them():
    bus = started_bus()
    split_chunk(bus)
    bus.hello("a", credit=9)
    keys = [page(bus, number) for number in range(1, 3)]
    for task in bus.tasks("a"):
        bus.answer("a", task)
    refuse(bus, keys[0])
    [first] = bus.tasks("split")
    refuse(bus, keys[1])
    assert bus.tasks("split") == []
    bus.split_done(first, 9, finished=True)
    assert again_of(bus) == [[[2, "auto", []]]]


def test_old_news_does_not_disturb_the_next_attempt():
    bus = started_bus()
    split_chunk(bus)
    bus.hello("a")
    key = page(bus)
    bus.tasks("a")
    refuse(bus, key)  # of an answer that somebody repeated
    assert bus.core.items.get(key).state == "leased"
    assert bus.tasks("split") == []


def test_a_page_moves_when_its_engine_has_been_away_for_too_long():
    bus = started_bus(fallback_seconds=5.0)
    split_chunk(bus)
    bus.say("other", Hello("other", "engine", "recognize.other", "h", 9, 1, (), "other", {}, READY))
    moving, staying = page(bus, 1, "to_ready"), page(bus, 2)
    bus.wait(4.0, ("split", "collect", "other", "sender"))
    assert bus.tasks("split") == []
    bus.wait(2.5, ("split", "collect", "other", "sender"))
    [task] = bus.tasks("split")
    assert task.header["again"] == [[1, "auto", ["fake"]]]
    assert task.header["engines"] == ["other"]
    assert bus.core.items.get(moving) is None
    assert bus.core.items.get(staying).state == "queued"
    assert [(p.event, p.data["engine"]) for p in bus.published] == [("returned", "fake")]
    page(bus, 1, engine="other")
    [task] = bus.tasks("other")
    bus.answer("other", task)
    [entry] = bus.of("collect", Result)[-1].header["tries"]
    assert (entry["engine"], entry["outcome"]) == ("fake", "outage")
    assert "No process of fake" in entry["reason"]


def test_nothing_moves_while_there_is_nowhere_to_go_but_a_page_with_an_answer():
    bus = started_bus(fallback_seconds=2.0)
    split_chunk(bus)
    page(bus, 1, "to_ready")
    page(bus, 2, "always")
    bus.wait(4.0, ("split", "collect", "sender"))
    assert again_of(bus) == [[[2, "auto", ["fake"]]]]


def test_an_engine_that_is_back_in_time_keeps_its_pages():
    bus = started_bus(fallback_seconds=3.0)
    split_chunk(bus)
    bus.say("other", Hello("other", "engine", "recognize.other", "h", 9, 1, (), "other", {}, READY))
    key = page(bus, 1, "to_ready")
    bus.wait(2.0, ("split", "collect", "other", "sender"))
    bus.hello("a")
    assert bus.keys("a") == [key]
    bus.wait(3.0, ("split", "collect", "other", "sender", "a"))
    assert bus.core.items.get(key).state == "leased"


def test_an_engine_that_restarts_counts_as_here_for_a_while():
    bus = started_bus(fallback_seconds=3.0, engines=())
    bus.hello("a")
    bus.wait(1.5, ("split", "collect", "a"))
    assert split_chunk(bus).header["engines"] == []  # asked for before anybody was here
    bus.lose("a")
    bus.submit("k")
    [task] = bus.tasks("split")
    assert task.header["engines"] == ["fake"]  # at once, before anybody has looked around
    bus.split_done(task, 9, finished=True)
    bus.wait(1.5, ("split", "collect"))
    bus.submit("l")
    [task] = bus.tasks("split")
    assert task.header["engines"] == ["fake"]
    bus.split_done(task, 9, finished=True)
    bus.wait(3.0, ("split", "collect"))
    bus.submit("m")
    assert bus.tasks("split")[-1].header["engines"] == []


def test_a_young_broker_counts_on_the_engines_of_the_settings_unless_they_say_no():
    for state, wanted in (("loading", ["deepseek", "fake"]), ("blocked", ["fake"])):
        bus = Exchange(engines=("deepseek:gpu0", "fake"))
        bus.hello("split", role="split")
        bus.say(
            "d",
            Hello(
                "d", "engine", "recognize.deepseek", "h", 9, 1, (), "deepseek", {}, {"state": state}
            ),
        )
        bus.wait(1.5, ("split", "d"))
        bus.submit("j")
        [task] = bus.tasks("split")
        assert task.header["engines"] == wanted
        bus.split_done(task, 9, finished=True)
        bus.wait(2.0, ("split", "d"))
        bus.submit("k")
        assert bus.tasks("split")[-1].header["engines"] == []


def test_a_page_does_not_wait_long_for_an_engine_that_says_it_cannot_work():
    bus = started_bus(fallback_seconds=60.0)
    split_chunk(bus)
    bus.say("other", Hello("other", "engine", "recognize.other", "h", 9, 1, (), "other", {}, READY))
    blocked = {"state": "blocked"}
    bus.say("a", Hello("a", "engine", "recognize.fake", "h", 8, 1, (), "fake", {}, blocked))
    page(bus, 1, "to_ready")
    bus.wait(5.0, ("split", "collect", "other", "sender", "a"))
    assert again_of(bus) == [[[1, "auto", ["fake"]]]]


def test_tries_are_told_with_the_answer_and_with_the_verdict():
    bus = started_bus(backoff_seconds=0.05, page_attempts=2)
    split_chunk(bus)
    bus.hello("a")
    page(bus)
    for outcome in ("outside", "refused", "refused"):
        bus.wait(0.3, ("split", "collect", "a", "sender"))
        [task] = bus.tasks("a")
        bus.start("a", task)
        bus.answer("a", task, outcome, reason="It is dark.", reason_type="dark", worker="a-1")
    [verdict] = bus.of("collect", Result)
    assert verdict.outcome == "failed"
    assert verdict.header["route"] == {"engine": "fake", "moves": ""}
    tries = verdict.header["tries"]
    assert [entry["outcome"] for entry in tries] == ["outside", "failed", "failed"]
    assert {(t["reason"], t["worker"], t["engine"]) for t in tries} == {
        ("It is dark.", "a-1", "fake")
    }
    events = [p.data["reason"] for p in bus.published if p.event == "returned"]
    assert events == ["It is dark."] * 3


def test_a_crash_is_a_try_too():
    bus = started_bus()
    split_chunk(bus)
    bus.hello("a")
    page(bus)
    [task] = bus.tasks("a")
    bus.start("a", task)
    bus.lose("a")
    bus.hello("b")
    [task] = bus.tasks("b")
    bus.answer("b", task)
    [entry] = bus.of("collect", Result)[-1].header["tries"]
    assert (entry["outcome"], entry["reason_type"]) == ("crashed", "crashed")


def test_nothing_is_kept_of_a_cancelled_job():
    bus = started_bus()
    split_chunk(bus)
    bus.hello("a")
    key = page(bus)
    [task] = bus.tasks("a")
    bus.answer("a", task)
    bus.say("web", Cancel("j"))
    refuse(bus, key)
    assert bus.tasks("split") == []
    bus.assert_empty()
