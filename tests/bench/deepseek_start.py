"""From the start of a process to its first page, with an empty Triton cache and with a filled one.

    python -m tests.bench.deepseek_start [--tokens 1000]    # of the first page

The process is the engine as the recognize stage makes it: it loads DeepSeek-OCR-2 at true size
(random weights, in memory) and reads an A4 page at 200 dpi. One JSON line for each start. With
--small a tiny model on a CPU, through transformers: whether it all goes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil

TINY = Path(__file__).resolve().parents[1] / "train" / "model"


def build(directory: Path) -> None:
    """Write the model; in a process of its own, whose GPU memory goes with it."""
    code = (
        "import pathlib, sys; from tests.bench.deepseek_full_size import build; "
        "build(pathlib.Path(sys.argv[1]), 'deepseek-ocr-2')"
    )
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-c", code, str(directory)], check=True, timeout=180)


def _note_steps(seconds: dict[str, object], *, alone: bool) -> None:
    """How long the steps of loading took; `alone` leaves the rehearsal out."""
    if not torch_is_there():
        return
    from engines.deepseek.native import native_runtime  # noqa: PLC0415 - part of what is measured

    def noted(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def timed(*arguments: object, **options: object) -> object:
            begin = time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                seconds[name] = round(time.perf_counter() - begin, 2)

        return timed

    runtime = native_runtime.NativeRuntime
    rehearse = noted("begin_rehearsal_s", runtime._rehearse)
    runtime._rehearse = (lambda *_: None) if alone else rehearse
    native_runtime.load_model = noted("load_s", native_runtime.load_model)
    runtime.adopt = noted("adopt_s", runtime.adopt)
    seconds["imports_s"] = round(time.time() - psutil.Process().create_time(), 2)


def torch_is_there() -> bool:
    """Whether the native runtime can be imported at all."""
    return find_spec("torch") is not None and find_spec("triton") is not None


def first_page(model: str, tokens: int, *, alone: bool) -> dict[str, object]:
    """Seconds from the start of this process to each step."""
    born = psutil.Process().create_time()
    seconds: dict[str, object] = {}

    def note(name: str) -> None:
        seconds[name] = round(time.time() - born, 2)

    from engines.registry import make_engine  # noqa: PLC0415 - part of what is measured
    from shared.blocks import PageOutput  # noqa: PLC0415
    from shared.ocr_backend import RGB, PageBatch, PageInput  # noqa: PLC0415
    from shared.settings import load_settings  # noqa: PLC0415

    note("started_s")
    _note_steps(seconds, alone=alone)
    engine = make_engine("deepseek", load_settings({"deepseek_model": model}), None)
    engine.load()
    note("ready_s")
    width, height = (1654, 2339) if tokens > 100 else (256, 256)
    options = {"max_tokens": tokens, "temperature": 1.0, "ngram": 0}
    page = PageInput(
        "p", RGB, os.urandom(width * height * 3), width=width, height=height, options=options
    )
    ((_, answer),) = engine.recognize(PageBatch([page]), lambda: None)
    assert isinstance(answer, PageOutput), answer
    note("first_page_s")
    seconds["runtime"] = engine.health().details["runtime"]
    engine.close()
    return seconds


def start(model: Path, cache: Path, tokens: int, *more: str) -> dict[str, object]:
    """The same in a fresh process."""
    command = [sys.executable, "-m", "tests.bench.deepseek_start", "--child", str(model)]
    done = subprocess.run(
        [*command, "--tokens", str(tokens), *more],
        check=True,
        stdout=subprocess.PIPE,
        timeout=180,
        env=os.environ | {"TRITON_CACHE_DIR": str(cache)},
    )
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Two starts, or the child that is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1000, help="of the first page")
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm/quire-start"))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--child", default="")
    parser.add_argument("--alone", action="store_true", help="compile as it comes")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(first_page(arguments.child, arguments.tokens, alone=arguments.alone)))
        return
    model, tokens = arguments.scratch, arguments.tokens
    if arguments.small:
        model, tokens = TINY, 20
        os.environ["QUIRE_DEEPSEEK_DEVICE"] = "cpu"
    else:
        build(model)
    for more in ((), ("--alone",)):
        with tempfile.TemporaryDirectory() as cache:
            for name in ("empty", "filled"):
                found = start(model, Path(cache), tokens, *more)
                kind = ", one kernel after the other" if more else ""
                print(
                    json.dumps({"name": f"start, Triton cache {name}{kind}", **found}), flush=True
                )


if __name__ == "__main__":
    main()
