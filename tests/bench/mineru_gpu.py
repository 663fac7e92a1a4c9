"""The `mineru` engine on a GPU: it starts there, says how much memory it takes, and gives it back.

    python -m tests.bench.mineru_gpu PDF...        # in an environment with mineru, torch and a GPU

Weights of the true sizes are random, in torch's form: what is read is nothing, where it is done and
what it costs is real. First the engine process as `quire` starts it, at a broker of its own; then
the pages, four times each and all twice, in a process that sees one GPU only, while this one
watches what the driver says of it. MINERU.md keeps the figures.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import zmq.asyncio

from bus.client import BusClient
from deploy.plan import settings_environment
from shared.settings import load_settings

OCR = ("ch_PP-OCRv6_tiny_det_infer", "ch_PP-OCRv6_small_rec_infer")
READY_SECONDS = 180
TURNS, COPIES = 2, 4


def make_random_weights(models: Path) -> None:
    """MinerU's small models under its names; `models` is what QUIRE_MINERU_MODELS names."""
    import torch  # noqa: PLC0415 - heavy
    from mineru.model._internal.pytorchocr import base_ocr_v20  # noqa: PLC0415
    from mineru.model._internal.pytorchocr.infer import pytorchocr_utility  # noqa: PLC0415
    from mineru.model.layout import pp_doclayout_v2_base as labels  # noqa: PLC0415
    from mineru.model.ocr.resources import PPOCRV6_DICT_PATH  # noqa: PLC0415
    from safetensors.torch import save_file  # noqa: PLC0415
    from transformers import PPDocLayoutV2Config  # noqa: PLC0415
    from transformers import PPDocLayoutV2ForObjectDetection as Layout  # noqa: PLC0415

    torch.manual_seed(1)
    ocr = models / "MinerU-4_models_torch" / "OCR" / "paddleocr"
    ocr.mkdir(parents=True)
    characters = len(Path(PPOCRV6_DICT_PATH).read_text(encoding="utf-8").splitlines())
    for name, more in zip(OCR, ({}, {"out_channels": characters + 2}), strict=True):  # blank, space
        path = ocr / f"{name}.safetensors"
        arch = pytorchocr_utility.get_arch_config(str(path))
        weights = base_ocr_v20.BaseOCRV20(arch, **more).net.state_dict()
        save_file({key: value.contiguous().clone() for key, value in weights.items()}, path)
    layout = models / "MinerU-4_models_torch" / "Layout" / "PP-DocLayoutV2"
    count = len(labels.PP_DOCLAYOUT_V2_LABELS)
    config = PPDocLayoutV2Config(
        num_labels=count,
        class_thresholds=[float(value) for value in labels.DEFAULT_CLASS_THRESHOLDS],
        class_order=list(range(count)),
    )
    Layout(config).save_pretrained(layout)
    (layout / "preprocessor_config.json").write_text(
        '{"size": {"width": 800, "height": 800}, "rescale_factor": 0.00392156862745098}'
    )


async def start_engine(folder: Path) -> None:
    """Start broker and engine; print what the engine says of itself when it is ready."""
    settings = load_settings(
        {
            "data": folder / "data",
            "bus": f"ipc://{folder}/bus",
            "bus_events": f"ipc://{folder}/events",
            "engines": "mineru",
        }
    )
    environment = os.environ | settings_environment(settings)
    roles = (("broker",), ("engine", "mineru", "--gpu", "0"))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "deploy", *role, env=environment
        )
        for role in roles
    ]
    context = zmq.asyncio.Context()
    bus = BusClient(context, settings)
    await bus.start()
    try:
        async with asyncio.timeout(READY_SECONDS):
            async for _ in bus.watch():
                workers = bus.table.of_engine("mineru") if bus.table else ()
                if workers and workers[0].state == "ready":
                    print("ready:", workers[0], flush=True)
                    break
    finally:
        for process in reversed(processes):
            process.terminate()
            await asyncio.wait_for(process.wait(), 60)
        await bus.close()
        context.term()


def read_pages(names: list[str]) -> None:
    """In the process that has the GPU: health before and after, and how long each turn takes."""
    from engines.mineru.backend import MinerUEngine  # noqa: PLC0415 - only in that process
    from shared.ocr_backend import PDF, PageBatch, PageInput, PageOutput  # noqa: PLC0415

    engine = MinerUEngine(load_settings(), 0)
    engine.load()
    print("health before:", engine.health(), flush=True)
    pages = [Path(name).read_bytes() for name in names] * COPIES
    options = {"tier": "flash", "ocr": "always"}
    for turn in range(TURNS):
        feed = PageBatch(
            PageInput(key=f"{turn}-{number}", media_type=PDF, data=page, options=options)
            for number, page in enumerate(pages)
        )
        started = time.perf_counter()
        answers = [answer for _, answer in engine.recognize(feed, lambda: None)]
        seconds = time.perf_counter() - started
        read = sum(isinstance(answer, PageOutput) for answer in answers)
        rate = f"{len(pages) / seconds:.2f} pages/s"
        print(f"turn {turn}: {read} of {len(pages)} pages in {seconds:.2f} s, {rate}", flush=True)
    print("health after:", engine.health().details, flush=True)
    engine.close()


def watch_memory(names: list[str]) -> None:
    """Read the pages in a process that sees GPU 0 only; print the GPU's memory around it."""
    before = most = used_mib()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.mineru_gpu", "--read", *names],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "0"},
    )
    while child.returncode is None:
        most = max(most, used_mib())
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
    time.sleep(1)  # the driver counts what it has freed a moment later
    after = used_mib()
    print(f"GPU memory: {before} MiB before, {most} at most, {after} after")
    if child.returncode:
        raise SystemExit(f"the process that read the pages ended with {child.returncode}")


def used_mib() -> int:
    """Of GPU 0, by the driver, of all processes."""
    query = ["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Make the weights, start the engine, read the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pdfs", nargs="+")
    parser.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        read_pages(asked.pdfs)
        return
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        os.environ |= {
            "MINERU_HOME": str(here / "home"),
            "QUIRE_DATA": str(here / "engine"),
            "QUIRE_MINERU_MODELS": str(here / "models"),
            "QUIRE_MINERU_SMALL_MODELS": "torch",
        }
        make_random_weights(here / "models")
        asyncio.run(start_engine(here))
        watch_memory(asked.pdfs)


if __name__ == "__main__":
    main()
