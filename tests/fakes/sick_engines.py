"""Engines that never work, for the tests of health."""

import time

from shared.errors import Misconfigured, OutsideFailed
from shared.settings import Settings
from tests.fakes.engines import TextEngine


class BrokenEngine(TextEngine):
    """Never comes up: its process ends each time it is started."""

    name = "broken"

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        raise Misconfigured("This engine is broken on purpose.")


class LoadingEngine(TextEngine):
    """Loads for ever."""

    name = "loading"

    def load(self) -> None:
        time.sleep(3600)


class HungryEngine(TextEngine):
    """Its model never fits."""

    name = "hungry"

    def load(self) -> None:
        raise OutsideFailed("The GPU has 2 of 16 GiB free: end what uses it.", code="out_of_memory")
