"""An engine that is started by hand has a place, as one has that a supervisor starts."""

import os
import signal
import subprocess
import sys
import threading
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


@pytest.mark.timeout(60)
def test_the_next_one_by_hand_takes_the_same_place(broker, tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUIRE_")}
    environment = {
        **kept,
        "PYTHONPATH": str(ROOT),
        "QUIRE_ENGINE_CLASSES": TEXT_ENGINE,
        "QUIRE_BUS": broker._settings.bus,
        "QUIRE_BUS_EVENTS": broker._settings.bus_events,
    }
    command = (sys.executable, "-P", "-m", "deploy", "engine", "text", "--gpu", "3")
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as engine:
        try:
            wait_for(lambda: len(broker.core.peers) == 1, 40.0)
            (peer,) = broker.core.peers.values()
            assert peer.hello.pid == engine.pid
            assert peer.slot == (gethostname(), "text:3")  # nothing of it is of this process alone
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(15)
