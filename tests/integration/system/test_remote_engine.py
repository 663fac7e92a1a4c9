"""An engine on another host: two network namespaces with a cable between them, cut and mended."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus import keys
from shared.settings import Settings
from shared.states import JobState
from tests.fakes.systems import ROOT, TEXT_ENGINE

PAGES = 40
BROKER, PORT = "192.0.2.1", 5570  # TEST-NET-1: of nobody, and only inside the namespaces
ADDRESS = f"tcp://{BROKER}:{PORT}"


@dataclass
class Hosts:
    """The namespaces of the broker and of the engine, and the cable's end at the engine."""

    broker: str
    engine: str
    cable: str

    def within(self, name: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", name)

    def cut(self) -> None:
        ip("-n", self.engine, "link", "set", self.cable, "down")

    def mend(self) -> None:
        ip("-n", self.engine, "link", "set", self.cable, "up")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    names = f"quire-a{os.getpid()}", f"quire-b{os.getpid()}"
    if os.geteuid() != 0 or shutil.which("ip") is None:
        if os.environ.get("CI"):
            pytest.fail("network namespaces need root and iproute2")
        pytest.skip("network namespaces need root and iproute2")
    with contextlib.ExitStack() as stack:
        for name in names:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)  # its end of the cable goes with it
            ip("-n", name, "link", "set", "lo", "up")
        ends = [f"qa{os.getpid()}", f"qb{os.getpid()}"]
        ip("-n", names[0], "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        ip("-n", names[0], "link", "set", ends[1], "netns", names[1])
        for name, end, address in zip(names, ends, (BROKER, "192.0.2.2"), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", end)
            ip("-n", name, "link", "set", end, "up")
        yield Hosts(*names, cable=ends[1])


@contextlib.contextmanager
def remote_engine(hosts: Hosts, key: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An engine with its key, the broker's address, and nothing else of the system."""
    folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QUIRE_ENGINE_CLASSES": TEXT_ENGINE,
        "QUIRE_TEST_NAP_SECONDS": "0.1",
    }
    program = (sys.executable, "-P", "-m", "deploy", "engine", "text")
    options = ("--bus", ADDRESS, "--bus-key", str(key))
    with subprocess.Popen(
        [*hosts.within(hosts.engine), *program, *options],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
    ) as engine:
        try:
            yield engine
        finally:
            engine.terminate()
            engine.wait(15)


def far_ends(pid: int) -> set[tuple[str, int]]:
    """Whom the processes of this one's namespace are connected to (proc_pid_net(5), hex)."""
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    ends = [row[2].split(":") for row in rows]
    return {(socket.inet_ntoa(bytes.fromhex(a)[::-1]), int(port, 16)) for a, port in ends}


@pytest.mark.timeout(120)
async def test_a_cut_link_loses_nothing(hosts, running, make_pdf, tmp_path):
    keys.make_missing(tmp_path / "keys")
    key = keys.add(tmp_path / "keys", "gpu-box", "engine", "text")
    key = key.rename(tmp_path / "gpu-box.key")
    flags = {"bus": ADDRESS, "bus_keys": str(tmp_path / "keys"), "engines": ""}
    async with running(within=hosts.within(hosts.broker), **flags) as system:
        job = await system.submit(make_pdf(*(f"page {n} is here" for n in range(1, PAGES + 1))))
        with remote_engine(hosts, key, tmp_path / "empty") as engine:
            await system.until(job, lambda now: now.counts.done >= 5)
            assert far_ends(engine.pid) == {(BROKER, PORT)}
            hosts.cut()
            await system.table(lambda now: [w.state for w in now.of_engine("text")] == ["silent"])
            left = system.store.job(job.id).counts.pending
            hosts.mend()
            job = await system.finished(job)
        assert left > 0
        assert job.state is JobState.DONE
        text = system.store.blobs.read(job.artifacts["txt"]).decode()
        assert all(text.count(f"page {n} is here") == 1 for n in range(1, PAGES + 1))
        assert all(task.crashes == 0 for task in system.store.pages(job.id))
        assert list((tmp_path / "empty").iterdir()) == []  # no database, no data of its own


@pytest.mark.timeout(60)
async def test_a_wrong_key_is_refused_and_counted(hosts, running, tmp_path):
    keys.make_missing(tmp_path / "keys")
    keys.make_missing(tmp_path / "others")
    stranger = tmp_path / "others" / "engine.key"
    server = keys.client_key(Settings(bus_keys=str(tmp_path / "keys")), "engine").server.decode()
    lines = stranger.read_text().splitlines()[:-1]
    stranger.write_text("\n".join([*lines, f'server = "{server}"\n']))
    flags = {"bus": ADDRESS, "bus_keys": str(tmp_path / "keys"), "engines": ""}
    async with running(within=hosts.within(hosts.broker), **flags) as system:
        with remote_engine(hosts, stranger, tmp_path / "empty") as engine:
            assert engine.stderr
            said = await asyncio.to_thread(engine.stderr.readline)
            table = await system.table(lambda now: now.counters.get("refused_handshakes", 0) > 0)
        assert not table.of_engine("text")
        assert any("192.0.2.2 was refused: its key" in line for line in system.log)
        assert b"refuses the key 'engine'" in said
