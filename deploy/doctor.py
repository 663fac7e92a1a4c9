"""`quire doctor`: what is here, what is missing, what to do."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.addresses import endpoints_of, problem_of
from deploy.plan import engine_pythons
from shared.errors import Misconfigured, QuireError
from shared.settings import MIB, Settings, parse_engine

OK, NOTE, PROBLEM = "ok", "note", "problem"
_COLOURS = {OK: "green", NOTE: "yellow", PROBLEM: "red"}
_PACKAGES = ("pyzmq", "pymupdf", "rapidocr", "onnxruntime", "openvino", "sanic", "sqlalchemy")
_CPU_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # what the CPU engine profits from
_GPU_SECONDS = 10  # nvidia-smi hangs when a driver does


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: what was looked at, how it is, and what to do when it is not well."""

    subject: str
    state: str
    found: str
    advice: str = ""


def run_doctor(settings: Settings) -> int:
    """Print the table; 1 when there is a problem."""
    table = Table(title="quire doctor", title_justify="left")
    for column in ("", "state", "found", "what to do"):
        table.add_column(column, overflow="fold")
    findings = examine(settings)
    for item in findings:
        table.add_row(
            item.subject, f"[{_COLOURS[item.state]}]{item.state}[/]", item.found, item.advice
        )
    Console().print(table)
    return int(any(item.state == PROBLEM for item in findings))


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which they are shown."""
    looks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _cpu,
        _gpus,
        _engines,
        _ports,
        _keys,
        _data,
    )
    return [finding for look in looks for finding in look(settings)]


def _python(_: Settings) -> Iterator[Finding]:
    version = platform.python_version()
    fits = (3, 11) <= sys.version_info < (3, 15)
    advice = "" if fits else "Use Python 3.11 to 3.14."
    yield Finding("Python", OK if fits else PROBLEM, f"{version} ({sys.executable})", advice)
    supervises = hasattr(os, "pidfd_open")
    yield Finding(
        "system",
        OK if supervises else PROBLEM,
        f"{platform.system()} {platform.release()} {platform.machine()}",
        "" if supervises else "quire up and quire ocr need Linux 5.3 or newer.",
    )


def _packages(_: Settings) -> Iterator[Finding]:
    for name in _PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name == "openvino" and platform.machine() != "x86_64":
                continue
            yield Finding(name, PROBLEM, "not installed", "Run bash deploy/start.sh again.")
        else:
            yield Finding(name, OK, version)


def _cpu(_: Settings) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    path = Path("/proc/cpuinfo")
    words = set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()
    features = [name for name in _CPU_FEATURES if name in words]
    slow = platform.machine() == "x86_64" and "avx2" not in features
    yield Finding(
        "CPU",
        NOTE if slow else OK,
        f"{cores} cores, {' '.join(features) or 'no vector features known'}",
        "Without AVX2 the CPU engine is slow." if slow else "",
    )


def _gpus(settings: Settings) -> Iterator[Finding]:
    found = _gpu_names()
    for number, name in enumerate(found):
        yield Finding(f"GPU {number}", OK, name)
    if not found:
        yield Finding("GPU", OK, "none (the engine pymupdf needs none)")
    for text in settings.engines:
        spec = parse_engine(text)
        if spec.gpu is not None and spec.gpu >= len(found):
            yield Finding(
                f"GPU {spec.gpu}",
                PROBLEM,
                "not there",
                f"QUIRE_ENGINES gives it to {spec.name}: install its driver, or change the number.",
            )


def _gpu_names() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(
            [program, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_GPU_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


def _engines(settings: Settings) -> Iterator[Finding]:
    from engines.registry import make_engine

    try:
        pythons = engine_pythons(settings)
    except Misconfigured as error:
        yield Finding("engine_pythons", PROBLEM, "not valid", str(error))
        return
    for text in settings.engines:
        spec = parse_engine(text)
        if spec.name in pythons:
            yield Finding(f"engine {spec.name}", NOTE, f"runs in {pythons[spec.name]}")
            continue
        try:
            health = make_engine(spec.name, settings, spec.gpu).health()
        except (QuireError, ImportError) as error:
            yield Finding(f"engine {spec.name}", PROBLEM, "cannot be made", f"{error}")
            continue
        # not loaded yet is no fault: a model is loaded by its own process
        yield Finding(f"engine {spec.name}", OK, health.backend, health.message)


def _ports(settings: Settings) -> Iterator[Finding]:
    try:
        endpoints = endpoints_of(settings)
    except Misconfigured as error:
        yield Finding("addresses", PROBLEM, "not valid", str(error))
        return
    for endpoint in endpoints:
        problem = problem_of(endpoint)
        where = f"{endpoint.host}:{endpoint.port}"
        # taken may well be by a quire that runs: worth a look, not a fault
        found = f"{where} is not free" if problem else f"{where} is free"
        yield Finding(endpoint.setting, NOTE if problem else OK, found, problem)


def _keys(settings: Settings) -> Iterator[Finding]:
    from deploy.key_commands import count_keys

    try:
        count = count_keys(settings)
    except Misconfigured as error:
        yield Finding("keys", PROBLEM, "the bus cannot start like this", str(error))
        return
    yield Finding("keys", OK, f"{count} keys" if count else "none: the bus is for this host only")


def _data(settings: Settings) -> Iterator[Finding]:
    data = settings.data.absolute()
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        advice = "Name a folder that can be written, with --data or QUIRE_DATA."
        yield Finding("data", PROBLEM, f"{data} cannot be written", advice)
        return
    free_mib = shutil.disk_usage(there).free // MIB
    enough = free_mib >= settings.min_free_mib
    yield Finding(
        "data",
        OK if enough else PROBLEM,
        f"{data}, {free_mib} MiB free",
        "" if enough else f"Uploads are refused below {settings.min_free_mib} MiB: make room.",
    )
