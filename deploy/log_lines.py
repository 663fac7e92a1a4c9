"""The lines of many processes in one terminal: time, role, line."""

import logging
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TextIO

from shared.settings import SECRET_SETTINGS, Settings

MAX_LINE = 8192  # characters; longer lines are cut: a log is no data channel
_SHORTEST_SECRET = 6  # hiding shorter ones would blank out ordinary words
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # ANSI foregrounds that both themes can show

Say = Callable[[str, str], None]  # (role, line)


class LineSplitter:
    """Cuts a byte stream into lines of text."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Say every line that is complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        if len(self._rest) > MAX_LINE * 4:  # at most four bytes a character
            self.finish()

    def finish(self) -> None:
        """Say what is left without a line end."""
        if self._rest:
            self._emit(self._rest)
            self._rest = b""

    def _emit(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self._say(text if len(text) <= MAX_LINE else text[:MAX_LINE] + " ... (cut)")


class Terminal:
    """Writes lines to a stream, with colours where a person looks on. Secrets become ***."""

    def __init__(self, stream: TextIO, *, secrets: Iterable[str] = (), width: int = 10) -> None:
        self._stream: TextIO | None = stream
        self._secrets = sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len)[::-1]
        self._width = width
        self._colours: dict[str, int] = {}
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, role: str, line: str) -> None:
        """Write one line. A terminal that has gone away stops nothing."""
        if self._stream is None:
            return
        for secret in self._secrets:
            line = line.replace(secret, "***")
        time = datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3]
        head = f"{time} {role:<{self._width}} |"
        if self._coloured:
            colour = self._colours.setdefault(role, _COLOURS[len(self._colours) % len(_COLOURS)])
            head = f"\x1b[{colour}m{head}\x1b[0m"
            line = "".join(c for c in line if c == "\t" or c.isprintable())
        try:
            self._stream.write(f"{head} {line}\n")
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            self._stream = None  # nobody reads any more


def secrets_of(settings: Settings) -> list[str]:
    """Every secret value in the settings."""
    values: list[str] = []
    for name in SECRET_SETTINGS:
        value = getattr(settings, name)
        values += value if isinstance(value, tuple) else [value]
    return values


def configure_logging(level: str) -> None:
    """Log to stderr. Under a supervisor, which adds the time, the lines carry none."""
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line for every request
    logging.getLogger("alembic").setLevel(logging.WARNING)  # one line for every step of a new store
