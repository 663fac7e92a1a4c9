"""The folders of a command that has a system of its own."""

import tempfile
from pathlib import Path

import pytest

from deploy.private_system import private_settings
from shared.settings import Settings


@pytest.mark.parametrize("depth", [0, 12])
def test_nothing_is_left_of_a_private_system(tmp_path, monkeypatch, depth):
    parent = tmp_path.joinpath(*["a-long-name"] * depth)
    parent.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(parent))
    with private_settings(Settings()) as own:
        sockets = Path(own.bus.removeprefix("ipc://")).parent
        assert len(own.bus_events) <= 107
        assert (own.data.parent, sockets == own.data) == (parent, depth == 0)
        (own.data / "file").touch()
        (sockets / "bus").touch()
    assert not own.data.exists()
    assert not sockets.exists()
