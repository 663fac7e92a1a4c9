"""`quire up`: a whole system in one terminal."""

import asyncio
import signal
import sys
from typing import Any

import httpx
import zmq

from deploy import roles
from deploy.addresses import endpoints_of, require_free
from deploy.broker_line import BrokerLine
from deploy.data_lock import DataLock
from deploy.engine_names import require_known_engines
from deploy.key_commands import require_keys
from deploy.log_lines import Say, Terminal, secrets_of
from deploy.plan import processes_of
from deploy.supervisor import NAME, Supervisor, require_supervision
from shared.settings import Settings

_KNOCK_SECONDS = 0.1  # between two looks at /health while the web front starts
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104  how to reach them


def run_up(settings: Settings) -> int:
    """Run until SIGINT or SIGTERM; 0 after a drain, 130 when a second signal cut it short.

    Misconfigured: the machine, an address or the data directory does not allow it.
    """
    require_supervision()
    endpoints = endpoints_of(settings)
    require_known_engines(settings, "QUIRE_ENGINES")
    require_keys(settings)
    specs = processes_of(settings)
    with DataLock(settings.data):
        require_free(endpoints)
        width = max(len(NAME), *(len(spec.name) for spec in specs))
        say = Terminal(sys.stdout, secrets=secrets_of(settings), width=width)
        return asyncio.run(_up(settings, say))


async def _up(settings: Settings, say: Say) -> int:
    loop = asyncio.get_running_loop()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def on_kill(pid: int, reason: str) -> None:
        loop.call_soon_threadsafe(supervisor.kill_hung, pid, reason)

    def processes() -> list[dict[str, Any]]:
        return supervisor.processes()

    line = BrokerLine(lambda: roles.supervisor_link(context, settings), on_kill, processes)
    supervisor = Supervisor(processes_of(settings), say, watcher=line)
    presses = 0

    def on_signal() -> None:
        nonlocal presses
        presses += 1
        if presses == 1:
            say(NAME, "stopping: finishing what is in hand (once more: stop at once)")
            supervisor.stop()
        else:
            supervisor.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup ignores SIGHUP, and so do we; SIGINT is ignored in every background job of a script,
        # and a process manager that sends it means it
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, on_signal)
    say(NAME, f"data in {settings.data.absolute()}")
    announcing = asyncio.ensure_future(_announce(settings, say))
    try:
        with line:
            await supervisor.run()
    finally:
        announcing.cancel()
        await asyncio.gather(announcing, return_exceptions=True)
        context.destroy(linger=0)
    return 0 if presses < 2 else 130


def url_of(settings: Settings) -> str:
    """Where a browser on this machine reaches the web front."""
    host = _ANY.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


async def _announce(settings: Settings, say: Say) -> None:
    """Say the address once the web front answers there."""
    url = url_of(settings)
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        while True:
            try:
                await client.get(f"{url}/health")
            except httpx.TransportError:
                await asyncio.sleep(_KNOCK_SECONDS)  # nothing tells us when another process listens
            else:
                break
    say(NAME, f"ready: {url} (Ctrl-C stops)")
