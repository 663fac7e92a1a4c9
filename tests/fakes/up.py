"""`quire up` as people run it: a process, its log in a file, its addresses on free ports."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from tests.fakes.systems import ROOT, TEXT_ENGINE


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def up(folder: Path, **more: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port, bus, events = free_port(), free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("QUIRE_")},
        "QUIRE_DATA": str(folder / "data"),
        "QUIRE_PORT": str(port),
        "QUIRE_BUS": f"tcp://127.0.0.1:{bus}",
        "QUIRE_BUS_EVENTS": f"tcp://127.0.0.1:{events}",
        "QUIRE_ENGINES": "text",
        "QUIRE_ENGINE_CLASSES": TEXT_ENGINE,
        "PYTHONPATH": str(ROOT),
        **more,
    }
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", "up"], env=environment, stdout=log, stderr=log
        )
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                finally:
                    process.kill()


async def answer(client: httpx.AsyncClient, path: str, seconds: float = 30) -> httpx.Response:
    """The answer once the web front gives one; it may just be restarting."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await client.get(path)
            except httpx.TransportError:
                await asyncio.sleep(0.1)  # nothing tells another process when a port listens


def role_pid(process: subprocess.Popen[bytes], role: str) -> int:
    for child in psutil.Process(process.pid).children():
        if role in child.cmdline():
            return child.pid
    raise AssertionError(f"no process for {role}")
