"""A broker with keys: who comes in, who does not, and what a revoked key is still good for."""

import dataclasses
import threading
from collections.abc import Iterator

import pytest
import zmq
import zmq.asyncio

from bus import keys
from bus.broker import Broker
from bus.client import BusClient
from bus.codec import encode
from bus.sockets import make_socket
from bus.worker import Worker
from shared.errors import Misconfigured
from shared.messages import Cancel, Committed, PageReady, SplitDone, Submit, page_key
from shared.settings import Settings
from tests.fakes.live_bus import Bus, take, wait_for


class KeyedBus(Bus):
    """The broker runs in a thread, so that its counters can be looked at."""

    def __init__(self, folder) -> None:
        super().__init__()
        keys.make_missing(folder)
        self.folder = folder
        self.settings = dataclasses.replace(self.settings, bus_keys=str(folder))
        self.broker_context = zmq.Context()

    def start_broker(self) -> None:
        self.served = Broker(self.broker_context, self.settings)
        self.thread = threading.Thread(target=self.served.run, daemon=True)
        self.thread.start()

    def count(self, name: str) -> int:
        return self.served.core.counters[name]

    def engine(self, key: str = "", **settings) -> Worker:
        saved = self.settings
        self.settings = dataclasses.replace(saved, bus_key=key, **settings)
        try:
            return self.worker("engine")
        finally:
            self.settings = saved

    def close(self) -> None:
        for worker in self.workers:
            if not worker._left:
                worker.leave(0.2)
        self.context.destroy(linger=0)  # also what a test that failed has left open
        self.served.stop()
        self.thread.join()
        self.served.close()
        self.broker_context.term()


@pytest.fixture
def keyed(tmp_path) -> Iterator[KeyedBus]:
    bus = KeyedBus(tmp_path / "keys")
    bus.start_broker()
    yield bus
    bus.close()


def connect(bus: KeyedBus, pair: keys.KeyPair | None, server: bytes) -> zmq.Socket[bytes]:
    socket = make_socket(bus.context, zmq.DEALER)
    if pair:
        socket.setsockopt(zmq.CURVE_PUBLICKEY, pair.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, pair.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, server)
    socket.connect(bus.settings.bus)
    return socket


def fresh() -> keys.KeyPair:
    return keys.KeyPair(*zmq.curve_keypair())


def test_pages_go_round_with_every_role_on_its_own_key(keyed):
    collect, split = keyed.worker("collect", 10), keyed.worker("split")
    engine = keyed.engine(str(keys.add(keyed.folder, "gpu-box", "engine", "fake")))
    split.send(Submit((("j", "batch"),)))  # of web and collect only: dropped and counted
    wait_for(lambda: keyed.count("protocol_forbidden") == 1)
    collect.send(Submit((("j", "batch"),)))
    (task,) = (delivery.message for delivery in take(split, 1))
    split.send(PageReady(page_key("j", 1, "fake"), "j", "recognize.fake", {}), [bytes(100_000)])
    split.send(SplitDone(task.key, task.lease, "j", (1, "fake"), finished=True))
    split.done(task.key)
    (delivery,) = take(engine, 1)
    assert bytes(delivery.payload[0]) == bytes(100_000)
    engine.finish(delivery.message.key, delivery.message.lease, "done", {}, [b"answer"])
    (result,) = take(collect, 1)
    engine.send(Committed((result.message.key,)))  # an engine cannot say that itself
    wait_for(lambda: keyed.count("protocol_forbidden") == 2)
    assert keyed.count("committed") == 0
    collect.send(Committed((result.message.key,)))
    assert engine.leave(5.0)
    assert keyed.count("refused_handshakes") == 0


def test_strangers_are_refused_and_counted(keyed, caplog):
    server = keys.server_key(keyed.settings).public
    known = keys.client_key(keyed.settings, "web").pair
    expected = 0
    for pair, expects in [(fresh(), server), (known, fresh().public), (None, b"")]:
        stranger = connect(keyed, pair, expects)
        stranger.send_multipart(encode(Cancel("j")))
        wait_for(lambda n=expected: keyed.count("refused_handshakes") > n)
        expected = keyed.count("refused_handshakes")
        stranger.close()
    for said in ("is not allowed", "another broker's key"):
        assert said in caplog.text
    assert "it shows no key" in caplog.text or "it hung up" in caplog.text
    assert not keyed.served.core.peers


def test_a_key_that_is_revoked_is_cut_off_and_one_made_later_comes_in(keyed, caplog):
    path = keys.add(keyed.folder, "gpu-box", "engine")
    text = path.read_text()
    engine = keyed.engine(str(path))
    wait_for(lambda: engine.epoch != "")
    keys.revoke(keyed.folder, "gpu-box")
    wait_for(lambda: not keyed.served.core.peers)
    wait_for(lambda: keyed.count("protocol_forbidden") > 0)  # its heartbeats count no more
    path.write_text(text)
    path.chmod(0o600)
    late = keyed.engine(str(path))
    wait_for(lambda: "refuses the key 'gpu-box'" in caplog.text)
    public = keys.client_key(Settings(bus_key=str(path)), "engine").pair.public
    entry = keyed.folder / "allowed" / "again.pub"
    entry.write_text(f'role = "engine"\npublic = "{public.decode()}"\n')
    wait_for(lambda: late.epoch != "")  # libzmq itself never tries again after a refusal


async def test_events_are_for_the_web_only(keyed):
    settings = keyed.settings
    context = zmq.asyncio.Context()
    client = BusClient(context, settings)
    await client.start()
    async for _ in client.watch():
        break
    engine = str(keyed.folder / "engine.key")
    spy = make_socket(keyed.context, zmq.SUB)
    spy.setsockopt(zmq.SUBSCRIBE, b"")
    key = keys.client_key(dataclasses.replace(settings, bus_key=engine), "engine")
    spy.setsockopt(zmq.CURVE_PUBLICKEY, key.pair.public)
    spy.setsockopt(zmq.CURVE_SECRETKEY, key.pair.secret)
    spy.setsockopt(zmq.CURVE_SERVERKEY, key.server)
    spy.connect(settings.bus_events)
    wait_for(lambda: keyed.count("refused_handshakes") == 1)
    spy.close()
    await client.close()
    context.term()


def test_without_a_key_nobody_asks_another_host():
    context = zmq.Context()
    remote = Settings(bus="tcp://192.0.2.1:5570")
    with pytest.raises(Misconfigured, match="quire keys add NAME"):
        Worker(context, remote, role="engine", service="recognize.x", credit=1, engine="x")
    context.term()
