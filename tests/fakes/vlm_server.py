"""A stub of MinerU's VLM behind the OpenAI protocol, which can be made to misbehave."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LAYOUT = (
    "<|box_start|>050 030 950 120<|box_end|><|ref_start|>title<|ref_end|><|rotate_up|>\n"
    "<|box_start|>050 130 950 500<|box_end|><|ref_start|>text<|ref_end|><|rotate_up|>\n"
    "<|box_start|>050 510 950 950<|box_end|><|ref_start|>table<|ref_end|><|rotate_up|>"
)
TABLE = "<fcel>item<fcel>amount<nl><fcel>INV-1<fcel>1000.50<nl>"
WELL, BROKEN, NONSENSE, SLOW = "well", "broken", "nonsense", "slow"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Callers may hang up: that is what some tests are about."""


class VlmStub:
    """Serves on a free port of this machine. `mood` says how it answers; `calls` counts chats."""

    def __init__(self, port: int = 0) -> None:
        self.mood = WELL
        self.calls = 0
        self.released = threading.Event()  # ends the waits of a slow server
        self._server = _Server(("127.0.0.1", port), self._handler())
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, prompt: str) -> str:
        if "Layout Detection" in prompt:
            return LAYOUT
        return TABLE if "Table Recognition" in prompt else "Text as the stub reads it."

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self._send({"object": "list", "data": [{"id": "stub", "object": "model"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub.calls += 1
                if stub.mood == SLOW:
                    stub.released.wait()
                if stub.mood == BROKEN:
                    self._send({"error": "no more memory"}, 500)
                elif stub.mood == NONSENSE:
                    self._send({"weather": "bad"})
                else:
                    self._send(_completion(stub.answer(_prompt_of(body))))

            def _send(self, value: dict[str, Any], status: int = 200) -> None:
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        return Handler


def _prompt_of(body: dict[str, Any]) -> str:
    contents = [m["content"] for m in body["messages"] if isinstance(m["content"], list)]
    return " ".join(part.get("text", "") for content in contents for part in content)


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "x", "object": "chat.completion", "model": "stub", "choices": [choice]}
