"""Engines that never work, or leak, for the tests of health."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from shared.errors import Misconfigured, OutsideFailed
from shared.ocr_backend import Answer
from shared.settings import MIB, Settings
from tests.fakes.engines import TextEngine
from tests.fakes.hanging_engine import HangingEngine


class BrokenEngine(TextEngine):
    """Never comes up: its process ends each time it is started."""

    name = "broken"

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        raise Misconfigured("This engine is broken on purpose.")


class LoadingEngine(TextEngine):
    """Loads for ever."""

    name = "loading"

    def load(self) -> None:
        _note_load(self)
        time.sleep(3600)


class SlowEngine(TextEngine):
    """Loads, at each start, until a file says that it has."""

    name = "slow"

    def load(self) -> None:
        _note_load(self)
        while not (Path(os.environ["QUIRE_DATA"]) / "slow-has-loaded").exists():
            time.sleep(0.05)


class FaultyEngine(TextEngine):
    """Its load fails in a way that nobody thought of."""

    name = "faulty"

    def load(self) -> None:
        _note_load(self)
        raise RuntimeError("no kernel for this card")


class HungryEngine(TextEngine):
    """Its model never fits."""

    name = "hungry"

    def load(self) -> None:
        _note_load(self)
        raise OutsideFailed("The GPU has 2 of 16 GiB free: end what uses it.", code="out_of_memory")


def _note_load(engine: TextEngine) -> None:
    """A file that appears as loading begins; who watches takes it away first."""
    (Path(os.environ["QUIRE_DATA"]) / f"loads-{engine.name}").touch()


class LeakyEngine(HangingEngine):
    """On the first page that says LEAK it takes all the memory that it may have, and dies of it.

    On GILFREE it hangs.
    """

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        super().__init__(settings, gpu)
        self._mark = settings.data / "leaked"

    def _answer(self, text: str, progress: Callable[[], None]) -> Answer:
        if "LEAK" in text.split() and not self._mark.exists():
            self._mark.touch()
            limit = psutil.Process().memory_info().vms + 64 * MIB
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            leak = []
            while True:
                leak.append(bytearray(8 * MIB))
        return super()._answer(text, progress)
