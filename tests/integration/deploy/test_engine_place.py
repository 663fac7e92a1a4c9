"""An engine that is started by hand has a place, as one has that a supervisor starts."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from socket import gethostname

import pytest
import zmq

from bus.broker import Broker
from shared.settings import Settings
from tests.fakes.live_bus import wait_for
from tests.fakes.systems import ROOT, TEXT_ENGINE


@pytest.fixture
def broker(tmp_path):
    settings = Settings(bus=f"ipc://{tmp_path}/bus", bus_events=f"ipc://{tmp_path}/events")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    served = Broker(context, settings)
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    yield served
    served.stop()
    thread.join()
    served.close()
    context.term()


@contextmanager
def by_hand(folder, broker, *arguments, **more):
    """An engine that is started as people start it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUIRE_")}
    environment = {
        **kept,
        "PYTHONPATH": str(ROOT),
        "QUIRE_BUS": broker._settings.bus,
        "QUIRE_BUS_EVENTS": broker._settings.bus_events,
        "QUIRE_DATA": str(folder / "data"),
        **more,
    }
    command = (sys.executable, "-P", "-m", "deploy", "engine", *arguments)
    with subprocess.Popen(command, cwd=folder, env=environment) as engine:
        try:
            wait_for(lambda: len(broker.core.peers) == 1, 40.0)
            yield engine
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(15)


@pytest.mark.timeout(60)
def test_the_next_one_by_hand_takes_the_same_place(broker, tmp_path):
    added = {"QUIRE_ENGINE_CLASSES": TEXT_ENGINE}
    with by_hand(tmp_path, broker, "text", "--gpu", "3", **added) as engine:
        (peer,) = broker.core.peers.values()
        assert peer.hello.pid == engine.pid
        assert peer.slot == (gethostname(), "text:3")  # nothing of it is of this process alone


@pytest.mark.timeout(120)
def test_one_with_an_interpreter_of_its_own_goes_on_in_that(broker, tmp_path, mineru_python):
    own = {"QUIRE_ENGINE_PYTHONS": f"mineru={mineru_python}"}
    with by_hand(tmp_path, broker, "mineru", "--mineru-pages", "7", **own) as engine:
        (peer,) = broker.core.peers.values()
        assert peer.hello.pid == engine.pid  # the same process: a signal to it still ends it
        assert peer.hello.capabilities["batch"] == 7  # with the settings that it was given
        wait_for(lambda: peer.is_ready_engine, 60.0)
        assert str(peer.status["model"]).startswith("mineru 4.")  # which is not installed here
