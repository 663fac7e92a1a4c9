"""Engines that cannot say how they are."""

import threading

from shared.settings import Settings
from stages.engine_health import HealthWatch
from tests.fakes.engines import TextEngine
from tests.fakes.recorded_line import RecordedLine


class MuteEngine(TextEngine):
    """Its driver is gone for the first two questions of the watch."""

    def __init__(self):
        super().__init__(Settings(), None)
        self.fails = False
        self.asked = 0
        self.again = threading.Event()

    def health(self):
        self.asked += 1
        if self.asked > 3:
            self.again.set()
        if self.fails:
            raise RuntimeError("driver lost")
        return super().health()


class StuckEngine(TextEngine):
    """The watch's first question gets no answer until it may."""

    def __init__(self):
        super().__init__(Settings(), None)
        self.asked, self.may = threading.Event(), threading.Event()

    def health(self):
        if threading.current_thread().name == "health":
            self.asked.set()
            assert self.may.wait(10)
        return super().health()


def watched(engine, every_seconds=0.001):
    worker = RecordedLine().worker(Settings(), "engine")
    return worker, HealthWatch(engine, worker, every_seconds)


def test_an_engine_that_raises_is_degraded_and_asked_again():
    engine = MuteEngine()
    worker, watch = watched(engine)
    engine.fails = True
    watch.say("ready")
    status = worker._current_status()
    assert status["degraded"]
    assert "driver lost" in status["message"]
    watch.start()
    assert engine.again.wait(5)  # the thread outlives the error
    engine.fails = False
    watch.stop()
    watch.say("ready")
    assert not worker._current_status()["degraded"]


def test_an_engine_that_does_not_answer_holds_up_nobody():
    engine = StuckEngine()
    worker, watch = watched(engine)
    watch.start()
    assert engine.asked.wait(5)
    said = threading.Thread(target=watch.say, args=("blocked", "No GPU."), daemon=True)
    said.start()
    said.join(2)
    assert not said.is_alive()
    engine.load()  # the late answer is old news
    watch._ended.set()
    engine.may.set()
    watch.stop()
    assert worker._current_status()["message"] == "No GPU."
