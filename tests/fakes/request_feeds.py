"""Feeds of requests for the runtimes of DeepSeek-OCR."""

from collections import deque
from collections.abc import Iterable

from engines.deepseek.runtime import Request


class RequestBatch:
    """Requests that are all here already; remembers what capacity it was told."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._requests = deque(requests)
        self.capacities: list[int] = []

    def take(self, limit: int = 1, timeout_seconds: float | None = None) -> list[Request]:
        return [self._requests.popleft() for _ in range(min(limit, len(self._requests)))]

    @property
    def closed(self) -> bool:
        return not self._requests

    def set_capacity(self, pages: int) -> None:
        self.capacities.append(pages)
