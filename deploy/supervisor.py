"""Keeps the processes of one system running, and stops them in order."""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from deploy.child import Child, Ending
from deploy.log_lines import Say
from deploy.plan import Phase, ProcessSpec
from deploy.restarts import MAX_SECONDS, Restarts
from deploy.slots import Slot
from shared.errors import Misconfigured, OutsideFailed

# A page in hand may take a while, the others only close what is open. Together under 10 s, which
# is what service managers and people wait before they kill.
DRAIN_SECONDS = {Phase.WEB: 2.0, Phase.WORKERS: 4.5, Phase.COLLECT: 2.0, Phase.BROKER: 1.0}
MISCONFIGURED = 2  # exit code of a role that says it cannot start like this: no need to hurry
NAME = "supervisor"


class Watcher(Protocol):
    """Who is told of every ending (the broker)."""

    def exited(self, pid: int, exit_code: int | None, signal: int | None) -> None:
        """A child has ended and was reaped."""


class Supervisor:
    """Starts every process, restarts what ends, and drains on `stop`.

    `give_up_after`: so many endings in a row without a good run end it all (`quire ocr`, where a
    person waits); None: never (a server, whose cause may be mended meanwhile).
    """

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        say: Say,
        *,
        watcher: Watcher | None = None,
        give_up_after: int | None = None,
    ) -> None:
        self._specs = specs
        self._say = say
        self._watcher = watcher
        self._give_up_after = give_up_after
        self._children: dict[int, Child] = {}
        self._slots = {spec.name: Slot(spec) for spec in specs}
        self._stopping = asyncio.Event()
        self._killed = False
        self._failure: OutsideFailed | None = None

    async def run(self) -> None:
        """Run until `stop`; no process is left when this returns.

        OutsideFailed when a process kept ending and `give_up_after` was reached.
        """
        async with asyncio.TaskGroup() as group:
            try:
                for spec in self._specs:
                    group.create_task(self._keep(spec))
                await self._stopping.wait()
                await self._drain()
            finally:
                self._stopping.set()
                self._kill_all()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Drain: web first, then engines and split, then collect, then the broker."""
        self._stopping.set()

    def kill(self) -> None:
        """End everything now."""
        self._killed = True
        self._stopping.set()
        self._kill_all()

    def kill_hung(self, pid: int, reason: str) -> None:
        """End one child that the broker found hung; it is started again. Others' are let be."""
        child = self._children.get(pid)
        if child is None:
            self._say(NAME, f"told to end process {pid}, which is none of ours; let be")
            return
        self._say(NAME, f"killing {child.spec.name} (process {pid}): {reason}")
        child.kill()

    def pids(self) -> dict[int, str]:
        """The running children and their names."""
        return {pid: child.spec.name for pid, child in self._children.items()}

    def processes(self) -> list[dict[str, Any]]:
        """What is to be said of each process now. Safe to call from any thread."""
        return [slot.describe() for slot in list(self._slots.values())]

    async def _keep(self, spec: ProcessSpec) -> None:
        restarts = Restarts(random.random)
        while not self._stopping.is_set():
            ending = await self._run_once(spec)
            if self._stopping.is_set():
                return
            planned = ending.exit_code == 0
            delay = restarts.delay_seconds(ran_seconds=ending.ran_seconds, planned=planned)
            if ending.exit_code == MISCONFIGURED:
                delay = MAX_SECONDS
            self._slots[spec.name] = replace(
                self._slots[spec.name],
                ending=ending,
                failures=restarts.failures,
                resume_at=time.monotonic() + delay,
            )
            if self._gives_up(spec, ending, restarts.failures):
                return
            if not planned:
                self._say(NAME, f"{spec.name} ended ({ending}); starts again in {delay:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _run_once(self, spec: ProcessSpec) -> Ending:
        try:
            child = Child(spec, lambda line: self._say(spec.name, line))
        except OSError as error:
            self._say(NAME, f"{spec.name} cannot be started: {error}")
            return Ending(exit_code=127, signal=None, ran_seconds=0.0)
        self._children[child.pid] = child
        self._slots[spec.name] = Slot(spec, child.pid, time.monotonic())
        try:
            ending = await asyncio.shield(child.ending)
        except asyncio.CancelledError:
            child.kill()
            await child.ending
            raise
        finally:
            self._children.pop(child.pid, None)
        if self._watcher:
            self._watcher.exited(child.pid, ending.exit_code, ending.signal)
        return ending

    def _gives_up(self, spec: ProcessSpec, ending: Ending, failures: int) -> bool:
        misconfigured = ending.exit_code == MISCONFIGURED
        if self._give_up_after is None or (failures < self._give_up_after and not misconfigured):
            return False
        self._failure = OutsideFailed(
            f"The {spec.name} process ended {failures} times in a row (last: {ending})",
            code="process_fails",
        )
        self.stop()
        return True

    async def _drain(self) -> None:
        started = time.monotonic()
        for phase, seconds in DRAIN_SECONDS.items():
            group = [c for c in self._children.values() if c.spec.phase is phase]
            for child in group:
                child.terminate()
            if group and not self._killed:
                await asyncio.wait([child.ending for child in group], timeout=seconds)
            late = [child for child in group if not child.ending.done()]
            for child in late:
                self._say(NAME, f"{child.spec.name} did not finish in {seconds:.0f} s; killed")
                child.kill()
        self._say(NAME, f"stopped in {time.monotonic() - started:.1f} s")

    def _kill_all(self) -> None:
        for child in list(self._children.values()):
            child.kill()


def require_supervision() -> None:
    """Misconfigured where the kernel lacks what a supervisor needs."""
    if not hasattr(os, "pidfd_open"):
        raise Misconfigured("Supervising processes needs Linux 5.3 or newer (pidfd_open).")
