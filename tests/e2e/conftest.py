"""The whole system as an operator starts it: `python -m deploy up`, on free ports of loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 90.0  # a busy machine imports and loads models slowly
_STOP_SECONDS = 30.0


@dataclass
class System:
    """A running system; `stop` and `start` keep its data."""

    folder: Path
    environment: dict[str, str]
    url: str
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def log(self) -> Path:
        return self.folder / "up.log"

    def start(self, *, healthy: bool = True) -> None:
        """Until it is healthy, or answers at all."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy", "up"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until({"healthy"} if healthy else {"healthy", "degraded"})

    def _wait_until(self, statuses: set[str]) -> None:
        end = time.monotonic() + _START_SECONDS
        with httpx.Client(base_url=self.url, trust_env=False, timeout=5) as client:
            while time.monotonic() < end:
                assert self._process is not None
                if self._process.poll() is not None:
                    break
                with contextlib.suppress(httpx.TransportError):
                    if client.get("/health").json()["status"] in statuses:
                        return
                time.sleep(0.2)  # another process: nothing of it can be awaited
        tail = self.log.read_text(errors="replace")[-4000:]
        self.stop()
        pytest.fail(f"The system did not become healthy.\n{tail}")

    def stop(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pytest.fail(f"`up` did not stop within {_STOP_SECONDS:.0f} s of SIGTERM.")


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    port, bus, events = free_ports(3)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUIRE_")}
    environment = {
        **kept,
        "QUIRE_PORT": str(port),
        "QUIRE_BUS": f"tcp://127.0.0.1:{bus}",
        "QUIRE_BUS_EVENTS": f"tcp://127.0.0.1:{events}",
        "QUIRE_DATA": str(folder / "data"),
        "QUIRE_ENGINES": "pymupdf",
        "QUIRE_MIN_FREE_MIB": "64",
        "QUIRE_CONFIG": str(folder / "quire.toml"),  # not the one of whoever runs the tests
    }
    (folder / "quire.toml").write_text("")
    system = System(folder, environment, f"http://127.0.0.1:{port}")
    try:
        system.start()
        yield system
    finally:
        system.stop()
