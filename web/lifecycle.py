"""Opens and closes what a server process needs, in order."""

import asyncio
import time

import zmq.asyncio

from bus.client import BusClient
from shared.health import BusTable
from shared.settings import Settings
from store.store import Store
from web.engine_choice import EngineCatalogue
from web.front import App, Front, front_of_app
from web.hub import Hub
from web.service import table_of
from web.tasks import keep
from web.threads import StoreThreads


def install_lifecycle(app: App, settings: Settings) -> None:
    """Open before the server listens, close after its last answer.

    Order at the end: tell the event streams (they would hold the server for its whole grace
    period), answer what is in hand, stop listening to the bus, close the bus, then the store.
    """

    @app.before_server_start
    async def open_parts(app: App) -> None:
        threads = StoreThreads()
        store = await threads.run(Store.open, settings)
        context = zmq.asyncio.Context()
        bus = BusClient(context, settings)
        await bus.start()
        front = Front(
            settings=settings,
            store=store,
            threads=threads,
            bus=bus,
            hub=Hub(),
            engines=EngineCatalogue(settings),
            closing=asyncio.Event(),
            started=time.time(),
        )
        app.ctx.front = front
        app.ctx.zmq_context = context
        app.ctx.bus_watch = keep(_follow_bus(front), "bus watch")
        app.ctx.broker_look = keep(_notice_silence(front), "broker look")

    @app.before_server_stop
    async def close_streams(app: App) -> None:
        front = front_of_app(app)
        front.closing.set()
        front.hub.wake_all()

    @app.after_server_stop
    async def close_parts(app: App) -> None:
        front = front_of_app(app)
        for task in (app.ctx.bus_watch, app.ctx.broker_look):
            task.cancel()
        await asyncio.gather(app.ctx.bus_watch, app.ctx.broker_look, return_exceptions=True)
        await front.bus.close()
        app.ctx.zmq_context.term()
        front.threads.close()
        front.store.close()


async def _follow_bus(front: Front) -> None:
    async for event in front.bus.watch():
        if isinstance(event, BusTable):
            front.engines.learn(event)
            front.hub.update(event)
        else:
            front.hub.publish(event)


async def _notice_silence(front: Front) -> None:
    """When the broker goes away, what it said runs is not known any more."""
    while not front.closing.is_set():
        if table_of(front) is None:
            front.hub.forget_running()
        try:
            async with asyncio.timeout(front.settings.silence_seconds):
                await front.closing.wait()
        except TimeoutError:
            continue
