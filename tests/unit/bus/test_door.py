"""How often the list of keys is read, and that no change of it is missed."""

from collections import Counter

import pytest
import zmq

from bus import keys
from bus.door import BUS, Door
from shared.settings import Settings

STRANGER = zmq.curve_keypair()[0]


@pytest.fixture
def door(tmp_path):
    keys.make_missing(tmp_path / "keys")
    context = zmq.Context()
    made = Door(context, Settings(bus_keys=str(tmp_path / "keys")), Counter())
    yield made
    made._zap.close()
    context.term()


def test_strangers_who_knock_do_not_have_the_list_read(door, monkeypatch, tmp_path):
    reads = []

    def count(directory):
        reads.append(directory)
        return keys.allowed(directory)

    monkeypatch.setattr("bus.door.allowed", count)
    assert not any(door._decide(BUS, STRANGER, "") for _ in range(50))
    assert reads == []
    path = keys.add(tmp_path / "keys", "gpu-box", "engine")
    public = keys.client_key(Settings(bus_key=str(path)), "engine").pair.public
    assert door._decide(BUS, public, "")  # at once
    assert len(reads) == 1


def test_a_revocation_that_a_handshake_sees_first_still_shows_its_holder_out(door, tmp_path):
    web = keys.client_key(Settings(bus_keys=str(tmp_path / "keys")), "web").pair.public
    keys.revoke(tmp_path / "keys", "web")
    assert not door._decide(BUS, web, "")
    assert door.refresh() == {web}
    assert door.refresh() == set()
