"""Memory of a GPU that somebody else has taken: a process of its own, which can give some back.

python -m tests.bench.gpu_ballast LEAVE_GIB        # on the first GPU it sees; then GiB by line
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import torch

GIB = 2**30
_PIECE = GIB // 4


class Ballast:
    """The other process, seen from here."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def leave(self, gib: float) -> str:
        """Take or give back until about so much is free; what it says of that."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{gib}\n")
        self._process.stdin.flush()
        return self.said()

    def said(self) -> str:
        """Its next line."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextlib.contextmanager
def ballast(gpu: int, leave_gib: float) -> Iterator[Ballast]:
    """A process that leaves so much free on that GPU; gone with everything at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.gpu_ballast", str(leave_gib)],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        other = Ballast(process)
        other.said()
        yield other
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Take; then do as each line says."""
    taken: list[torch.Tensor] = []
    leave = float(sys.argv[1])
    while True:
        _settle(taken, int(leave * GIB))
        free, total = torch.cuda.mem_get_info()
        print(f"{free / GIB:.2f} of {total / GIB:.2f} GiB free", flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        leave = float(line)


def _settle(taken: list[torch.Tensor], leave: int) -> None:
    while torch.cuda.mem_get_info()[0] < leave and taken:
        taken.pop()
        torch.cuda.empty_cache()
    while (piece := min(_PIECE, torch.cuda.mem_get_info()[0] - leave)) > 2**21:
        taken.append(torch.empty(piece, dtype=torch.uint8, device="cuda"))


if __name__ == "__main__":
    main()
