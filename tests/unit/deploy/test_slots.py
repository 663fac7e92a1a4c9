"""What a supervisor says of a process that is not on the bus."""

import signal
import time

from deploy.child import Ending
from deploy.plan import ProcessSpec
from deploy.slots import Slot

SPEC = ProcessSpec("mineru-2", ("python",), role="engine", engine="mineru")


def test_one_that_runs_is_starting():
    shown = Slot(SPEC, 7, time.monotonic() - 3).describe()
    assert (shown["state"], shown["pid"], shown["service"]) == ("starting", 7, "recognize.mineru")
    assert shown["message"] == "mineru-2 was started 3 s ago and has not joined the bus yet."
    late = Slot(SPEC, 7, time.monotonic() - 100).describe()
    assert "its log says what it waits for" in late["message"]
    assert "about to be started" in Slot(SPEC).describe()["message"]


def test_one_that_ended_says_how_and_when_it_comes_back():
    ending = Ending(exit_code=2, signal=None, ran_seconds=1.0)
    shown = Slot(SPEC, 7, 0.0, ending, 1, time.monotonic() + 12.2).describe()
    assert shown["state"] == "restarting"
    assert shown["message"] == (
        "mineru-2 ended (exit code 2) and starts again in 12 s; its log says why."
    )


def test_one_that_keeps_ending_is_counted_and_memory_is_named():
    ending = Ending(exit_code=None, signal=signal.SIGKILL, ran_seconds=1.0)
    message = Slot(SPEC, 7, 0.0, ending, 5, 0.0).describe()["message"]
    assert "ended 5 times in a row (signal SIGKILL, as when the system is out of memory)" in message
