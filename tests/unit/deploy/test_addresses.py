import os
import socket

import pytest

from deploy.addresses import Endpoint, endpoints_of, problem_of
from deploy.data_lock import DataLock
from shared.errors import Misconfigured
from shared.settings import Settings


def test_a_taken_port_names_itself_its_owner_and_the_flag():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        problem = problem_of(Endpoint("bus_events", "127.0.0.1", port))
    assert f"Port {port} on 127.0.0.1 is taken" in problem
    assert f"(process {os.getpid()})" in problem
    assert "--bus-events" in problem
    assert problem_of(Endpoint("port", "127.0.0.1", port)) == ""


@pytest.mark.parametrize("bus", ["tcp://127.0.0.1", "5570", "http://127.0.0.1:1", "tcp://h:99999"])
def test_what_is_no_address_is_refused(bus):
    with pytest.raises(Misconfigured, match="bus"):
        endpoints_of(Settings(bus=bus))


def test_two_settings_cannot_share_a_port():
    with pytest.raises(Misconfigured, match="both use port 5570"):
        endpoints_of(Settings(bus_events="tcp://127.0.0.1:5570"))


def test_long_socket_paths_are_refused_before_zmq_does():
    with pytest.raises(Misconfigured, match="too long"):
        endpoints_of(Settings(bus="ipc:///" + "x" * 120))


def test_a_data_directory_has_one_system(tmp_path):
    with (
        DataLock(tmp_path / "data"),
        pytest.raises(Misconfigured, match=rf"process {os.getpid()}"),
        DataLock(tmp_path / "data"),
    ):
        pass
    with DataLock(tmp_path / "data"):
        pass


def test_a_data_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="--data"), DataLock(tmp_path / "file"):
        pass
