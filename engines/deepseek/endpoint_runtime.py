"""The model on a server that speaks OpenAI's protocol: vLLM, SGLang and others."""

import json
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from engines.deepseek.endpoint_messages import body_of, choice_of, model_names
from engines.deepseek.runtime import (
    BROKEN,
    LENGTH,
    STOP,
    Generation,
    Outcome,
    Request,
    RequestFeed,
    Runtime,
)
from shared.errors import OutsideFailed, PageFailed

_TRIES = 4  # of one page before it goes back to the broker, which waits longer
_FIRST_WAIT_SECONDS = 0.5  # doubles
_TICK_SECONDS = 0.5  # between signs of life while answers are awaited
_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 2.0  # between looks whether a server that was down is back
_MOST_ANSWER_BYTES = 16_000_000
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_KEY_REFUSED = frozenset({401, 403})
_REASONS = {"stop": STOP, "length": LENGTH}


class EndpointRuntime(Runtime):
    """Sends up to `pages` at once to `url` (with /v1), each at most `seconds` long.

    `model` empty: the one that the server lists.
    """

    name = "endpoint"

    def __init__(
        self, url: str, *, key: str = "", model: str = "", pages: int = 32, seconds: float = 300
    ) -> None:
        self._url = url.rstrip("/")
        self._asked_model = self._model = model
        self.capacity = pages
        self._seconds = seconds
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(seconds, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=pages),
            trust_env=False,  # the address is meant as it is written: no proxy of the environment
        )
        self._trouble = ""
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None

    def load(self) -> None:
        """Ask the server for its models. OutsideFailed: it is not there or refuses the key."""
        try:
            answer = self._models()
        except httpx.HTTPError as error:
            raise self._down(error) from error
        if answer.status_code in _KEY_REFUSED:
            raise self._key_refused()
        names = model_names(answer)
        if not self._asked_model:
            if not names:
                raise OutsideFailed(
                    f"{self._url} lists no models (status {answer.status_code}): name one with "
                    "QUIRE_DEEPSEEK_URL_MODEL.",
                    code="no_model",
                )
            self._model = names[0]
        elif names and self._asked_model not in names:
            raise OutsideFailed(
                f"{self._url} has no model {self._asked_model}, but {', '.join(names[:5])}: see "
                "QUIRE_DEEPSEEK_URL_MODEL.",
                code="no_model",
            )
        self._trouble = ""

    def run(self, feed: RequestFeed, progress: Callable[[], None]) -> Iterator[Outcome]:
        """Keep as many pages with the server as it may have; yield each as it is answered."""
        feed.set_capacity(self.capacity)
        done: queue.Queue[Outcome] = queue.Queue()
        flying = 0
        with ThreadPoolExecutor(self.capacity, "endpoint") as threads:
            while flying or not feed.closed:
                free = self.capacity - flying
                if free and not feed.closed:
                    requests = feed.take(free, _TICK_SECONDS / 10 if flying else None)
                    for request in requests:
                        threads.submit(self._into, done, request)
                    flying += len(requests)
                    if not flying:
                        return
                try:
                    outcome = done.get(timeout=_TICK_SECONDS / 10 if free else _TICK_SECONDS)
                except queue.Empty:
                    progress()  # each request has a time limit of its own
                else:
                    flying -= 1
                    progress()
                    yield outcome

    def close(self) -> None:
        """Give up what is under way."""
        self._closing.set()
        if self._watcher is not None:
            self._watcher.join()
        self._client.close()

    def details(self) -> Mapping[str, Any]:
        """Server and model."""
        return {"model": self._model, "url": self._url, "pages": self.capacity}

    def trouble(self) -> str:
        """Why the server gave no answer when it was last asked."""
        return self._trouble

    def _into(self, done: "queue.Queue[Outcome]", request: Request) -> None:
        try:
            done.put(self._ask(request))
        except (OutsideFailed, PageFailed) as failed:
            done.put((request.key, failed))
        except Exception as error:  # noqa: BLE001 - a thread's error must reach the page's answer
            why = f"The server's answer cannot be used: {type(error).__name__}: {error}"
            done.put((request.key, PageFailed(why[:300], code="bad_answer")))

    def _ask(self, request: Request) -> Generation:
        started = time.perf_counter()
        body = body_of(request, self._model)
        encoded = time.perf_counter()
        answer = self._post(body)
        choice = choice_of(answer)
        self._trouble = ""
        return Generation(
            request.key,
            str(choice["message"]["content"] or ""),
            int((answer.get("usage") or {}).get("completion_tokens") or 0),
            _REASONS.get(str(choice.get("finish_reason")), BROKEN),
            {
                "encode": 1000 * (encoded - started),
                "server": 1000 * (time.perf_counter() - encoded),
            },
        )

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The server's answer; tries again what may pass, with growing waits."""
        failure = OutsideFailed("The engine is closing.", code="closing")
        for attempt in range(_TRIES):
            if attempt:
                wait = _FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
                self._closing.wait(wait * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load
            if self._closing.is_set():
                break
            try:
                status, content = self._send(body)
            except httpx.HTTPError as error:
                failure = self._down(error)
                continue
            if status in _KEY_REFUSED:
                raise self._key_refused()
            if status in _AGAIN:
                failure = self._busy(status)
                continue
            if status != 200:
                said = content[:200].decode("utf-8", "replace").replace("\n", " ")
                raise PageFailed(
                    f"{self._url} refuses the page (status {status}): {said}", code="refused"
                )
            found: dict[str, Any] = json.loads(content)
            return found
        raise failure

    def _send(self, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Status and content of one answer, which is whole within the time that it has.

        httpx's own limit begins anew with each byte. PageFailed: the answer is too long.
        """
        until = time.monotonic() + self._seconds
        content = bytearray()
        url = f"{self._url}/chat/completions"
        with self._client.stream("POST", url, json=body) as answer:
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _MOST_ANSWER_BYTES:
                    raise PageFailed("The server's answer is too long.", code="bad_answer")
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("the answer was still coming")
        return answer.status_code, bytes(content)

    def _down(self, error: httpx.HTTPError) -> OutsideFailed:
        what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "is down"
        self._trouble = (
            f"The server {self._url} {what} ({type(error).__name__}): start it, or correct "
            "QUIRE_DEEPSEEK_URL."
        )
        self._look_out()
        return OutsideFailed(self._trouble, code="endpoint_down")

    def _busy(self, status: int) -> OutsideFailed:
        self._trouble = f"The server {self._url} cannot take pages now (status {status})."
        self._look_out()
        return OutsideFailed(self._trouble, code="endpoint_busy")

    def _look_out(self) -> None:
        """Notice by ourselves when the server is back: pages may go elsewhere until it is."""
        with self._lock:
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(
                    target=self._wait_for_server, name="endpoint-watch"
                )
                self._watcher.start()

    def _wait_for_server(self) -> None:
        while self._trouble and not self._closing.wait(_LOOK_SECONDS):
            try:
                if self._models().status_code < 400:
                    self._trouble = ""
            except httpx.HTTPError:
                continue

    def _models(self) -> httpx.Response:
        return self._client.get(f"{self._url}/models", timeout=_CONNECT_SECONDS)

    def _key_refused(self) -> OutsideFailed:
        self._trouble = f"The server {self._url} refuses the key: see QUIRE_DEEPSEEK_URL_KEY."
        return OutsideFailed(self._trouble, code="endpoint_key")
