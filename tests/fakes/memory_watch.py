"""The most memory that each process of a system ever had, children that lived briefly included."""

import threading
from collections.abc import Callable
from typing import Self

import psutil

MIB = 2**20
_LOOK_SECONDS = 0.1


class MemoryWatch:
    """Looks at all children of this process until it is left; the kernel keeps their peaks.

    `name_of` names a process of the supervisor by its pid; its own children are `NAME's child`.
    """

    def __init__(self, name_of: Callable[[int], str | None]) -> None:
        self._name_of = name_of
        self._peaks: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def peaks(self) -> dict[str, float]:
        """MiB by name."""
        return dict(self._peaks)

    def _run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for process in psutil.Process().children():
                name = self._name_of(process.pid)
                if name is not None:
                    self._look(process, name)

    def _look(self, process: psutil.Process, name: str) -> None:
        try:
            for each in (process, *process.children(recursive=True)):
                own = name if each.pid == process.pid else f"{name}'s child"
                self._peaks[own] = max(self._peaks.get(own, 0.0), _peak(each.pid))
        except psutil.NoSuchProcess:
            return  # it ended between two looks


def _peak(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            lines = [line for line in status if line.startswith("VmHWM:")]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(lines[0].split()[1]) * 1024 / MIB if lines else 0.0  # a zombie has none
