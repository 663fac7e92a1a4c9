"""Every figure of DEEPSEEK.md once more: runs the other scripts and prints one table.

    python -m tests.bench.deepseek_all [--parts start,equal,bf16,...] [--out DIR]
    python -m tests.bench.deepseek_all --small         # on a CPU, in little: whether it all goes

Each part is a process of its own with a limit of time; what it says goes to DIR/PART.log, and its
lines of JSON, with those of earlier calls, to DIR/all.json: the table is of all of them. On an H200
all parts take a quarter of an hour; --parts splits that.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench.deepseek_floor import floor

ROOT = Path(__file__).resolve().parents[2]
Lines = dict[str, list[dict[str, Any]]]
BENCH = "tests.bench.deepseek_"
KERNEL_TESTS = "tests/integration/engines/deepseek/native/test_native_operations.py"
V1 = ["--native", "--tokens", "1000"]
MODEL_KINDS = "fp32,bf16,float8,image"
# Of the project's settings it needs none, nor the plugins that they name.
PYTEST = ["pytest", "-q", "-c", "/dev/null", "--rootdir", ".", "--import-mode", "importlib"]
# What to run, and seconds after which it is given up.
PARTS: dict[str, tuple[list[str], int]] = {
    "start": ([BENCH + "start"], 200),
    "kernels": ([*PYTEST, KERNEL_TESTS], 150),
    "equal": ([BENCH + "equal", "--families", "deepseek-ocr-2", "--only", MODEL_KINDS], 300),
    "text": ([BENCH + "equal", "--only", "text"], 100),
    "equal-v1": ([BENCH + "equal", "--families", "deepseek-ocr", "--only", MODEL_KINDS], 300),
    "views": ([BENCH + "native", "--only", "views"], 60),
    "bf16": ([BENCH + "native", "--only", "bf16"], 150),
    "float8": ([BENCH + "native", "--only", "float8"], 150),
    "24gib": ([BENCH + "native", "--only", "small"], 120),
    "generate": ([BENCH + "native", "--only", "generate"], 150),
    "pipeline": ([BENCH + "pipeline"], 200),
    "pipeline-float8": ([BENCH + "pipeline", "--float8"], 200),
    "v1": ([BENCH + "full_size", "--families", "deepseek-ocr", *V1], 200),
}
SMALL_PARTS: dict[str, tuple[list[str], int]] = {
    "start": ([BENCH + "start", "--small"], 200),
    "equal": ([BENCH + "equal", "--small", "--only", "text"], 300),
    "pipeline": ([BENCH + "pipeline", *["--small", "--pages", "4", "--documents", "2"]], 200),
}


def run(name: str, command: list[str], limit: int, out: Path) -> list[dict[str, Any]]:
    """The lines of JSON that a part printed."""
    begin = time.monotonic()
    log = out / f"{name}.log"
    environment = os.environ | {"TRITON_INTERPRET": "0"}
    with log.open("w", encoding="utf-8") as file:
        part = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        try:
            code: int | str = part.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(part.pid, 9)
            part.wait()
            code = f"given up after {limit} s"
    text = log.read_text(encoding="utf-8", errors="replace")
    print(f"{name}: {code}, {time.monotonic() - begin:.0f} s", flush=True)
    if code:
        print(text[-1500:], flush=True)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    if name == "kernels" and text.strip():
        lines.append({"name": "kernels against plain operations", "said": text.splitlines()[-1]})
    return lines


def rate_of(line: dict[str, Any]) -> float | None:
    """Pages a second, by whatever name."""
    for key in ("pages_s", "pages_per_second"):
        if key in line:
            return float(line[key])
    return None


def print_tables(found: Lines) -> None:
    """Speeds beside the floor; then what is not a speed."""
    floors = {float8: floor(768, float8=float8).pages_per_second for float8 in (False, True)}
    print("\n| | pages/s | of the floor | |\n|---|---|---|---|")
    shown = ("seconds", "step_ms", "longest_stall_ms", "first_page_s", "middle_pages_s", "pages")
    for part, lines in found.items():
        for line in lines:
            rate = rate_of(line)
            if rate is None or (part == "v1" and line.get("pages", 0) < 64):
                continue
            name = line.get("name") or f"{line['family']}, {line['runtime']}"
            share = "" if part == "v1" else f"{rate / floors['float8' in name]:.0%}"
            more = ", ".join(f"{key} {line[key]}" for key in shown if key in line)
            print(f"| {name} | {rate} | {share} | {more} |")
    for float8, least in floors.items():
        print(f"| floor, {'float8' if float8 else 'bf16'} | {least:.1f} | | |")
    print("\n| | |\n|---|---|")
    for lines in found.values():
        for line in lines:
            if rate_of(line) is None:
                rest = {key: value for key, value in line.items() if key != "name"}
                print(f"| {line.get('name', '')} | {json.dumps(rest)} |")


def main() -> None:
    """Run the parts and print what is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", default="")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "bench" / "out")
    arguments = parser.parse_args()
    parts = SMALL_PARTS if arguments.small else PARTS
    arguments.out.mkdir(parents=True, exist_ok=True)
    kept = arguments.out / "all.json"
    found: Lines = json.loads(kept.read_text()) if kept.exists() else {}
    for name in arguments.parts.split(",") if arguments.parts else parts:
        found[name] = run(name, *parts[name], arguments.out)
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print_tables(found)


if __name__ == "__main__":
    main()
