"""One child process: started in a group of its own, its lines read, its end awaited."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.lifeline import SUPERVISOR_PID
from deploy.log_lines import LineSplitter
from deploy.plan import ProcessSpec
from shared.settings import SLOT_VARIABLE

_READ_BYTES = 65536  # a pipe's size on Linux


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: exit code or signal, and how long it had run."""

    exit_code: int | None
    signal: int | None
    ran_seconds: float

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit code {self.exit_code}"
        try:
            return f"signal {signal.Signals(self.signal).name}"
        except ValueError:  # real-time signals have no name
            return f"signal {self.signal}"


class Child:
    """A running process. Made inside the event loop, by the thread that lives as long as it.

    The kernel's parent-death signal (`lifeline`) goes by the thread that forked: only the main
    thread starts children. OSError when the command cannot be run.
    """

    def __init__(self, spec: ProcessSpec, say: Callable[[str], None]) -> None:
        self.spec = spec
        self._loop = asyncio.get_running_loop()
        self._lines = LineSplitter(say)
        self._started = time.monotonic()
        environment = {**os.environ, **spec.environment}
        environment |= {
            "PYTHONUNBUFFERED": "1",
            SUPERVISOR_PID: str(os.getpid()),
            SLOT_VARIABLE: spec.name,
        }
        self._process = subprocess.Popen(
            spec.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor only
        )
        self.pid = self._process.pid
        self.ending: asyncio.Future[Ending] = self._loop.create_future()
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._read)
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._on_end)

    def terminate(self) -> None:
        """Ask it to finish. Only the process itself: it knows how to end what it started."""
        if not self.ending.done():
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started, now."""
        if not self.ending.done():
            self._kill_group()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # nothing of the group is left

    def _on_end(self) -> None:
        # Not yet reaped: no other process can have its id while we end what it left behind.
        self._kill_group()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = self._process.wait()
        while self._read():  # its last words
            continue
        self._close_output()
        ran = time.monotonic() - self._started
        ending = Ending(code, None, ran) if code >= 0 else Ending(None, -code, ran)
        self.ending.set_result(ending)

    def _read(self) -> bool:
        """Read once; whether there may be more."""
        if self._output < 0:
            return False
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._close_output()
            return False
        self._lines.feed(data)
        return True

    def _close_output(self) -> None:
        if self._output >= 0:
            self._lines.finish()
            self._loop.remove_reader(self._output)
            self._output = -1
            assert self._process.stdout is not None
            self._process.stdout.close()
