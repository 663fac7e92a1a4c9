"""Wrong usage of the real command: one sentence on stderr, a code, no traceback."""

import socket
import subprocess
import sys

import pytest


def quire(*arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "deploy", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env={"PATH": "/usr/bin:/bin", **environ},
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "COMMAND"),
        (("frobnicate",), "frobnicate"),
        (("up", "--port", "x"), "--port: 'x' is not a value for port"),
        (("up", "--por", "1"), "--por"),
        (("up", "--bus", "nonsense"), "bus: 'nonsense'"),
        (("up", "--engines", "PYMUPDF"), "QUIRE_ENGINES"),
        (("engine", "x", "--gpu", "-1"), "gpu"),
        (("ocr",), "FILE"),
        (("ocr", "--format", "rtf", "x"), "rtf"),
        (("ocr", "--engine", "foo", "x"), "--engine names 'foo', and there is no such engine"),
    ],
)
def test_wrong_usage(arguments, words):
    done = quire(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_secrets_are_not_repeated(tmp_path):
    (tmp_path / "quire.toml").write_text("api_keys = 7")
    done = quire("up", QUIRE_CONFIG=str(tmp_path / "quire.toml"))
    assert done.returncode == 2
    assert "the value is not a value for api_keys" in done.stderr


def test_no_server():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    done = quire("status", "--server", url)
    assert done.returncode == 1
    assert "quire up" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = quire("up", "--port", port, "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 is taken" in done.stderr
    assert "--port" in done.stderr
