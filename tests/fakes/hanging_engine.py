"""Engines that hang: with the interpreter let go, or holding it. Each page says how."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.ocr_backend import Answer
from shared.settings import Settings
from tests.fakes.engines import TextEngine

SECONDS = 3600


class HangingEngine(TextEngine):
    """GILHELD and GILFREE stand still, once for each page: a second process reads it well.

    The mark of the first time is a file in the data directory.
    """

    def __init__(self, settings: Settings, gpu: int | None) -> None:
        super().__init__(settings, gpu)
        self._folder: Path = settings.data

    def _answer(self, text: str, progress: Callable[[], None]) -> Answer:
        words = set(text.split())
        for word, hang in (("GILFREE", time.sleep), ("GILHELD", _sleep_with_gil)):
            mark = self._folder / f"hung-{word}"
            if word in words and not mark.exists():
                mark.touch()
                hang(SECONDS)
        return super()._answer(text, progress)


def _sleep_with_gil(seconds: int) -> Any:
    """A call into C that does not let the interpreter go: no thread of this process runs."""
    return ctypes.PyDLL(None).sleep(seconds)
