"""One system for one data directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.errors import Misconfigured

_NAME = "supervisor.lock"


class DataLock:
    """Held while a supervisor runs; the kernel frees it when its process ends, however it ends.

    Misconfigured when another process holds it, or the directory cannot be written.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file = -1

    def __enter__(self) -> Self:
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)  # people's documents
            self._file = os.open(self._data / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(
                f"The data directory {self._data} cannot be used: {error.strerror}. "
                "Name another with --data (or QUIRE_DATA).",
                param="data",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(self._file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise Misconfigured(
                f"quire already runs on {self._data.absolute()} (process {pid}). "
                "Stop it first, or name another data directory with --data.",
                code="already_running",
                param="data",
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)
