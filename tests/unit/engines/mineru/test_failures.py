"""What MinerU's errors mean."""

import httpx
import pytest

from engines.mineru.capabilities import FLASH, STANDARD
from engines.mineru.failures import BROKEN, DEAD, MEMORY, SERVER, WEIGHTS, verdict
from engines.mineru.room import Room
from shared.errors import OutsideFailed, PageFailed


class ServerError(RuntimeError):
    """As mineru_vl_utils has it."""


class HttpResponseError(ServerError):
    def __init__(self, status_code):
        super().__init__(f"Unexpected status code: [{status_code}]")
        self.status_code = status_code


PdfiumError = type("PdfiumError", (RuntimeError,), {})
EngineDeadError = type("EngineDeadError", (RuntimeError,), {})
OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})


@pytest.mark.parametrize(
    ("error", "tier", "code"),
    [
        (FileNotFoundError("Model repo X is not ready under /m; missing: a"), FLASH, WEIGHTS),
        (MemoryError(), FLASH, MEMORY),
        (OutOfMemoryError("CUDA"), FLASH, MEMORY),
        (RuntimeError("Failed to allocate memory for requested buffer"), FLASH, MEMORY),
        (ImportError("x.so: failed to map segment from shared object"), FLASH, MEMORY),
        (OSError(12, "Cannot allocate memory"), FLASH, MEMORY),
        (ModuleNotFoundError("No module named 'onnxruntime'"), FLASH, BROKEN),
        (EngineDeadError("EngineCore"), STANDARD, DEAD),
        (httpx.ConnectError("refused"), STANDARD, SERVER),
        (httpx.ReadTimeout(""), STANDARD, SERVER),
        (HttpResponseError(503), STANDARD, SERVER),
        (HttpResponseError(401), STANDARD, SERVER),
        (ServerError("No choices found"), STANDARD, SERVER),
        (TimeoutError(), STANDARD, SERVER),
    ],
)
def test_what_is_beside_the_page_is_not_charged_to_it(error, tier, code):
    answer = verdict(error, tier)
    assert isinstance(answer, OutsideFailed)
    assert answer.code == code


@pytest.mark.parametrize(
    ("error", "tier", "code"),
    [
        (PdfiumError("Failed to load document"), FLASH, "damaged"),
        (HttpResponseError(400), STANDARD, "vlm_refused"),
        (KeyError("angle"), STANDARD, "engine_error"),
        (RuntimeError("PDF render worker exited: -11"), FLASH, "engine_error"),
        (FileNotFoundError("a font"), FLASH, "engine_error"),
    ],
)
def test_the_page_answers_for_the_rest(error, tier, code):
    answer = verdict(error, tier)
    assert isinstance(answer, PageFailed)
    assert answer.code == code
    assert str(error) in str(answer)


def test_room_halves_when_memory_runs_out_and_grows_back():
    room = Room(8)
    room.note(memory_ran_out=True)
    assert room.pages == 4
    sizes = set()
    for _ in range(1000):
        room.note(memory_ran_out=False)
        sizes.add(room.pages)
    assert sizes == {4, 5, 6, 7, 8}


def test_one_page_that_is_too_much_for_the_process_ends_it():
    room = Room(1)
    with pytest.raises(MemoryError):
        room.note(memory_ran_out=True)
