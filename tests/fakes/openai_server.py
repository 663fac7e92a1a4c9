"""A small server that speaks OpenAI's protocol and answers as it is told."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

Answer = tuple[int, Any]  # status, JSON body


@dataclass
class OpenAIServer:
    """`answer` is called with each request's body; what came in is kept."""

    answer: Callable[[dict[str, Any]], Answer]
    port: int = 0
    key: str = ""
    model: str = "deepseek-ai/DeepSeek-OCR"
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def handle(self, body: dict[str, Any]) -> Answer:
        with self._lock:
            self.bodies.append(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            return self.answer(body)
        finally:
            with self._lock:
                self._now -= 1


def said(text: str, finish_reason: str | None = "stop") -> Answer:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return 200, {"choices": [choice], "usage": {"completion_tokens": len(text.split())}}


def page_of(body: dict[str, Any]) -> Image.Image:
    """The picture in a request."""
    parts = body["messages"][0]["content"]
    url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
    return Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))


@contextmanager
def serving(server: OpenAIServer) -> Iterator[OpenAIServer]:
    """Run it on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(*self._guarded(lambda: (200, {"data": [{"id": server.model}]})))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(*self._guarded(lambda: server.handle(body)))

        def _guarded(self, answer: Callable[[], Answer]) -> Answer:
            if server.key and self.headers.get("Authorization") != f"Bearer {server.key}":
                return 401, {"error": "no"}
            return answer()

        def _reply(self, status: int, content: Any) -> None:
            if isinstance(content, Iterator):
                self._reply_piecewise(status, content)
                return
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _reply_piecewise(self, status: int, pieces: Iterator[bytes]) -> None:
            """Without a length: the end of the connection is the end of the answer."""
            self.send_response(status)
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # the other side had enough
                for piece in pieces:
                    self.wfile.write(piece)

        def log_message(self, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", server.port), Handler)
    listener.daemon_threads = True
    server.port = listener.server_port
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def dripping(pause_seconds: float) -> Iterator[bytes]:
    """An answer without an end, a byte at a time."""
    while True:
        time.sleep(pause_seconds)
        yield b" "


def slowly(text: str, seconds: float) -> Callable[[dict[str, Any]], Answer]:
    def answer(_body: dict[str, Any]) -> Answer:
        time.sleep(seconds)
        return said(text)

    return answer
