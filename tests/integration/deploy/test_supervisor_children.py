"""The supervisor with real, small processes."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from deploy.plan import ROOT, Phase, ProcessSpec
from deploy.supervisor import Supervisor
from shared.errors import OutsideFailed

LIVE = "import deploy.lifeline, signal; deploy.lifeline.die_with_supervisor(); print('up'); "


class Log(list):
    """The lines said, and a way to wait for one."""

    def __init__(self):
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, role, line):
        self.append((role, line))
        self._news.set()

    async def until(self, role, text, count=1):
        while sum(r == role and text in line for r, line in self) < count:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 20)


def script(name, code, phase=Phase.WORKERS):
    command = (sys.executable, "-c", LIVE + code)
    return ProcessSpec(name, command, phase, {"PYTHONPATH": str(ROOT)})


def start(*command):
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@contextlib.asynccontextmanager
async def running(supervisor):
    task = asyncio.ensure_future(supervisor.run())
    try:
        yield task
    finally:
        supervisor.kill()
        await asyncio.wait([task])


async def test_what_crashes_is_started_again_and_the_broker_is_told():
    log, told = Log(), []

    class Watcher:
        def exited(self, pid, exit_code, signal):
            told.append((exit_code, signal))

    specs = [
        script("crash", "import os; print('gone'); os._exit(3)"),
        script("shot", "import os; os.kill(os.getpid(), 9)"),
    ]
    supervisor = Supervisor(specs, log, watcher=Watcher())
    async with running(supervisor):
        await log.until("crash", "up", 3)
        await log.until("shot", "up", 2)
    assert (3, None) in told
    assert (None, signal.SIGKILL) in told
    assert any("crash ended (exit code 3); starts again in" in line for _, line in log)
    assert any("shot ended (signal SIGKILL)" in line for _, line in log)


async def test_the_drain_goes_in_order():
    log = Log()
    wait = "signal.sigwait({signal.SIGTERM}); print('bye')"
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}); print('set'); " + wait
    order = [Phase.BROKER, Phase.COLLECT, Phase.WORKERS, Phase.WEB]
    supervisor = Supervisor([script(p.name, block, p) for p in order], log)
    async with running(supervisor) as task:
        for phase in order:
            await log.until(phase.name, "set")
        supervisor.stop()
        await task
    assert [role for role, line in log if line == "bye"] == [p.name for p in reversed(order)]
    assert supervisor.pids() == {}


async def test_what_ignores_the_drain_is_killed_with_what_it_started(monkeypatch):
    monkeypatch.setitem(
        __import__("deploy.supervisor").supervisor.DRAIN_SECONDS, Phase.WORKERS, 0.3
    )
    log = Log()
    code = (
        "import subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "child = subprocess.Popen(['sleep', '600']); print('child', child.pid); time.sleep(600)"
    )
    supervisor = Supervisor([script("deaf", code)], log)
    async with running(supervisor) as task:
        await log.until("deaf", "child")
        grandchild = int(next(line for _, line in log if "child" in line).split()[1])
        started = time.monotonic()
        supervisor.stop()
        await task
    assert time.monotonic() - started < 3
    assert await ended(grandchild)


async def test_a_second_signal_ends_it_at_once():
    log = Log()
    deaf = (
        "import time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('set'); time.sleep(99)"
    )
    supervisor = Supervisor([script("deaf", deaf)], log)
    async with running(supervisor) as task:
        await log.until("deaf", "set")
        supervisor.stop()
        await asyncio.sleep(0)
        started = time.monotonic()
        supervisor.kill()
        await task
    assert time.monotonic() - started < 2


async def test_only_own_children_are_killed_for_the_broker():
    log = Log()
    stranger = start("sleep", "60")
    try:
        supervisor = Supervisor([script("hung", "signal.pause()")], log)
        async with running(supervisor):
            await log.until("hung", "up")
            (pid,) = supervisor.pids()
            supervisor.kill_hung(stranger.pid, "hung")
            supervisor.kill_hung(pid, "page 7 stands still")
            await log.until("hung", "up", 2)
            assert pid not in supervisor.pids()
        assert stranger.poll() is None
        assert any("page 7 stands still" in line for _, line in log)
    finally:
        stranger.kill()
        stranger.communicate()


async def test_a_command_line_gives_up_where_a_server_goes_on():
    log = Log()
    supervisor = Supervisor([script("bad", "raise SystemExit(1)")], log, give_up_after=2)
    with pytest.raises(OutsideFailed, match="bad process ended 2 times"):
        await asyncio.wait_for(supervisor.run(), 20)


async def test_what_cannot_be_started_is_said():
    log = Log()
    supervisor = Supervisor([ProcessSpec("lost", ("/no/such/python",))], log, give_up_after=1)
    with pytest.raises(OutsideFailed):
        await asyncio.wait_for(supervisor.run(), 20)
    assert any("lost cannot be started" in line for _, line in log)


SUPERVISOR = """
import asyncio, sys
from deploy.plan import ProcessSpec
from deploy.supervisor import Supervisor
code = "import deploy.lifeline as l, time; l.die_with_supervisor(); print('up'); time.sleep(600)"
specs = [ProcessSpec(f"p{n}", (sys.executable, "-c", code)) for n in range(3)]
def say(role, line): print(role, line, flush=True)
async def main():
    supervisor = Supervisor(specs, say)
    asyncio.get_running_loop().call_later(0, lambda: print(*supervisor.pids(), flush=True))
    await supervisor.run()
asyncio.run(main())
"""


async def test_nothing_survives_a_kill_9_of_the_supervisor():
    process = start(sys.executable, "-c", SUPERVISOR)
    assert process.stdout
    with process.stdout as lines:
        up = 0
        while up < 3:
            up += "up" in lines.readline()
        children = psutil.Process(process.pid).children()
        assert len(children) == 3
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


async def ended(pid):
    """Whether a process that is no child of ours ends soon."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, over.set)
    try:
        await asyncio.wait_for(over.wait(), 5)
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
    return True
