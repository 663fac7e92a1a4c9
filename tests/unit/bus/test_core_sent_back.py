"""Pages that an engine takes and sends back unread move where they may, and not to and fro."""

from exchange import Exchange

from shared.messages import Heartbeat, Hello, PageReady, Result, page_key

READY = {"state": "ready"}
WEIGHTS = {"reason": "Weights are missing.", "reason_type": "weights_missing"}
EVERYONE = ("split", "collect", "sender", "fake", "other")


def bus_of(*engines, **settings):
    """A bus with a process of each engine; the job's first chunk is out."""
    bus = Exchange(**{"fallback_seconds": 5.0, "backoff_seconds": 0.5} | settings)
    bus.hello("collect", role="collect")
    bus.hello("split", role="split")
    bus.hello("sender", role="sender")
    bus.submit("j")
    for engine in engines:
        service = f"recognize.{engine}"
        bus.say(engine, Hello(engine, "engine", service, "h", 9, 4, (), engine, {}, READY))
    [task] = bus.tasks("split")
    bus.split_done(task, 9, finished=True)
    return bus


def page(bus, number=1, moves="to_ready", engine="fake", text=""):
    key = page_key("j", number, "auto")
    route = {"engine": engine, "moves": moves, "text": text}
    bus.say("sender", PageReady(key, "j", f"recognize.{engine}", {"route": route}), (b"x" * 10,))
    return key


def send_back(bus, engine, seconds=0.0):
    """The engine sends back all that it gets, for so long. How often it did."""
    end, times = bus.now + seconds, 0
    while True:
        for task in bus.tasks(engine):
            bus.start(engine, task)
            bus.answer(engine, task, "outside", worker=f"{engine}-1", **WEIGHTS)
            times += 1
        if bus.now >= end:
            return times
        bus.wait(0.1, EVERYONE)


def read(bus, engine):
    """The engine reads all that it has; how each was told to collect."""
    tasks = bus.tasks(engine)
    for task in tasks:
        bus.start(engine, task)
        bus.answer(engine, task)
    told = bus.of("collect", Result)
    bus.commit(*[task.key for task in tasks])
    return told


def rereads(bus):
    """Pages that split is to read again, each with the engines that it may not go to."""
    found = []
    for task in bus.tasks("split"):
        found += [(number, left) for number, _, left in task.header["again"]]
        bus.split_done(task, 9, finished=True)
    return found


def test_a_page_that_comes_back_for_too_long_moves_and_says_why():
    bus = bus_of("fake", "other")
    key = page(bus)
    assert send_back(bus, "fake", 4.5) >= 3
    assert rereads(bus) == []
    send_back(bus, "fake", 2.0)
    assert rereads(bus) == [(1, ["fake"])]
    assert bus.core.items.get(key) is None
    page(bus, engine="other")
    [told] = read(bus, "other")
    *earlier, last = told.header["tries"]
    assert {(entry["engine"], entry["outcome"]) for entry in earlier} == {("fake", "outside")}
    assert (last["engine"], last["outcome"]) == ("fake", "outage")
    assert "sent such pages back for" in last["reason"]
    assert last["reason"].endswith("Weights are missing.")
    assert bus.core.counters["moved"] == 1


def test_the_pages_after_it_do_not_wait_again_and_those_not_yet_tried_are_tried():
    bus = bus_of("fake", "other")
    page(bus)
    send_back(bus, "fake", 6.0)
    assert rereads(bus) == [(1, ["fake"])]
    page(bus, 2)
    assert send_back(bus, "fake") == 1
    assert rereads(bus) == [(2, ["fake"])]
    page(bus, 3)
    assert rereads(bus) == []  # it may be read by now
    assert len(read(bus, "fake")) == 1
    page(bus, 4)
    assert send_back(bus, "fake", 4.0) >= 3
    assert rereads(bus) == []  # this is another time


def test_pages_with_a_sound_text_layer_are_another_matter():
    bus = bus_of("fake", "other")
    scan = page(bus, 1)
    for _ in range(60):
        page(bus, 2, text="sound")
        for task in bus.tasks("fake"):
            bus.start("fake", task)
            if task.key == scan:
                bus.answer("fake", task, "outside", **WEIGHTS)
            else:
                bus.answer("fake", task)
                bus.commit(task.key)
        bus.wait(0.1, EVERYONE)
    assert rereads(bus) == [(1, ["fake"])]


def test_what_was_asked_for_by_name_waits_and_is_tried_on():
    bus = bus_of("fake", "other")
    key = page(bus, moves="")
    send_back(bus, "fake", 20.0)
    assert rereads(bus) == []
    assert bus.core.items.get(key).service == "recognize.fake"
    bus.wait(30.0, EVERYONE)
    assert len(read(bus, "fake")) == 1


def test_it_waits_while_there_is_no_other_and_goes_when_one_comes():
    bus = bus_of("fake")
    page(bus)
    send_back(bus, "fake", 20.0)
    assert rereads(bus) == []
    bus.say("other", Hello("other", "engine", "recognize.other", "h", 9, 4, (), "other", {}, READY))
    bus.wait(1.2, EVERYONE)
    assert rereads(bus) == [(1, ["fake"])]


def test_a_step_of_the_ladder_goes_without_another_engine():
    bus = bus_of("fake")
    page(bus, moves="always")
    send_back(bus, "fake", 6.0)
    assert rereads(bus) == [(1, ["fake"])]


def both_send_back():
    """A page that fake has sent back, and then other."""
    bus = bus_of("fake", "other")
    page(bus)
    send_back(bus, "fake", 6.0)
    assert rereads(bus) == [(1, ["fake"])]
    page(bus, engine="other")
    assert send_back(bus, "other", 20.0) >= 4
    assert rereads(bus) == []  # not to and fro
    return bus


def test_a_page_that_all_send_back_stays_with_the_last_and_is_read_there():
    bus = both_send_back()
    bus.wait(30.0, EVERYONE)
    assert len(read(bus, "other")) == 1


def test_it_goes_back_once_the_first_has_read_another():
    bus = both_send_back()
    page(bus, 2)
    assert len(read(bus, "fake")) == 1
    bus.wait(1.2, EVERYONE)
    assert rereads(bus) == [(1, ["other"])]


def test_it_goes_back_once_the_first_no_longer_complains():
    bus = both_send_back()
    for degraded, wanted in ((True, []), (False, [(1, ["other"])])):
        bus.say("fake", Heartbeat((), (), 0, {**READY, "degraded": degraded}))
        bus.wait(1.2, EVERYONE)
        assert rereads(bus) == wanted


def moved_and_then_alone():
    """A page that fake has sent back waits at other, which goes away."""
    bus = bus_of("fake", "other")
    page(bus)
    send_back(bus, "fake", 6.0)
    assert rereads(bus) == [(1, ["fake"])]
    page(bus, engine="other")
    bus.tasks("other")
    bus.lose("other")
    return bus


def test_it_goes_back_when_the_engine_that_it_moved_to_goes_away():
    bus = moved_and_then_alone()
    bus.wait(4.0, EVERYONE)
    assert rereads(bus) == []  # it may be replaced in a moment
    bus.wait(3.5, EVERYONE)
    assert rereads(bus) == [(1, ["other"])]
    page(bus)
    [told] = read(bus, "fake")
    assert [entry["engine"] for entry in told.header["tries"][-1:]] == ["other"]
    assert "No process of other" in told.header["tries"][-1]["reason"]


def test_back_there_it_is_tried_on_and_moves_once_for_each_time_that_the_other_is_away():
    bus = moved_and_then_alone()
    bus.wait(7.5, EVERYONE)
    assert rereads(bus) == [(1, ["other"])]
    page(bus)
    assert send_back(bus, "fake", 20.0) >= 3
    assert rereads(bus) == []  # nowhere else
    bus.say("other", Hello("other", "engine", "recognize.other", "h", 9, 4, (), "other", {}, READY))
    bus.wait(1.2, EVERYONE)
    assert rereads(bus) == [(1, ["fake"])]
    page(bus, engine="other")
    bus.wait(20.0, EVERYONE)
    assert rereads(bus) == []
    assert len(read(bus, "other")) == 1
    assert bus.core.counters["moved"] == 3


def test_of_two_engines_that_send_it_back_the_one_that_is_here_tries_it():
    bus = both_send_back()
    bus.lose("other")
    bus.wait(7.5, EVERYONE)
    assert rereads(bus) == [(1, ["other"])]
    page(bus)
    assert len(read(bus, "fake")) == 1


def test_a_page_that_moved_goes_to_a_third_engine_sooner_than_back():
    bus = moved_and_then_alone()
    bus.say("third", Hello("third", "engine", "recognize.third", "h", 9, 4, (), "third", {}, READY))
    bus.wait(7.5, (*EVERYONE, "third"))
    assert rereads(bus) == [(1, ["other", "fake"])]


def test_a_third_engine_is_told_to_split_without_those_that_send_it_back():
    bus = both_send_back()
    bus.say("third", Hello("third", "engine", "recognize.third", "h", 9, 4, (), "third", {}, READY))
    bus.wait(1.2, (*EVERYONE, "third"))
    assert rereads(bus) == [(1, ["other", "fake"])]


def test_one_return_is_none_for_a_page_that_then_waits_its_turn():
    bus = bus_of("fake", "other")
    page(bus)
    send_back(bus, "fake")
    page(bus, 2)
    assert len(read(bus, "fake")) == 1
    bus.wait(10.0, EVERYONE)  # so long it is in the queue, or on its way
    assert rereads(bus) == []
