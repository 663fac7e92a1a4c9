"""A whole system for one command: temporary data, local sockets, no web front."""

import asyncio
import collections
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import zmq.asyncio

from deploy import roles
from deploy.broker_line import BrokerLine
from deploy.log_lines import Say
from deploy.plan import processes_of
from deploy.supervisor import Supervisor
from shared.errors import OutsideFailed
from shared.settings import Settings

if TYPE_CHECKING:
    from bus.client import BusClient
    from store.store import Store

_GIVE_UP_AFTER = 4  # endings in a row: about two seconds of waits
_LAST_LINES = 12  # of the log, shown when a process keeps ending
_SHORT_PARENT = "/tmp"  # noqa: S108  the folder made in it has a random name and is ours alone
_SOCKET_NAME_BYTES = 90  # room for the directory in the 107 bytes of a Unix socket's path


@dataclass(frozen=True, slots=True)
class PrivateSystem:
    """`ended` is done when the system has ended by itself, which is a failure."""

    store: "Store"
    bus: "BusClient"
    ended: asyncio.Future[None]
    kill: Callable[[], None]


@asynccontextmanager
async def private_system(settings: Settings, say: Say) -> AsyncIterator[PrivateSystem]:
    """Start broker, split, collect and engines; stop them and remove their data at the end.

    OutsideFailed, with the last lines of its log, when a process cannot be kept running.
    """
    with private_settings(settings) as own:
        async with _running_system(own, say) as system:
            yield system


@asynccontextmanager
async def _running_system(settings: Settings, say: Say) -> AsyncIterator[PrivateSystem]:
    last: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)

    def hear(role: str, line: str) -> None:
        last.append(f"{role}: {line}")
        say(role, line)

    context = zmq.asyncio.Context()
    loop = asyncio.get_running_loop()

    def on_kill(pid: int, reason: str) -> None:
        loop.call_soon_threadsafe(supervisor.kill_hung, pid, reason)

    def processes() -> list[dict[str, Any]]:
        return supervisor.processes()

    line = BrokerLine(
        lambda: roles.supervisor_link(zmq.Context.shadow(context.underlying), settings),
        on_kill,
        processes,
    )
    supervisor = Supervisor(
        processes_of(settings, web=False), hear, watcher=line, give_up_after=_GIVE_UP_AFTER
    )
    try:
        store = await asyncio.to_thread(roles.open_store, settings)
        bus = roles.bus_client(context, settings)
        with line:
            ended = asyncio.ensure_future(supervisor.run())
            try:
                await bus.start()
                yield PrivateSystem(store, bus, ended, supervisor.kill)
            finally:
                await bus.close()
                supervisor.stop()
                await asyncio.wait([ended])
                await asyncio.to_thread(store.close)
        failure = ended.exception()
        if isinstance(failure, OutsideFailed):
            raise OutsideFailed("\n".join([f"{failure}. Its last lines:", *last]))
        if failure:
            raise failure
    finally:
        context.destroy(linger=0)


@contextmanager
def private_settings(settings: Settings) -> Iterator[Settings]:
    """The settings with all that a server would share put into a folder, removed at the end."""
    with ExitStack() as stack:
        make = partial(TemporaryDirectory, prefix="quire-", ignore_cleanup_errors=True)
        data = sockets = stack.enter_context(make())
        if len(data.encode()) > _SOCKET_NAME_BYTES:
            sockets = stack.enter_context(make(dir=_SHORT_PARENT))
        yield replace(
            settings,
            data=Path(data),
            database_url="",
            bus=f"ipc://{sockets}/bus",
            bus_events=f"ipc://{sockets}/events",
            bus_keys="",
            bus_key="",
        )
