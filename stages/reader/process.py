"""The parent's end: one child process, one question at a time, a clock on every answer."""

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from shared.errors import ProtocolError
from stages.reader.frames import MAX_HEADER_BYTES, PREFIX, pack_prefix, unpack_header, unpack_sizes

ROOT = Path(__file__).resolve().parents[2]
PIPE_BYTES = 1024 * 1024  # the largest pipe that Linux gives without privilege: fewer wake-ups
STDERR_BYTES = 4096  # last words that are kept of a crash
START_SECONDS = 20.0  # imports on a busy machine; not charged to the document


class ChildGone(Exception):
    """The child did not answer. `reason` is timeout, crashed or protocol."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ChildProcess:
    """One sandboxed process. Not thread-safe.

    The thread that creates it must live as long as the child is wanted: Linux sends the
    parent-death signal when that thread ends.
    """

    def __init__(
        self, memory_mib: int, max_answer_bytes: int, module: str = "stages.reader.child"
    ) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._stderr = bytearray()
        command = [sys.executable, "-m", module, str(memory_mib), str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env=_environment(),
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._streams = (
            cast("IO[bytes]", self._process.stdout),
            cast("IO[bytes]", self._process.stderr),
        )
        fcntl.fcntl(self._streams[0], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._selector = selectors.DefaultSelector()
        for stream in self._streams:
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        try:
            self._answer(START_SECONDS)
        except ChildGone:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Process id, also after its end."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it has not ended. Reaps it when it has."""
        return self._process.poll() is None

    def ask(
        self, header: Mapping[str, Any], seconds: float, body: bytes = b""
    ) -> tuple[dict[str, Any], bytearray]:
        """Send a question and wait for its answer. ChildGone: it was killed or has ended."""
        try:
            self._write(pack_prefix(dict(header), len(body)))
            self._write(body)
        except OSError as error:
            self.kill()
            raise ChildGone("crashed", "it had ended before the question") from error
        try:
            return self._answer(seconds)
        except ChildGone:
            self.kill()
            raise

    def ask_for_parts(
        self, header: Mapping[str, Any], seconds: float
    ) -> Iterator[tuple[dict[str, Any], bytearray]]:
        """As `ask`, for an answer in many frames; the one whose header has no `part` is the last.

        Each may take `seconds`. A caller that stops early must end the child.
        """
        answer = self.ask(header, seconds)
        while answer[0].get("part"):
            yield answer
            try:
                answer = self._answer(seconds)
            except ChildGone:
                self.kill()
                raise
        yield answer

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # an unbuffered pipe takes as much as fits
            view = view[self._stdin.write(view) or 0 :]

    def kill(self) -> None:
        """End it now, reap it, free its descriptors. May be called again."""
        if self.is_alive():
            self._process.kill()
        self._process.wait()
        self._selector.close()
        self._stdin.close()
        for stream in self._streams:
            stream.close()

    def _answer(self, seconds: float) -> tuple[dict[str, Any], bytearray]:
        deadline = time.monotonic() + seconds
        try:
            prefix = self._read(PREFIX.size, deadline)
            header_bytes, body_bytes = unpack_sizes(prefix, self._max_answer_bytes)
            header = unpack_header(self._read(min(header_bytes, MAX_HEADER_BYTES), deadline))
            return header, self._read(body_bytes, deadline)
        except ProtocolError as error:
            raise ChildGone("protocol", str(error)) from error

    def _read(self, size: int, deadline: float) -> bytearray:
        data = bytearray(size)
        view, filled = memoryview(data), 0
        while filled < size:
            wait = deadline - time.monotonic()
            if wait <= 0:
                raise ChildGone("timeout", "the time was over")
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._streams[1]:
                    self._drain_stderr()
                    continue
                count = os.readv(key.fd, [view[filled:]])
                if count == 0:
                    raise ChildGone("crashed", self._last_words())
                filled += count
        return data

    def _drain_stderr(self) -> None:
        chunk = os.read(self._streams[1].fileno(), 65536)
        if not chunk:
            self._selector.unregister(self._streams[1])
        self._stderr = (self._stderr + chunk)[-STDERR_BYTES:]

    def _last_words(self) -> str:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "it closed its answers"
        if self._streams[1] in self._selector.get_map():
            with contextlib.suppress(BlockingIOError):
                self._drain_stderr()
        words = self._stderr.decode(errors="replace").strip().splitlines()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{how}, {words[-1][:300]}" if words else how


def _environment() -> dict[str, str]:
    # Nothing of ours: keys and database passwords live in the environment of the parent.
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "MALLOC_ARENA_MAX": "1",  # one thread works; arenas only cost address space
        "MALLOC_MMAP_THRESHOLD_": "1048576",  # big buffers go back to the system when freed
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
