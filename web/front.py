"""What the handlers share: settings, store, bus, hub. Made once for each server process."""

import asyncio
from dataclasses import dataclass
from typing import Any

from sanic import Request, Sanic

from bus.client import BusClient
from shared.settings import Settings
from store.store import Store
from web.engine_choice import EngineCatalogue
from web.hub import Hub
from web.threads import StoreThreads

Req = Request[Any, Any]
App = Sanic[Any, Any]


@dataclass(slots=True)
class Front:
    """The parts of one server process. `closing` is set when it begins to stop."""

    settings: Settings
    store: Store
    threads: StoreThreads
    bus: BusClient
    hub: Hub
    engines: EngineCatalogue
    closing: asyncio.Event
    started: float


def front_of(request: Req) -> Front:
    """The parts that serve this request."""
    front: Front = request.app.ctx.front
    return front


def front_of_app(app: App) -> Front:
    """The parts that serve this application."""
    front: Front = app.ctx.front
    return front
