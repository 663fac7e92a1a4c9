"""Builds the objects of each role and runs it. The only place that puts the parts together.

What the imports made lives as long as the process: frozen, it is not looked at by each full run of
the garbage collector, which would stop messages and commits for 20 ms.
"""

import gc
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from deploy.plan import ROOT, engine_pythons, settings_environment
from shared.settings import SLOT_VARIABLE, Settings

if TYPE_CHECKING:
    import zmq
    import zmq.asyncio

    from bus.client import BusClient
    from bus.supervisor_link import SupervisorLink
    from store.store import Store

_WEB_GRACE_SECONDS = 1.5  # for requests in hand; the supervisor gives the web front 2 s


def run_broker(settings: Settings) -> None:
    """Serve the bus until SIGTERM."""
    from bus.broker import serve

    gc.freeze()
    serve(settings)


def run_split(settings: Settings) -> None:
    """Open documents and send their pages until SIGTERM."""
    from stages.split import serve

    gc.freeze()
    serve(settings)


def run_collect(settings: Settings) -> None:
    """Write results until SIGTERM."""
    from stages.collect import serve

    gc.freeze()
    serve(settings)


def run_engine(settings: Settings, name: str, gpu: int | None) -> None:
    """Recognize pages with one engine until SIGTERM, on one GPU (None: as the machine gives).

    Where the settings give the engine an interpreter of its own, this process goes on as that.
    """
    python = engine_pythons(settings).get(name, sys.executable)
    if python != sys.executable:
        _become(python, settings, name, gpu)
    if gpu is not None:  # before anything that may load CUDA is imported
        os.environ["CUDA_VISIBLE_DEVICES"] = visible_gpu(gpu, os.environ)
    # started by hand it has no supervisor to name its place: the next one here takes its place
    os.environ.setdefault(SLOT_VARIABLE, f"{name}:{'' if gpu is None else gpu}")
    from stages.recognize import serve

    gc.freeze()
    serve(settings, name, gpu)


def _become(python: str, settings: Settings, name: str, gpu: int | None) -> NoReturn:
    """Run the engine in this interpreter, in the same process: who started it can still end it."""
    others = tuple(e for e in settings.engine_pythons if e.partition("=")[0] != name)
    own = settings_environment(replace(settings, engine_pythons=others))
    place = [] if gpu is None else ["--gpu", str(gpu)]
    command = [python, "-P", "-m", "deploy", "engine", name, *place]
    os.execve(python, command, {**os.environ, **own, "PYTHONPATH": str(ROOT)})  # noqa: S606


def run_web(settings: Settings) -> None:
    """Serve HTTP until SIGTERM, in this process."""
    from web.app import build_app

    app = build_app(settings)
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = _WEB_GRACE_SECONDS
    app.run(
        host=settings.host,
        port=settings.port,
        single_process=True,
        motd=False,
        access_log=False,
        debug=False,
    )


def visible_gpu(gpu: int, environ: Mapping[str, str]) -> str:
    """The N-th of the GPUs that we were given: a scheduler may have given us some only."""
    given = [part.strip() for part in environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return given[gpu] if gpu < len(given) and given[gpu] else str(gpu)


def open_store(settings: Settings) -> "Store":
    """The store of a process; close it when done."""
    from store.store import Store

    return Store.open(settings)


def bus_client(context: "zmq.asyncio.Context", settings: Settings) -> "BusClient":
    """A client of the bus, not started yet."""
    from bus.client import BusClient

    return BusClient(context, settings)


def supervisor_link(
    context: "zmq.Context[zmq.Socket[bytes]]", settings: Settings
) -> "SupervisorLink":
    """The supervisor's line to the broker; used by one thread."""
    from bus.supervisor_link import SupervisorLink

    return SupervisorLink(context, settings)
